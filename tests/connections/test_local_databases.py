"""SQLite, DuckDB and DuckLake files behind connections."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.connections.conftest import OpenWith

from tidemill.core.errors import BindError, BusyError, ContractError, NotFoundError, SourceError
from tidemill.project import Project
from tidemill.warehouse.duckdb.lake import open_lake

TOML = '[connections.crm]\nurl = "sqlite:///../crm.sqlite"\n'
ORDERS = "CREATE TABLE orders AS SELECT * FROM crm.orders"


@pytest.fixture
def crm(tmp_path: Path) -> Path:
    path = tmp_path / "crm.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total REAL, note TEXT)")
        db.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(i, i / 4, f"n{i}") for i in range(100)])
        db.commit()
    return path


def change(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(sql)


def reasons(project: Project) -> dict[str, str]:
    return {step.asset: step.reason for step in project.plan().work}


def test_a_table_is_built_from_sqlite_and_built_again_only_when_the_file_changed(
    open_with: OpenWith, crm: Path
) -> None:
    project = open_with(TOML, orders=ORDERS)
    assert project.run().status == "ok"
    assert project.sql("SELECT count(*), sum(total) FROM orders").fetchall() == [(100, 1237.5)]
    assert reasons(project) == {}

    change(crm, "INSERT INTO orders VALUES (100, 1, 'new')")

    assert reasons(project) == {"orders": "crm.orders changed"}
    project.run()
    assert project.sql("SELECT count(*) FROM orders").fetchall() == [(101,)]


def test_a_commit_in_the_write_ahead_log_is_seen(open_with: OpenWith, crm: Path) -> None:
    change(crm, "PRAGMA journal_mode = WAL")
    project = open_with(TOML, orders=ORDERS)
    project.run()
    with closing(sqlite3.connect(crm)) as writer:  # kept open: nothing is moved from the log to the file
        writer.execute("INSERT INTO orders VALUES (100, 1, 'new')")
        writer.commit()

        assert reasons(project) == {"orders": "crm.orders changed"}
        project.run()
        assert project.sql("SELECT count(*) FROM orders").fetchall() == [(101,)]


def test_rows_are_read_as_they_were_at_one_moment_while_somebody_writes(open_with: OpenWith, crm: Path) -> None:
    change(crm, "PRAGMA journal_mode = WAL")
    # Two rows are written in each transaction: a reader never sees an odd number of new ones.
    code = (
        "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], timeout=30)\nn = 1000\nprint('on', flush=True)\n"
        "while True:\n    with db:\n        db.execute('INSERT INTO orders VALUES (?, 1, 1)', (n,))\n"
        "        db.execute('INSERT INTO orders VALUES (?, 1, 1)', (n + 1,))\n    n += 2\n"
    )
    project = open_with(TOML)
    with subprocess.Popen([sys.executable, "-c", code, str(crm)], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            query = "SELECT count(*) % 2, max(id) FROM crm.orders WHERE id >= 1000 OR id < 0"
            found = [project.sql(query).fetchall()[0] for _ in range(5)]
        finally:
            writer.kill()
    assert {odd for odd, _ in found} == {0}


def test_a_query_typed_by_a_person_reads_a_connection_beside_the_lake(open_with: OpenWith, crm: Path) -> None:
    project = open_with(TOML, totals="CREATE TABLE totals AS SELECT id, total * 2 AS twice FROM crm.orders")
    project.run()
    query = "SELECT crm.orders.note, t.twice FROM crm.orders JOIN totals AS t USING (id) WHERE crm.main.orders.id = 3"
    with pytest.raises(BindError):
        project.sql(query)  # the table is called crm.orders here
    rows = project.sql(query.replace("crm.main.orders", "crm.orders")).fetchall()
    assert rows == [("n3", 1.5)]


def test_bigquery_names_of_three_parts_mean_the_connection(open_with: OpenWith, crm: Path) -> None:
    project = open_with(
        'dialect = "bigquery"\n' + TOML,
        orders="CREATE TABLE shop.orders AS SELECT * FROM `crm.main.orders` WHERE id < 7",
    )
    project.run()
    assert project.sql("SELECT COUNT(*) FROM `any-project.shop.orders`").fetchall() == [(7,)]
    assert project.sql("SELECT COUNT(*) FROM crm.main.orders").fetchall() == [(100,)]


@pytest.mark.parametrize(
    ("statement", "hint"),
    [
        ("CREATE TABLE t AS SELECT * FROM crm.ordres", "did you mean crm.orders?"),
        ("CREATE TABLE t AS SELECT * FROM cmr.orders", "did you mean crm.orders?"),
    ],
)
def test_a_misspelt_name_is_told_when_planning(open_with: OpenWith, crm: Path, statement: str, hint: str) -> None:
    with pytest.raises(BindError) as caught:
        open_with(TOML, t=statement).plan()
    assert caught.value.hint == hint


def test_the_tables_beside_it_are_named_where_a_table_of_a_connection_is_not_there(
    open_with: OpenWith, crm: Path
) -> None:
    project = open_with(TOML, t="CREATE TABLE zz AS SELECT 1 AS a")
    project.run()
    for name in ("crm.zzz", "crm.main.zzz"):
        with pytest.raises(BindError) as caught:
            project.sql(f"SELECT * FROM {name}")
        assert caught.value.hint == "known: crm.orders"


def test_nothing_can_be_made_in_a_connection(open_with: OpenWith, crm: Path) -> None:
    project = open_with(TOML, t="CREATE TABLE crm.copies AS SELECT 1 AS a")
    with pytest.raises(BindError, match="crm is a connection, which is only read"):
        project.plan()
    with pytest.raises(BindError, match="crm is a connection, which is only read"):
        project.sql("CREATE TABLE crm.copies AS SELECT 1 AS a")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE crm.main.copies AS SELECT 1 AS a",
        "CREATE VIEW crm.main.copies AS SELECT 1 AS a",
        "CREATE MODEL crm.main.copies OPTIONS (model_type = 'linear_reg') AS SELECT 1 AS label, 2 AS x",
        "LOAD DATA INTO crm.main.copies FROM FILES (format = 'CSV', uris = ['data/a.csv'])",
    ],
)
def test_a_schema_in_the_name_does_not_open_a_connection_for_writing(
    open_with: OpenWith, crm: Path, statement: str
) -> None:
    project = open_with(TOML, t=statement)
    said = "crm.main.copies cannot be made: crm is a connection, which is only read"
    with pytest.raises(BindError, match=said):
        project.plan()
    with pytest.raises(BindError, match=said):
        project.sql(statement)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("DROP TABLE orders", "there is no table crm.main.orders"),
        ("ALTER TABLE orders RENAME COLUMN total TO amount", "there is no column total"),
        ("UPDATE orders SET total = 'much' WHERE id = 50", "much"),
    ],
)
def test_a_table_that_changed_upstream_stops_its_step_and_leaves_the_old_version(
    open_with: OpenWith, crm: Path, trouble: str, said: str
) -> None:
    project = open_with(
        TOML,
        orders="CREATE TABLE orders (id BIGINT, total DOUBLE) AS SELECT id, total FROM crm.orders",
        other="CREATE TABLE other AS SELECT 1 AS a",
    )
    project.run()
    change(crm, trouble)
    (project.root / "sql" / "other.sql").write_text("CREATE TABLE other AS SELECT 2 AS a")

    report = project.run()

    failed = {step.asset: step.error for step in report.steps if step.error is not None}
    assert list(failed) == ["orders"]
    assert said in str(failed["orders"])
    assert project.sql("SELECT count(*), sum(total) FROM orders").fetchall() == [(100, 1237.5)]
    assert project.sql("SELECT a FROM other").fetchall() == [(2,)]


def test_a_file_that_is_gone_is_told_in_the_plan_and_stops_only_its_step(open_with: OpenWith, crm: Path) -> None:
    project = open_with(TOML, orders=ORDERS)
    project.run()
    crm.unlink()
    (reason,) = reasons(project).values()
    assert reason.startswith("crm.orders is gone: there is no file ")
    assert reason.endswith(crm.name)
    (step,) = project.run().steps
    assert isinstance(step.error, SourceError)
    assert "there is no file" in str(step.error)
    assert project.sql("SELECT count(*) FROM orders").fetchall() == [(100,)]


def test_a_file_that_is_no_database_is_told(open_with: OpenWith, crm: Path) -> None:
    crm.write_text("no database at all " * 100)
    with pytest.raises(SourceError, match="cannot be read as a SQLite file"):
        open_with(TOML).sql("SELECT * FROM crm.orders")


def test_a_duckdb_file_is_read_and_its_writer_is_waited_for(open_with: OpenWith, tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    code = (
        "import duckdb, sys\ndb = duckdb.connect(sys.argv[1])\n"
        "db.execute('CREATE SCHEMA IF NOT EXISTS s; CREATE OR REPLACE TABLE s.t AS FROM range(10) r(i); CHECKPOINT')\n"
        "print('on', flush=True)\nsys.stdin.read()\n"
    )
    project = open_with(f'[connections.w]\nurl = "duckdb:///{path}"\n', t="CREATE TABLE t AS SELECT * FROM w.s.t")
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(BusyError, match="connection w cannot be reached"):
            project.sql("SELECT * FROM w.s.t")
        writer.communicate()
    assert project.run().status == "ok"
    assert reasons(project) == {}
    # Nothing is held behind a query's back: somebody may write again.
    subprocess.run(command, input=b"", check=True)
    assert reasons(project) == {"t": "w.s.t changed"}


@pytest.mark.parametrize("catalogue", ["ducklake:sqlite:../lake/catalogue.sqlite", "ducklake:../lake/meta.ducklake"])
def test_another_ducklake_is_read_at_its_newest_snapshot(open_with: OpenWith, tmp_path: Path, catalogue: str) -> None:
    (tmp_path / "lake").mkdir()
    url = catalogue.replace("../", f"{tmp_path}/")

    def write(sql: str) -> None:
        code = (
            "import sys\nfrom tidemill.warehouse.duckdb.instance import extension_path\nimport duckdb\n"
            "db = duckdb.connect()\n"
            "for name in ('sqlite_scanner', 'ducklake'):\n    db.execute(f\"LOAD '{extension_path(name)}'\")\n"
            f"db.execute(\"ATTACH '{url}' AS l (DATA_PATH '{tmp_path}/lake/data/')\")\ndb.execute(sys.argv[1])\n"
        )
        subprocess.run([sys.executable, "-c", code, sql], check=True)

    write("CREATE TABLE l.t AS FROM range(10) r(i)")
    project = open_with(f'[connections.far]\nurl = "{catalogue}"\n', t="CREATE TABLE t AS SELECT * FROM far.t")
    project.run()
    assert project.sql("SELECT count(*) FROM t").fetchall() == [(10,)]
    assert reasons(project) == {}
    write("INSERT INTO l.t VALUES (99)")
    assert reasons(project) == {"t": "far.t changed"}
    assert project.sql("SELECT count(*) FROM far.t").fetchall() == [(11,)]
    assert project.sql("SELECT count(*) FROM far.main.t AT (VERSION => 1)").fetchall() == [(10,)]


def test_settings_say_when_a_table_is_read_again(open_with: OpenWith, crm: Path) -> None:
    project = open_with(TOML + 'changes = "always"\n', orders=ORDERS)
    project.run()
    assert reasons(project) == {"orders": "crm.orders is read again by every run: as its settings say"}
    project = open_with(TOML + 'changes = "never"\n')
    project.run()
    change(crm, "DELETE FROM orders")
    assert reasons(project) == {}
    project.run(["orders"], full_refresh=True)
    assert project.sql("SELECT count(*) FROM orders").fetchall() == [(0,)]


def test_copies_of_files_are_gone_when_the_warehouse_is_closed(tmp_path: Path, open_with: OpenWith, crm: Path) -> None:
    project = open_with(TOML)
    assert project.sql("SELECT count(*) FROM crm.orders").fetchall() == [(100,)]
    spill = project.root / ".tidemill" / "lake" / "spill"
    assert list(spill.rglob("*.sqlite"))
    project.close()
    assert not list(spill.rglob("*.sqlite"))


def test_a_lake_knows_no_connection_that_is_not_declared(tmp_path: Path) -> None:
    with (
        closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path)) as lake,
        pytest.raises(NotFoundError, match="there is no connection crm"),
    ):
        lake.source_tables("crm")


def test_a_foreign_key_may_lead_into_a_connection(open_with: OpenWith, crm: Path) -> None:
    change(crm, "CREATE TABLE customers (id INTEGER PRIMARY KEY); INSERT INTO customers VALUES (1), (2)")
    statement = "CREATE TABLE t (id REFERENCES crm.customers (id)) AS SELECT id FROM crm.orders WHERE id IN (1, {})"
    project = open_with(TOML, t=statement.format(2))
    assert project.run().status == "ok"
    assert project.check().held
    (project.root / "sql" / "t.sql").write_text(statement.format(2).replace("crm.customers", "crm.main.customers"))
    assert project.run().status == "ok"
    assert project.check().held
    (project.root / "sql" / "t.sql").write_text(statement.format(3))
    (step,) = project.run().steps
    assert isinstance(step.error, ContractError)
    assert project.sql("SELECT count(*) FROM t").fetchall() == [(2,)]


def test_a_session_keeps_its_moment_while_others_read_a_newer_one(open_with: OpenWith, crm: Path) -> None:
    project = open_with(TOML)
    early = project.sql("SELECT count(*) FROM crm.orders")
    change(crm, "INSERT INTO orders VALUES (100, 1, 'new')")
    late = project.sql("SELECT count(*) FROM crm.orders")
    again = project.sql("SELECT count(*) FROM crm.orders")
    assert [one.fetchall() for one in (late, early, again)] == [[(101,)], [(100,)], [(101,)]]


def test_lineage_of_columns_leads_into_the_connection(open_with: OpenWith, crm: Path) -> None:
    twice = "SELECT id, total * 2 AS twice FROM crm.main.orders JOIN crm.orders AS again USING (id)"
    project = open_with(TOML, t=f"CREATE TABLE t AS {twice.replace('total', 'again.total')}")
    project.run()
    graph, _ = project.lineage_of("t.twice")
    for name in ("crm.orders", "crm.main.orders.total", "CRM.orders.total"):
        assert project.lineage_of(name)[1].node == "crm.orders"
    (node,) = [node for node in graph.nodes.values() if node.kind == "connection"]
    assert (node.name, list(node.columns)) == ("crm.orders", ["id", "total"])


def test_columns_of_sqlite_that_hold_other_values_than_declared_are_read_by_their_values(
    open_with: OpenWith, crm: Path
) -> None:
    change(
        crm,
        "CREATE TABLE mixed (id INTEGER PRIMARY KEY, n INTEGER, share INT, day DATE, at TIMESTAMP, f REAL, amt, name,"
        " any, code, data BLOB);"
        "INSERT INTO mixed VALUES (1, 5, 1, '2026-01-02', 1767225600, 0.1, 1.5, 'a', 7, 9007199254740993, x'00ff'),"
        " (2, 'n/a', 2.5, 'soon', '2026-01-01 10:00:00', 1.1234567890123457, 2, 'b', 'x', 1, NULL);",
    )
    project = open_with(TOML, mixed="CREATE TABLE mixed AS SELECT m.*, mixed.n AS again FROM crm.mixed AS m"
                        " JOIN crm.mixed USING (id)")  # fmt: skip

    (step,) = project.run().steps

    assert step.warnings == (
        "name of crm.mixed has no type in SQLite, and not only numbers: it is read as text",
        "any of crm.mixed has no type in SQLite, and not only numbers: it is read as text",
        "n of crm.mixed is declared INTEGER in SQLite and holds other values: it is read as text",
        "day of crm.mixed is declared DATE in SQLite and holds other values: it is read as text",
    )
    assert [f"{field.name} {field.type}" for field in project.sql("SELECT * FROM mixed").schema] == [
        "id int64", "n string", "share double", "day string", "at timestamp[us]", "f double", "amt double",
        "name string", "any string", "code int64", "data binary", "again string",
    ]  # fmt: skip
    rows = project.sql("SELECT * EXCLUDE (at, again) FROM mixed ORDER BY id").fetchall()
    assert rows == [
        (1, "5", 1.0, "2026-01-02", 0.1, 1.5, "a", "7", 9007199254740993, b"\x00\xff"),
        (2, "n/a", 2.5, "soon", 1.1234567890123457, 2.0, "b", "x", 1, None),
    ]
    assert project.sql("SELECT at FROM mixed WHERE at < '2026-01-01 01:00:00'").fetchall()
    assert project.sql("SELECT n FROM crm.mixed WHERE id = 2").fetchall() == [("n/a",)]


def test_a_table_that_was_dropped_is_told_in_the_plan_and_its_step_names_the_tables_beside_it(
    open_with: OpenWith, crm: Path
) -> None:
    project = open_with(TOML, orders=ORDERS)
    project.run()
    change(crm, "DROP TABLE orders")
    assert reasons(project) == {"orders": "crm.orders is gone: connection crm has no such table"}
    (step,) = project.run().steps
    assert step.error is not None
    assert step.error.hint == "its connection has no tables"
    change(crm, "CREATE TABLE orders_2026 (id)")
    (step,) = project.run().steps
    assert step.error is not None
    assert "orders_2026" in step.error.hint
