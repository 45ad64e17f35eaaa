"""What other tools have names for is said as the documentation says, and means it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidemill.contracts.anomalies import TFDV
from tidemill.contracts.audit import check_contract
from tidemill.contracts.expectations import GREAT_EXPECTATIONS
from tidemill.contracts.table_rules import Past
from tidemill.contracts.ways import Way
from tidemill.core.errors import TidemillError
from tidemill.core.names import quote_path
from tidemill.runner.shape import typed_query
from tidemill.sql.bind import bind_query
from tidemill.sql.contract import contract_of
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import Assert, CreateTable
from tidemill.warehouse.duckdb.lake import open_lake
from tidemill.warehouse.protocol import Staged, Warehouse

ALL = [*GREAT_EXPECTATIONS, *TFDV]
SAID = [way for way in ALL if way.say]
NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder: Path = tmp_path_factory.mktemp("ways")
    lake = open_lake(folder / ".tidemill", search_path=folder)
    with lake.session() as session:
        rows = lake.stage(session, "SELECT unnest(['x', 'y']) AS a", None, table="other", attempt="a0")
    lake.publish(rows, run_id="r0", step="other@0", guard=lambda: None)
    yield lake
    lake.close()


def holds(lake: Warehouse, way: Way, rows: str) -> bool:
    """Whether all that a way says is true of some rows, the last version before them being what the way says."""
    if way.assertion:
        return asserted(lake, way, rows)
    text = f"CREATE TABLE t ({way.clause}) OPTIONS ({way.options}) AS {query(way, rows)}"
    text = text.replace("()", "", 1) if not way.clause else text
    text = text.replace(" OPTIONS ()", "")
    (statement,) = parse_text(text, file="t.sql", dialect="duckdb")
    assert isinstance(statement, CreateTable)
    staged = stage(lake, statement)
    before = stage(lake, statement, query(way, way.before)) if way.before else None
    past = Past(now=NOW, row_counts=[before.rows] if before else [], before=before)
    with lake.session() as session:
        results = check_contract(
            session, staged, contract_of(statement), past=past, dialect="duckdb", engine="duckdb", file="t.sql",
            relations=quote_path,
        )  # fmt: skip
    assert results or way.stops
    return all(result.passed for result in results)


def stage(lake: Warehouse, statement: CreateTable, rows: str = "") -> Staged:
    with lake.session() as session:
        sql = rows or statement.query.source.text
        names = [column.name for column in session.columns(sql)]
        typed = typed_query(sql, statement.columns, found=names, source=statement.source, engine="duckdb")
        return lake.stage(session, typed, None, table="t", attempt="a1")


def asserted(lake: Warehouse, way: Way, rows: str) -> bool:
    with lake.session() as session:
        staged = lake.stage(session, query(way, rows), None, table="t", attempt="a1")
    lake.publish(staged, run_id="r1", step=f"t@{way.names[0]}@{rows}", guard=lambda: None)
    (statement,) = parse_text(f"ASSERT {way.assertion}", file="t.sql", dialect="duckdb")
    assert isinstance(statement, Assert)
    with lake.session() as session:
        return bool(session.fetch(bind_query(statement.query, views={}, engine="duckdb").sql)[0][0])


def query(way: Way, rows: str) -> str:
    return rows if rows.startswith("SELECT") else f"SELECT * FROM (VALUES {rows}) AS r ({way.columns})"


@pytest.mark.parametrize("way", SAID, ids=lambda way: way.names[0])
def test_rows_that_keep_a_rule_pass_and_rows_that_break_it_fail(lake: Warehouse, way: Way) -> None:
    assert holds(lake, way, way.holds)
    if way.stops:
        with pytest.raises(TidemillError):
            holds(lake, way, way.breaks)
    else:
        assert not holds(lake, way, way.breaks)


def test_every_name_is_listed_once() -> None:
    names = [name for way in ALL for name in way.names]

    assert len(names) == len(set(names))


def test_what_cannot_be_said_has_a_reason() -> None:
    assert all(way.note for way in ALL if not way.say)
