"""Streams inside streams, several threads, and memory that stays small."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemill.core.rows import Rows
from tidemill.testing.warehouse import put, rows_of, stage
from tidemill.warehouse.duckdb.lake import Lake, open_lake
from tidemill.warehouse.duckdb.session import DuckSession


@pytest.fixture(scope="module", params=[1, 2], ids=["one thread", "two threads"])
def lake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    root = tmp_path_factory.mktemp("session")
    threads = int(request.param)
    with closing(open_lake(root / ".tidemill", search_path=root, threads=threads, memory_limit="300MB")) as opened:
        put(opened, "t", "SELECT i, 'n' || (i % 7) AS s FROM range(200000) AS t(i)")
        yield opened


def passed_through(session: DuckSession, sql: str, depth: int) -> Rows:
    """A query's rows, handed through the engine ``depth`` times."""

    def batches() -> Iterator[pa.RecordBatch]:
        if depth == 0:
            yield from session.query(sql)
        else:
            yield from session.query(
                "SELECT * FROM inner_rows", {"inner_rows": passed_through(session, sql, depth - 1)}
            )

    return Rows(session.schema(sql), batches)


def test_streams_nested_four_deep_and_joined_give_every_row(lake: Lake) -> None:
    with lake.session() as session:
        rows = passed_through(session, "SELECT i, s FROM t", 4)
        sql = "SELECT count(*) AS n, sum(a.i) AS total FROM a JOIN b ON a.i = b.i JOIN t ON t.i = a.i"
        found = rows_of(session, sql, {"a": rows, "b": passed_through(session, "SELECT i FROM t", 1)})

    assert found == [{"n": 200_000, "total": 200_000 * 199_999 // 2}]


def test_a_stage_fed_by_a_stream_of_the_same_lake_keeps_its_order(lake: Lake) -> None:
    with lake.session() as session:
        rows = passed_through(session, "SELECT i FROM t", 1)
        staged = lake.stage(session, "SELECT i * 2 AS j FROM r", {"r": rows}, table="copied", attempt="a")
        found = session.query(f"SELECT j FROM {staged.relation}").read_all()["j"].to_pylist()
        lake.discard(staged)

    assert found == list(range(0, 400_000, 2))


def test_threads_with_sessions_of_their_own_do_not_disturb_each_other(lake: Lake) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(5):
                with lake.session() as session:
                    name = session.materialise(f"SELECT i FROM t WHERE i % 4 = {number}", sort=["i DESC"])
                    rows = passed_through(session, f"SELECT i FROM {name}", 1)
                    assert rows_of(session, "SELECT count(*) AS n FROM r", {"r": rows}) == [{"n": 50_000}]
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_closing_a_session_frees_what_it_kept(lake: Lake) -> None:
    with lake.session() as session:
        session.materialise("SELECT * FROM t")
        before = attached(lake)
    session.close()

    assert len([name for name in before if name.startswith("tidemill_session")]) == 1
    assert not [name for name in attached(lake) if name.startswith("tidemill_session")]


def attached(lake: Lake) -> list[str]:
    with lake.session() as session:
        return [row["n"] for row in rows_of(session, "SELECT database_name AS n FROM duckdb_databases()")]


def test_a_stream_outlives_its_session(lake: Lake) -> None:
    with lake.session() as session:
        reader = session.query("SELECT i FROM t", rows_per_batch=1000)
        first = reader.read_next_batch().num_rows
    put(lake, "another", "SELECT 1 AS a", run_id=f"outlive-{lake.engine.settings.threads}")
    with lake.session() as newer:
        newer.query("SELECT * FROM another").read_all()

    assert first + sum(batch.num_rows for batch in reader) == 200_000


def test_a_result_larger_than_its_memory_streams_in_little_memory(tmp_path: Path) -> None:
    script = (
        "import resource; from pathlib import Path\n"
        "from tidemill.warehouse.duckdb.lake import open_lake\n"
        f"root = Path({str(tmp_path)!r})\n"
        "lake = open_lake(root / '.tidemill', search_path=root, memory_limit='200MB')\n"
        "session = lake.session()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "sql = \"SELECT i, repeat('x', 100) || i AS s FROM range(6000000) AS t(i)\"\n"
        "rows = sum(batch.num_rows for batch in session.query(sql))\n"
        "print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )

    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    rows, grown = map(int, output.split())
    assert rows == 6_000_000
    assert grown < 350


VALUES = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=20), st.binary(max_size=9)
)


@given(columns=st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_come_back_from_staged_files(lake: Lake, columns: list[list[object]]) -> None:
    arrays = []
    for values in columns:
        try:
            arrays.append(pa.array(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # values of several types make no column
            return
    table = pa.table({f"c{number}": array for number, array in enumerate(arrays)})
    rows = Rows(table.schema, lambda: iter(table.to_batches()))
    with lake.session() as session:
        staged = lake.stage(session, "SELECT * FROM r", {"r": rows}, table="any", attempt="any")
        found = rows_of(session, f"SELECT * FROM {staged.relation}")
        lake.discard(staged)

    assert found == table.to_pylist()


@given(rows=st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.text(max_size=3))), max_size=30))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sorting_by_row_hash_undoes_any_shuffle(lake: Lake, rows: list[tuple[int, str | None]]) -> None:
    def kept(order: list[tuple[int, str | None]]) -> list[dict[str, object]]:
        table = pa.table(
            {"a": pa.array([a for a, _ in order], pa.int64()), "b": pa.array([b for _, b in order], pa.string())}
        )
        relation = Rows(table.schema, lambda: iter(table.to_batches()))
        name = session.materialise("SELECT * FROM r", {"r": relation}, sort=[session.row_hash(["a", "b"])])
        return rows_of(session, f"SELECT * FROM {name}")

    with lake.session() as session:
        assert kept(rows) == kept(rows[::-1]) == kept(sorted(rows, key=str))


def test_one_stage_gives_one_file_with_the_recorded_digest(lake: Lake) -> None:
    import hashlib

    staged = stage(lake, "once", "SELECT * FROM t")
    path = lake.places.lake / staged.files[0].path

    assert len(staged.files) == 1
    assert hashlib.sha256(path.read_bytes()).hexdigest() == staged.files[0].sha256
    assert path.stat().st_size == staged.files[0].bytes
    lake.discard(staged)
    assert not path.exists()


def test_nothing_is_attached_or_loaded_while_a_fresh_lake_commits_and_another_step_looks(tmp_path: Path) -> None:
    seen = []
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path)) as lake:

        def state() -> list[list[tuple[str]]]:
            listed = "SELECT database_name FROM duckdb_databases() ORDER BY 1"
            loaded = "SELECT extension_name FROM duckdb_extensions() WHERE loaded ORDER BY 1"
            with closing(lake.engine.clerk()) as clerk, closing(lake.engine.cursor()) as reader:
                return [clerk.execute(listed).fetchall(), *(one.execute(loaded).fetchall() for one in (clerk, reader))]

        def guard() -> None:
            seen.append(state())
            assert lake.tables() == {}
            seen.append(state())

        lake.make_ready()
        before = state()
        with lake.session() as session:
            staged = lake.stage(session, "SELECT 1 AS i", None, table="t", attempt="a")
        lake.publish(staged, run_id="r", step="s", guard=guard)

    assert seen[0] == seen[1]
    assert seen[0][1:] == before[1:]
    assert ("ducklake",) in before[2]


def snapshots(lake: Lake) -> set[str]:
    """The snapshots that are attached for readers."""
    with closing(lake.engine.cursor()) as cursor:
        rows = cursor.execute("SELECT database_name FROM duckdb_databases() WHERE database_name LIKE 'tidemill_lake_%'")
        return {name for (name,) in rows.fetchall()}


def test_an_old_snapshot_goes_only_when_nobody_lists_all_tables(tmp_path: Path) -> None:
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, threads=1)) as lake:
        put(lake, "a", "SELECT 1 AS i")
        with lake.session() as old:
            assert old.fetch("SELECT i FROM a") == [(1,)]
            listed = old.query("SELECT table_name FROM information_schema.tables", rows_per_batch=1)
            put(lake, "b", "SELECT 2 AS i")
        with lake.session() as new:
            assert new.fetch("SELECT i FROM b") == [(2,)]
        assert len(snapshots(lake)) == 2, "whoever lists still reads"

        assert "a" in listed.read_all()["table_name"].to_pylist()
        assert len(snapshots(lake)) == 1


def test_a_name_that_is_not_there_is_looked_for_again_when_a_snapshot_went_meanwhile(tmp_path: Path) -> None:
    class Cursor:
        """What the engine said to eight threads, of which one published: it cannot be timed."""

        asked = 0

        def execute(self, _sql: str) -> None:
            self.asked += 1
            if self.asked == 1:
                raise duckdb.BinderException('Catalog "__ducklake_metadata_tidemill_lake_9" does not exist!')
            raise duckdb.CatalogException("Table with name gone does not exist!")

    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, threads=1)) as lake, lake.session() as session:
        cursor: Any = Cursor()
        with pytest.raises(duckdb.CatalogException, match="gone"):
            session._executed(cursor, "SELECT * FROM gone")

    assert cursor.asked == 2
