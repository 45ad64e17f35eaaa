from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tidemill.evaluation.judge import judge
from tidemill.model_types.table import MODEL_TYPES
from tidemill.sql.statements import TransformItem
from tidemill.training.result import TrainedModel
from tidemill.training.task import TrainTask
from tidemill.training.train import train
from tidemill.warehouse.duckdb.lake import open_lake
from tidemill.warehouse.protocol import Session

Fit = Callable[..., TrainedModel]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder: Path = tmp_path_factory.mktemp("project")
    lake = open_lake(folder / ".tidemill", search_path=folder, threads=2)
    with lake.session() as opened:
        yield opened
    lake.close()


@pytest.fixture
def fit(session: Session) -> Fit:
    """Train a model type on a query with some options; the rest have their defaults."""

    def call(
        model_type: str,
        sql: str,
        *,
        label: str = "label",
        ordered: bool = True,
        seed: int = 0,
        previous: TrainedModel | None = None,
        transform: tuple[TransformItem, ...] = (),
        **given: Any,
    ) -> TrainedModel:
        row = MODEL_TYPES[model_type]
        options = {option.name.lower(): option.default for option in row.options if option.status == "supported"}
        task = TrainTask(
            session=session,
            sql=sql,
            name="m",
            model_type=row,
            options=options | {"input_label_cols": [label]} | given,
            given=frozenset(given) | {"input_label_cols"},
            ordered=ordered,
            seed=seed,
            previous=previous.files if previous else None,
            transform=transform,
            threads=2,
        )
        return train(task, judge=judge)

    return call
