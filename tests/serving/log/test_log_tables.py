"""The log in SQL: there with its types before anything was logged, complete in the second an answer was given."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from tests.serving.log.conftest import collector, label, prediction, select, write

from tidemill.core.clock import Clock
from tidemill.core.errors import CorruptError
from tidemill.project import open_project
from tidemill.serving.log.records import LabelRow, encode
from tidemill.serving.log.tables import PREDICTIONS_TABLE, log_views
from tidemill.serving.log.writer import LogWriter
from tidemill.testing.warehouse import put
from tidemill.warehouse.control.log_tables import LOG_TABLES
from tidemill.warehouse.duckdb.lake import Lake

ENGINE = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "time": "TIMESTAMP",
    "bool": "BOOLEAN",
}


def moment(text: str) -> datetime:
    """A time in UTC, as tables hold it: without a zone."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("name", LOG_TABLES)
@pytest.mark.parametrize("collected", [False, True])
def test_a_log_table_has_its_columns_and_types(lake: Lake, spool: Path, name: str, *, collected: bool) -> None:
    if collected:
        write(spool, prediction(1), label(1, LabelRow(id="r1", label="no")))
        collector(lake, spool).collect()

    rows = select(lake, spool, _types(name))

    assert rows == [{column: ENGINE[kind] for column, kind in LOG_TABLES[name].columns.items()}]


def _types(name: str) -> str:
    columns = ", ".join(f'typeof("{column}") AS "{column}"' for column in LOG_TABLES[name].columns)
    return f"SELECT {columns} FROM (SELECT 1) LEFT JOIN (SELECT * FROM tidemill.{name} LIMIT 1) ON true"


@pytest.mark.parametrize("collected", [False, True])
def test_a_prediction_is_a_row_as_it_was_given(lake: Lake, spool: Path, *, collected: bool) -> None:
    write(spool, prediction(1))
    if collected:
        collector(lake, spool).collect()

    assert select(lake, spool, "SELECT * FROM tidemill.predictions") == [
        {
            "id": "r1",
            "at": moment("2026-09-21T14:13:21"),
            "model": "churn",
            "version": 3,
            "digest": "d" * 64,
            "deployment": "churn",
            "route": "champion",
            "share": 0.0,
            "key": "k1",
            "inputs": '{"age":1,"name":"Jürgen"}',
            "prediction": "yes",
            "score": 0.75,
            "probabilities": '{"no":0.25,"yes":0.75}',
            "latency_ms": 1.5,
            "trace": "t",
            "principal": "shop",
            "batch": 1 if collected else None,
        }
    ]


def test_a_request_of_several_rows_is_as_many_predictions(lake: Lake, spool: Path) -> None:
    rows = b'{"rows":[{"a":1.50},{"a":null}]}'
    columns = b'{"columns":{"a":[1.50,null],"b c":["x","\\"y"]}}'
    two = {"n": 2, "keys": ["k", None], "predictions": [250000.0, 1.5], "probabilities": None, "classes": ()}
    write(spool, prediction(1, inputs=rows, **two), prediction(2, inputs=columns, **two))

    found = select(
        lake, spool, "SELECT id, key, inputs, prediction, score, probabilities FROM tidemill.predictions ORDER BY id"
    )

    assert [tuple(row.values()) for row in found] == [
        ("r1-0", "k", '{"a":1.50}', "250000", 250000.0, None),
        ("r1-1", None, '{"a":null}', "1.5", 1.5, None),
        ("r2-0", "k", '{"a":1.50,"b c":"x"}', "250000", 250000.0, None),
        ("r2-1", None, '{"a":null,"b c":"\\"y"}', "1.5", 1.5, None),
    ]
    assert json.loads(found[3]["inputs"]) == {"a": None, "b c": '"y'}


def test_the_score_of_many_classes_is_that_of_the_likeliest(lake: Lake, spool: Path) -> None:
    three = {"predictions": [2], "probabilities": [[0.2, 0.7, 0.1]], "classes": (1, 2, 3)}
    write(spool, prediction(1, **three))

    found = select(lake, spool, "SELECT prediction, score, probabilities FROM tidemill.predictions")

    assert found == [{"prediction": "2", "score": 0.7, "probabilities": '{"1":0.2,"2":0.7,"3":0.1}'}]


def test_an_answer_is_seen_before_it_is_collected_and_once_when_it_is(lake: Lake, spool: Path) -> None:
    count = "SELECT count(*) AS n FROM tidemill.predictions"
    with closing(LogWriter(spool, worker="w0", clock=Clock())) as writer:
        for number in range(3):
            writer.append(encode(prediction(number)))
            assert select(lake, spool, count) == [{"n": number + 1}]
            if number == 1:
                collector(lake, spool).collect()
            assert select(lake, spool, count) == [{"n": number + 1}]


def test_a_session_keeps_its_snapshot_while_the_collector_goes_on(lake: Lake, spool: Path) -> None:
    write(spool, prediction(1))
    collector(lake, spool).collect()
    write(spool, prediction(2), worker="w1")
    with lake.session(system=log_views(spool)) as session:
        session.query("SELECT count(*) FROM tidemill.predictions").read_all()
        collector(lake, spool).collect()
        with lake.session(system=log_views(spool)) as newer:
            newer.query("SELECT count(*) FROM tidemill.predictions").read_all()

        rows = session.query("SELECT id FROM tidemill.predictions ORDER BY id").read_all().to_pylist()

    assert rows == [{"id": "r1"}, {"id": "r2"}]


def test_filters_reach_the_files_of_the_lake(lake: Lake, spool: Path) -> None:
    write(spool, prediction(1))
    collector(lake, spool).collect()

    plan = select(lake, spool, "EXPLAIN SELECT inputs FROM tidemill.predictions WHERE id = 'r1'")[0]["explain_value"]

    assert "DUCKLAKE_SCAN" in plan
    assert "Filters" in plan.split("DUCKLAKE_SCAN")[1].split("SCAN")[0]


def test_labels_have_a_revision_for_each_change_and_none_for_a_repetition(lake: Lake, spool: Path) -> None:
    write(spool, label(1, LabelRow(id="r1", label="no"), LabelRow(id="r1", label="no")))
    collector(lake, spool).collect()
    write(
        spool,
        label(2, LabelRow(id="r1", label="no")),
        label(3, LabelRow(id="r1", label="yes"), LabelRow(id="nobody", label=True)),
        label(4, LabelRow(id="r1", label="no")),
        label(5, LabelRow(id="r1", label="no"), deployment="other"),
        worker="w1",
    )

    found = select(
        lake,
        spool,
        "SELECT deployment, prediction_id, label, revision, arrived_at FROM tidemill.label_revisions ORDER BY 1, 2, 4",
    )

    assert [tuple(row.values())[:4] for row in found] == [
        ("churn", "nobody", "true", 1),
        ("churn", "r1", "no", 1),
        ("churn", "r1", "yes", 2),
        ("churn", "r1", "no", 3),
        ("other", "r1", "no", 1),
    ]
    assert found[2]["arrived_at"] == moment("2026-09-21T14:13:23")

    current = "SELECT label, revision, arrived_at, first_arrived_at FROM tidemill.labels WHERE prediction_id = 'r1'"
    assert select(lake, spool, f"{current} AND deployment = 'churn'") == [
        {
            "label": "no",
            "revision": 3,
            "arrived_at": moment("2026-09-21T14:13:24"),
            "first_arrived_at": moment("2026-09-21T14:13:21"),
        }
    ]


def test_labels_by_key_are_told_apart_by_their_time(lake: Lake, spool: Path) -> None:
    write(
        spool,
        label(1, LabelRow(key="k1", time="2026-09-22T00:00:00+02:00", label=1.0)),
        label(2, LabelRow(key="k1", time="2026-09-21T22:00:00", label=1)),
        label(3, LabelRow(key="k1", time="2026-09-23", label=2)),
    )

    found = select(lake, spool, 'SELECT key, "at", label, revision FROM tidemill.labels ORDER BY "at"')

    assert [tuple(row.values()) for row in found] == [
        ("k1", moment("2026-09-21T22:00:00"), "1", 1),
        ("k1", moment("2026-09-23T00:00:00"), "2", 1),
    ]


def test_a_lake_without_a_log_shows_an_empty_one(lake: Lake, spool: Path) -> None:
    put(lake, "t", "SELECT 1 AS x", run_id="run-1")

    assert select(lake, spool, "SELECT count(*) AS n FROM tidemill.predictions, t") == [{"n": 0}]


def test_a_log_that_somebody_else_wrote_to_is_refused(lake: Lake, spool: Path) -> None:
    write(spool, prediction(1))
    with lake.session() as session:
        staged = lake.stage(session, "SELECT 1 AS x", None, table=PREDICTIONS_TABLE, attempt="a", system=True)
    lake.append(staged, run_id="r", step="s", guard=lambda: None)

    with pytest.raises(CorruptError, match="does not say which records it took"):
        select(lake, spool, "SELECT count(*) FROM tidemill.predictions")


def test_a_project_shows_its_log_in_queries_and_in_tables_made_of_it(tmp_path: Path) -> None:
    (tmp_path / "tidemill.toml").write_text("")
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "a.sql").write_text(
        "CREATE TABLE by_route AS SELECT route, count(*) AS n FROM tidemill.predictions GROUP BY route"
    )
    write(tmp_path / ".tidemill" / "spool", prediction(1), prediction(2, route="challenger"))
    with open_project(tmp_path) as project:
        assert project.collect().predictions == 2
        project.run()
        rows = project.sql("SELECT route, n FROM by_route ORDER BY route").to_arrow().to_pylist()
        assert rows == [{"route": "challenger", "n": 1}, {"route": "champion", "n": 1}]
        assert not project.plan().changed
