"""What a lake says and holds at every snapshot, to be compared before and after upkeep."""

from __future__ import annotations

from typing import Any

from tidemill.core.digest import digest_bytes
from tidemill.core.names import quote_name
from tidemill.testing.warehouse import no_guard, put, stage
from tidemill.warehouse.duckdb.lake import Lake
from tidemill.warehouse.protocol import Merge

State = dict[int, dict[str, tuple[Any, ...]]]


def state(lake: Lake, *, versions: list[int] | None = None) -> State:
    """For each snapshot and each of its tables: version, columns, rows in their order as one hash, run and message."""
    found: State = {}
    for snapshot in lake.upkeep.snapshots():
        if versions is not None and snapshot.version not in versions:
            continue
        tables: dict[str, tuple[Any, ...]] = {}
        with lake.session(at=snapshot.version) as session:
            for table, version in lake.tables(snapshot.version).items():
                quoted = ".".join(quote_name(part) for part in table.split("."))
                rows = session.query(f"FROM {quoted}").read_all()
                digest = digest_bytes("\n".join(map(str, rows.to_pylist())).encode())
                newest = lake.newest([table], snapshot.version)
                assert newest is not None
                said = (newest.rows, newest.run_id, newest.step, newest.message)
                assert newest.rows == rows.num_rows
                known = lake.state(table, snapshot.version)
                tables[table] = (version, digest, lake.columns(table, version), said, known)
        found[snapshot.version] = tables
    return found


def append(lake: Lake, table: str, sql: str, *, run_id: str, system: bool = False, message: str = "") -> None:
    """Add a query's rows to a table."""
    with lake.session() as session:
        staged = lake.stage(session, sql, None, table=table, attempt=run_id, system=system)
    lake.append(staged, run_id=run_id, step="append", guard=no_guard, message=message)


def merge(lake: Lake, table: str, sql: str, *, run_id: str) -> None:
    """Put a query's rows in the place of those with the same id."""
    staged = stage(lake, table, sql, attempt=run_id)
    lake.merge(staged, Merge(base=lake.tables()[table], keys=("id",)), run_id=run_id, step="merge", guard=no_guard)


def fill(lake: Lake, *, log: int = 6) -> None:
    """Tables of every kind: replaced, appended to, merged into, dropped, and a log."""
    put(lake, "once", "SELECT i AS id, i * 2 AS x FROM range(100) AS t(i)", run_id="once-1")
    put(lake, "grows", "SELECT i AS id, 'base' AS word FROM range(500) AS t(i)", run_id="grows-0")
    put(lake, "gone", "SELECT 1 AS one", run_id="gone-1")
    for turn in range(1, 5):
        sql = f"SELECT {turn * 10000} + i AS id, 'turn {turn}' AS word FROM range(50) AS t(i)"
        append(lake, "grows", sql, run_id=f"grows-{turn}")
    put(lake, "keyed", "SELECT i AS id, 'first' AS word FROM range(300) AS t(i)", run_id="keyed-0")
    for turn in range(1, 5):
        sql = f"SELECT {turn * 30} + i AS id, 'turn {turn}' AS word FROM range(50) AS t(i)"
        merge(lake, "keyed", sql, run_id=f"keyed-{turn}")
    lake.drop("gone", run_id="gone-2", step="drop", guard=no_guard)
    put(lake, "once", "SELECT i AS id, i * 3 AS x FROM range(100) AS t(i)", run_id="once-2")
    for turn in range(log):
        sql = f"SELECT {turn} AS minute, i AS n FROM range(10) AS t(i)"
        append(lake, "tidemill_log.predictions", sql, run_id=f"log-{turn}", system=True, message=f"place {turn}")
