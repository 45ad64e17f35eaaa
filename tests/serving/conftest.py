from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tidemill.evaluation.judge import judge
from tidemill.model_types.table import MODEL_TYPES
from tidemill.registry.versions import LoadedModel
from tidemill.training.artifact import read_json_file
from tidemill.training.task import TrainTask
from tidemill.training.train import train
from tidemill.warehouse.duckdb.lake import open_lake
from tidemill.warehouse.protocol import Session

ROWS = """
SELECT range % 97 AS n, ['a', 'b', NULL][1 + range % 3] AS c, (range * 7919) % 101 + 10 * (range % 4) AS value,
       CASE WHEN (range * 7919) % 101 > 50 THEN 'yes' ELSE 'no' END AS label
FROM range({rows})
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder: Path = tmp_path_factory.mktemp("project")
    lake = open_lake(folder / ".tidemill", search_path=folder, threads=2)
    with lake.session() as opened:
        yield opened
    lake.close()


@pytest.fixture(scope="module")
def load(session: Session) -> Callable[[str], LoadedModel]:
    """A version of a model type, trained on 700 rows."""

    def call(kind: str) -> LoadedModel:
        row = MODEL_TYPES[kind]
        options = {option.name.lower(): option.default for option in row.options if option.status == "supported"}
        label = "value" if row.task == "regression" else "label"
        task = TrainTask(
            session=session,
            sql=ROWS.format(rows=700),
            name="m",
            model_type=row,
            options=options | {"input_label_cols": [label]},
            given=frozenset({"input_label_cols"}),
            ordered=True,
        )
        files = train(task, judge=judge).files
        return LoadedModel(name="m", version=1, manifest=read_json_file(files, "manifest.json"), files=files)

    return call
