"""PARTITION BY, CLUSTER BY and SORT BY: rows are written in that order, so that a query skips what it cannot need."""

from __future__ import annotations

import itertools
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tidemill.core.errors import BindError, TidemillError
from tidemill.project import Project, open_project

EVENTS = """
SELECT i AS id, TIMESTAMP '2026-01-01' + INTERVAL (hash(i) % 8760) HOUR AS ts, 'c' || hash(i * 7) % 500 AS customer
FROM range(400000) AS t(i)
"""


def build(root: Path, clauses: str, *, dialect: str = "duckdb", query: str = EVENTS) -> Project:
    (root / "tidemill.toml").write_text(f'dialect = "{dialect}"\nthreads = 2\n')
    (root / "sql").mkdir(exist_ok=True)
    (root / "sql" / "events.sql").write_text(f"CREATE OR REPLACE TABLE events {clauses} AS\n{query};\n")
    return open_project(root)


def ranges(project: Project, column: str) -> list[tuple[object, object]]:
    """The least and the greatest value of a column in each row group of the table's file."""
    (file,) = project.warehouse.files("events")
    groups = pq.ParquetFile(project.keep / "lake" / file.path).metadata
    place = groups.schema.names.index(column)
    found = [groups.row_group(number).column(place).statistics for number in range(groups.num_row_groups)]
    return [(one.min, one.max) for one in found]


@pytest.mark.parametrize(
    ("clauses", "column"),
    [
        ("PARTITION BY CAST(ts AS DATE) CLUSTER BY customer", "ts"),
        ("PARTITIONED BY (date_trunc('month', ts))", "ts"),
        ("CLUSTER BY customer, id", "customer"),
        ("SORT BY id DESC", "id"),
    ],
)
def test_row_groups_hold_narrow_ranges_of_the_first_key(tmp_path: Path, clauses: str, column: str) -> None:
    with build(tmp_path, clauses) as project:
        assert project.run().status == "ok"

        found = sorted(ranges(project, column))
        assert len(found) == 4
        # Rows of one month may stand on both sides of a border.
        width = 7 if "month" in clauses else 10
        assert all(cut(end, width) <= cut(start, width) for (_, end), (start, _) in itertools.pairwise(found))
        assert read(project, "SELECT count(DISTINCT id) AS n FROM events") == [400_000]


def cut(value: object, width: int) -> str:
    """A value as text that sorts as it does."""
    return f"{value:012d}" if isinstance(value, int) else str(value)[:width]


def read(project: Project, sql: str) -> list[object]:
    """The first column of a query."""
    with project.warehouse.session() as session:
        return list(session.query(sql).read_all().column(0).to_pylist())


def test_bigquery_s_clauses_mean_the_same(tmp_path: Path) -> None:
    query = "SELECT id, TIMESTAMP_SECONDS(MOD(id * 7919, 31536000)) AS ts FROM UNNEST(GENERATE_ARRAY(1, 300000)) AS id"
    with build(tmp_path, "PARTITION BY DATE(ts) CLUSTER BY id", dialect="bigquery", query=query) as project:
        assert project.run().status == "ok"

        found = ranges(project, "ts")
        assert len(found) == 3
        assert all(cut(end, 10) <= cut(start, 10) for (_, end), (start, _) in itertools.pairwise(found))


def test_another_layout_writes_the_table_anew_and_says_so(tmp_path: Path) -> None:
    query = "SELECT i AS id FROM range(10) AS t(i)"
    with build(tmp_path, "SORT BY id", query=query) as project:
        project.run()
        assert not project.plan().work
    with build(tmp_path, "SORT BY id DESC", query=query) as project:
        (step,) = project.plan().work
        assert "layout changed" in step.reason
        project.run()
        assert read(project, "SELECT id FROM events") == list(range(9, -1, -1))


def test_a_key_that_is_no_column_is_told(tmp_path: Path) -> None:
    with build(tmp_path, "CLUSTER BY nothing", query="SELECT 1 AS id") as project:
        (step,) = project.run().steps
        assert isinstance(step.error, TidemillError)
        assert "nothing" in step.error.message


@pytest.mark.parametrize("options", ["", "OPTIONS (incremental_by = 'id')"])
def test_a_misspelt_key_has_its_place_and_the_nearest_column(tmp_path: Path, options: str) -> None:
    with build(
        tmp_path, f"\n  CLUSTER BY date_trunc('day', att) {options}", query="SELECT 1 AS id, DATE '2026-01-01' AS at"
    ) as project:
        (step,) = project.run().steps
        error = step.error
        assert isinstance(error, BindError)
        assert error.message == "the rows of events cannot be ordered by att, which is no column of it"
        assert error.hint == "did you mean at?"
        assert error.where is not None
        assert (error.where.line, error.where.column) == (2, 32)


def test_the_rows_of_each_delivery_of_an_incremental_table_stand_in_order(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text("id,customer\n1,c\n2,a\n3,b\n")
    clauses = "CLUSTER BY customer DESC OPTIONS (incremental_by = 'id', unique_key = ['id'])"
    with build(tmp_path, clauses, query="SELECT * FROM 'data/*.csv'") as project:
        project.run()
        (data / "b.csv").write_text("id,customer\n4,x\n5,z\n6,y\n")
        project.run()
        assert read(project, "SELECT id FROM events") == [1, 3, 2, 5, 6, 4]
