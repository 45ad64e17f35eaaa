"""Answers and labels as rows of the log, and a session to ask about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tidemill.serving.labels.joined import Relations
from tidemill.warehouse.duckdb.lake import open_lake
from tidemill.warehouse.protocol import Session

if TYPE_CHECKING:
    import pyarrow as pa

BEGIN = datetime(2026, 9, 21)  # noqa: DTZ001 - times of the log are in UTC, without a zone
GIVEN = Relations(predictions="answers_given", received="labels_told")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A real session; its lake is empty, and the rows come as relations."""
    root: Path = tmp_path_factory.mktemp("labels")
    with closing(open_lake(root / ".tidemill", search_path=root, threads=1)) as lake, lake.session() as opened:
        yield opened


def at(seconds: float) -> datetime:
    """A time, in seconds since the tests begin."""
    return BEGIN + timedelta(seconds=seconds)


def answer(id_: str, seconds: float, **changes: Any) -> dict[str, Any]:
    """A row of ``tidemill.predictions``."""
    given = {
        "id": id_,
        "at": at(seconds),
        "deployment": "churn",
        "model": "churn",
        "version": 3,
        "route": "champion",
        "key": None,
        "inputs": "{}",
        "prediction": "yes",
        "score": 0.5,
        "probabilities": None,
        "batch": 1,
    }
    return given | changes


def told(label: str, arrived: float, **changes: Any) -> dict[str, Any]:
    """A row of ``tidemill.received_labels``."""
    given = {
        "prediction_id": None,
        "key": None,
        "deployment": "churn",
        "model": "churn",
        "at": None,
        "label": label,
        "known_at": None,
        "arrived_at": at(arrived),
        "source": "http",
        "request": f"l{arrived:08.1f}",
        "number": 0,
        "batch": 1,
    }
    return given | changes


def relations(answers: Sequence[dict[str, Any]], labels: Sequence[dict[str, Any]]) -> dict[str, pa.Table]:
    """Both as relations, with their types even when there are none."""
    return {
        GIVEN.predictions: _table(answers, answer("", 0)),
        GIVEN.received: _table(labels, told("", 0)),
    }


def _table(rows: Sequence[dict[str, Any]], like: dict[str, Any]) -> pa.Table:
    import pyarrow as pa

    kinds = {"version": pa.int64(), "number": pa.int64(), "batch": pa.int64(), "score": pa.float64()}
    times = {"at", "known_at", "arrived_at"}
    schema = pa.schema([(name, pa.timestamp("us") if name in times else kinds.get(name, pa.string())) for name in like])
    return pa.Table.from_pylist(list(rows), schema=schema)


def ask(session: Session, sql: str, given: dict[str, pa.Table]) -> list[dict[str, Any]]:
    """The rows that a query answers."""
    rows: list[dict[str, Any]] = session.query(sql, given).read_all().to_pylist()
    return rows
