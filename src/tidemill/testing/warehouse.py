"""The contract of a warehouse, as tests: every implementation of ``warehouse.protocol`` passes them.

A test module of an implementation subclasses `WarehouseContract` and gives a fixture ``open_warehouse``: a function
that opens the same warehouse anew each time it is called.
"""
# A test's name is its sentence.
# ruff: noqa: D102, S101

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tidemill.core.errors import BindError, ConflictError, DataError, NotFoundError, StatementError
from tidemill.core.names import quote_path
from tidemill.core.rows import Rows
from tidemill.warehouse.protocol import (
    ArrowStream,
    DerivedView,
    LogView,
    Merge,
    Session,
    Staged,
    SystemSource,
    TableVersion,
    Warehouse,
)
from tidemill.warehouse.upkeep import Holding

if TYPE_CHECKING:
    import pyarrow as pa

OpenWarehouse = Callable[[], Warehouse]
TEN = "SELECT CAST(i AS BIGINT) AS id, CAST(i AS DOUBLE) / 2 AS x FROM range(10) AS t(i)"


def no_guard() -> None:
    """A guard that lets everything pass."""


def rows_of(session: Session, sql: str, relations: Mapping[str, ArrowStream] | None = None) -> list[dict[str, Any]]:
    """A query's rows as plain values."""
    rows: list[dict[str, Any]] = session.query(sql, relations).read_all().to_pylist()
    return rows


def stage(warehouse: Warehouse, table: str, sql: str, *, attempt: str = "attempt") -> Staged:
    """Stage a query in a session of its own."""
    with warehouse.session() as session:
        return warehouse.stage(session, sql, None, table=table, attempt=attempt)


def put(warehouse: Warehouse, table: str, sql: str, *, run_id: str = "run-1", step: str = "") -> TableVersion:
    """Stage a query and publish it."""
    return warehouse.publish(stage(warehouse, table, sql), run_id=run_id, step=step or f"table:{table}", guard=no_guard)


def count(warehouse: Warehouse, table: str) -> int:
    """A table's rows, counted by reading it."""
    with warehouse.session() as session:
        return int(rows_of(session, f"SELECT count(*) AS n FROM {table}")[0]["n"])


def erase(warehouse: Warehouse, condition: str, *, erasure: str = "erasure-1") -> list[Holding]:
    """Take the rows of which a condition is true out of every table with a column id; the files that had some."""

    def meant(_: str, columns: Sequence[str]) -> str:
        return condition if "id" in columns else ""

    held = warehouse.upkeep.holding(meant)
    warehouse.upkeep.erase(held, meant, erasure=erasure, guard=no_guard)
    return warehouse.upkeep.holding(meant)


class Lost(Exception):  # noqa: N818
    """What a guard raises in these tests."""


class WarehouseContract:
    """What must hold of every warehouse."""

    @pytest.fixture
    def open_warehouse(self) -> OpenWarehouse:
        """Give a function that opens the warehouse under test; subclasses say how."""
        raise NotImplementedError

    @pytest.fixture
    def warehouse(self, open_warehouse: OpenWarehouse) -> Iterator[Warehouse]:
        """The warehouse under test, empty."""
        with closing(open_warehouse()) as opened:
            yield opened

    def test_an_empty_warehouse_has_no_tables_and_runs_queries(self, warehouse: Warehouse) -> None:
        assert warehouse.tables() == {}
        assert warehouse.landed("run-1", "table:t") is None
        assert warehouse.verify() == []
        assert warehouse.sweep(older_than_s=0) == []
        with warehouse.session() as session:
            assert rows_of(session, "SELECT 1 AS one") == [{"one": 1}]

    def test_published_rows_are_those_of_the_query_in_its_order(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", "SELECT i AS id FROM range(200000) AS t(i) ORDER BY i DESC")

        with warehouse.session() as session:
            ids = session.query("SELECT id FROM t").read_all()["id"].to_pylist()
        assert ids == list(range(199_999, -1, -1))

    def test_staged_rows_are_seen_by_nobody_but_under_their_relation(self, warehouse: Warehouse) -> None:
        staged = stage(warehouse, "t", TEN)

        assert (staged.table, staged.rows, len(staged.files[0].sha256)) == ("t", 10, 64)
        assert (staged.columns[0].name, staged.columns[0].type) == ("id", "BIGINT")
        assert warehouse.tables() == {}
        with warehouse.session() as session:
            assert rows_of(session, f"SELECT sum(x) AS s FROM {staged.relation}")[0]["s"] == 22.5
            with pytest.raises(BindError):
                session.query("SELECT * FROM t")

    def test_discarded_rows_leave_nothing_to_sweep(self, warehouse: Warehouse) -> None:
        warehouse.discard(stage(warehouse, "t", TEN))

        assert warehouse.sweep(older_than_s=0) == []

    def test_a_session_keeps_its_snapshot_while_others_publish(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", TEN, run_id="a")
        with warehouse.session() as before:
            put(warehouse, "t", "SELECT 1 AS id", run_id="b")
            put(warehouse, "u", "SELECT 1 AS id", run_id="b")

            assert rows_of(before, "SELECT count(*) AS n FROM t") == [{"n": 10}]
            with pytest.raises(BindError):
                before.query("SELECT * FROM u")
        assert count(warehouse, "t") == 1

    def test_old_versions_stay_readable_by_number(self, warehouse: Warehouse) -> None:
        first = put(warehouse, "t", TEN, run_id="a")
        second = put(warehouse, "t", "SELECT 'other' AS word", run_id="b")

        with warehouse.session() as session:
            assert len(rows_of(session, f"SELECT * FROM t AT (VERSION => {first.version})")) == 10
            assert rows_of(session, f"SELECT * FROM t AT (VERSION => {second.version})") == [{"word": "other"}]
        assert [column.name for column in warehouse.columns("t", first.version)] == ["id", "x"]
        assert [column.name for column in warehouse.columns("t")] == ["word"]
        assert [version.run_id for version in warehouse.history("t")] == ["b", "a"]
        assert [version.rows for version in warehouse.history("t")] == [1, 10]

    def test_a_session_reads_exactly_the_past_snapshot_it_is_asked_for(self, warehouse: Warehouse) -> None:
        first = put(warehouse, "t", TEN, run_id="a")
        put(warehouse, "t", "SELECT 1 AS id", run_id="b")
        warehouse.drop("t", run_id="c", step="drop", guard=no_guard)
        put(warehouse, "u", "SELECT 1 AS id", run_id="d")

        with warehouse.session(at=first.version) as past, warehouse.session() as now:
            assert past.version == first.version
            assert rows_of(past, "SELECT count(*) AS n FROM t") == [{"n": 10}]
            with pytest.raises(BindError):
                past.query("SELECT * FROM u")
            with pytest.raises(BindError):
                now.query("SELECT * FROM t")
        assert warehouse.tables(first.version) == {"t": first.version}
        warehouse.require_intact(["t"], first.version)

    def test_a_snapshot_that_never_was_is_refused(self, warehouse: Warehouse) -> None:
        with pytest.raises(NotFoundError, match="no snapshot 7"):
            warehouse.session(at=7)
        put(warehouse, "t", TEN)
        with pytest.raises(NotFoundError, match="no snapshot 99"):
            warehouse.session(at=99)

    def test_a_session_knows_its_snapshot(self, warehouse: Warehouse) -> None:
        with warehouse.session() as empty:
            assert empty.version is None
        made = put(warehouse, "t", TEN)
        with warehouse.session() as session:
            assert session.version == made.version

    def test_a_second_publish_of_the_same_step_returns_the_first(self, warehouse: Warehouse) -> None:
        first = put(warehouse, "t", TEN, run_id="a")
        again = put(warehouse, "t", "SELECT 1 AS id", run_id="a")

        assert again == first == warehouse.landed("a", "table:t")
        assert count(warehouse, "t") == 10
        assert warehouse.sweep(older_than_s=0) == []

    def test_a_guard_that_raises_leaves_nothing_visible(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", TEN, run_id="a")
        staged = stage(warehouse, "t", "SELECT 1 AS id")

        def guard() -> None:
            raise Lost

        with pytest.raises(Lost):
            warehouse.publish(staged, run_id="b", step="table:t", guard=guard)

        assert count(warehouse, "t") == 10
        assert warehouse.landed("b", "table:t") is None
        assert warehouse.publish(staged, run_id="b", step="table:t", guard=no_guard).rows == 1
        assert count(warehouse, "t") == 1

    def test_appended_rows_join_those_that_are_there(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", TEN, run_id="a")
        more = stage(warehouse, "t", "SELECT CAST(99 AS BIGINT) AS id, CAST(0.5 AS DOUBLE) AS x")

        version = warehouse.append(more, run_id="b", step="table:t", guard=no_guard)

        assert version.rows == 11
        assert count(warehouse, "t") == 11
        assert sum(file.rows for file in warehouse.files("t")) == 11
        assert sum(file.rows for file in warehouse.files("t", warehouse.history("t")[-1].version)) == 10

    def test_an_append_to_a_missing_table_creates_it(self, warehouse: Warehouse) -> None:
        warehouse.append(stage(warehouse, "t", TEN), run_id="a", step="table:t", guard=no_guard)

        assert count(warehouse, "t") == 10

    def test_an_append_of_no_rows_leaves_the_table_as_it_is(self, warehouse: Warehouse) -> None:
        version = put(warehouse, "t", TEN, run_id="a")
        nothing = stage(warehouse, "t", f"{TEN} WHERE false")

        assert warehouse.append(nothing, run_id="b", step="table:t", guard=no_guard) == version
        assert warehouse.history("t") == [version]
        assert warehouse.sweep(older_than_s=0) == []

    def test_an_append_of_other_columns_is_refused_by_name(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", TEN)
        other = stage(warehouse, "t", "SELECT 1 AS id, 'a' AS y")

        with pytest.raises(StatementError, match="x") as caught:
            warehouse.append(other, run_id="b", step="table:t", guard=no_guard)

        assert caught.value.facts["extra"] == ["y"]
        assert count(warehouse, "t") == 10

    def test_merged_rows_take_the_place_of_those_with_their_keys(self, warehouse: Warehouse) -> None:
        first = put(warehouse, "t", TEN)
        new = stage(warehouse, "t", "SELECT i AS id, CAST(-1 AS DOUBLE) AS x FROM range(8, 12) AS t(i)", attempt="new")
        gone = stage(warehouse, "t", "SELECT CAST(0 AS BIGINT) AS id", attempt="gone")
        merge = Merge(base=first.version, keys=("id",), gone=gone, deletes=1)

        landed = warehouse.merge(new, merge, run_id="run-2", step="t", guard=no_guard, state={"files": {"b": "2"}})

        assert (landed.rows, landed.added, landed.replaced, landed.deleted) == (11, 4, 2, 1)
        with warehouse.session() as session:
            assert rows_of(session, "SELECT sum(id) AS ids, sum(x) AS x FROM t") == [{"ids": 66, "x": 10.0}]
            older = rows_of(session, f"SELECT count(*) AS n FROM t AT (VERSION => {first.version})")
            assert older == [{"n": 10}]
        assert count(warehouse, "t") == 11
        assert warehouse.verify() == []

    def test_what_commits_say_of_a_table_adds_up_until_it_is_made_anew(self, warehouse: Warehouse) -> None:
        staged = stage(warehouse, "t", TEN)
        state = {"watermark": "1", "files": {"a": "1"}}
        first = warehouse.publish(staged, run_id="r1", step="t", guard=no_guard, state=state)
        new = stage(warehouse, "t", "SELECT CAST(10 AS BIGINT) AS id, CAST(1 AS DOUBLE) AS x", attempt="new")
        later = {"watermark": "2", "files": {"b": "2"}}
        warehouse.merge(new, Merge(base=first.version), run_id="r2", step="t", guard=no_guard, state=later)

        assert warehouse.state("t") == {"watermark": "2", "files": {"a": "1", "b": "2"}}
        assert warehouse.state("t", first.version) == state
        put(warehouse, "t", TEN, run_id="r3")
        assert warehouse.state("t") == {}
        assert warehouse.state("u") is None

    def test_rows_merged_into_another_version_than_they_came_from_are_refused(self, warehouse: Warehouse) -> None:
        first = put(warehouse, "t", TEN)
        put(warehouse, "t", TEN, run_id="run-2")
        new = stage(warehouse, "t", TEN, attempt="new")

        with pytest.raises(ConflictError, match="computed from version"):
            warehouse.merge(new, Merge(base=first.version, keys=("id",)), run_id="r3", step="t", guard=no_guard)

        assert count(warehouse, "t") == 10
        warehouse.discard(new)

    def test_a_dropped_table_is_gone_but_its_versions_are_not(self, warehouse: Warehouse) -> None:
        version = put(warehouse, "t", TEN).version
        warehouse.drop("t", run_id="b", step="drop:t", guard=no_guard)
        warehouse.drop("t", run_id="b", step="drop:t", guard=no_guard)

        assert warehouse.tables() == {}
        with pytest.raises(NotFoundError):
            warehouse.columns("t")
        with warehouse.session() as session:
            with pytest.raises(BindError):
                session.query("SELECT * FROM t")
            assert len(rows_of(session, f"SELECT * FROM t AT (VERSION => {version})")) == 10

    def test_a_table_may_come_back_after_a_drop(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", TEN, run_id="a")
        warehouse.drop("t", run_id="b", step="drop:t", guard=no_guard)
        put(warehouse, "t", "SELECT 7 AS seven", run_id="c")

        assert count(warehouse, "t") == 1
        assert [version.run_id for version in warehouse.history("t")] == ["c", "a"]

    def test_unknown_tables_are_named_with_the_nearest(self, warehouse: Warehouse) -> None:
        put(warehouse, "customers", TEN)

        with pytest.raises(NotFoundError) as caught:
            warehouse.history("custmers")
        assert "customers" in caught.value.hint
        with warehouse.session() as session, pytest.raises(BindError) as unknown:
            session.query("SELECT * FROM custmers")
        assert "customers" in unknown.value.hint
        with pytest.raises(NotFoundError):
            warehouse.drop("custmers", run_id="b", step="drop", guard=no_guard)

    def test_tables_of_a_dataset_stand_apart_from_others(self, warehouse: Warehouse) -> None:
        put(warehouse, "sales.t", "SELECT 1 AS a")
        put(warehouse, "t", "SELECT 2 AS a")

        with warehouse.session() as session:
            assert rows_of(session, "SELECT s.a AS s, t.a AS t FROM sales.t AS s, t") == [{"s": 1, "t": 2}]
        assert sorted(warehouse.tables()) == ["sales.t", "t"]

    @pytest.mark.parametrize("name", ["Größe", "with space", 'quo"te', "select", "😀", "a-b", "x" * 200])
    def test_odd_table_and_column_names_come_back_as_they_went(self, warehouse: Warehouse, name: str) -> None:
        quoted = '"' + name.replace('"', '""') + '"'
        put(warehouse, name, f"SELECT 1 AS {quoted}")

        assert list(warehouse.tables()) == [name]
        with warehouse.session() as session:
            assert rows_of(session, f"SELECT * FROM {quoted}") == [{name: 1}]
        assert [column.name for column in warehouse.columns(name)] == [name]

    def test_names_that_differ_in_case_are_one_table(self, warehouse: Warehouse) -> None:
        put(warehouse, "Orders", TEN, run_id="a")
        put(warehouse, "orders", "SELECT 1 AS a", run_id="b")

        assert len(warehouse.tables()) == 1
        assert len(warehouse.history("ORDERS")) == 2

    def test_columns_that_cannot_be_told_apart_are_refused(self, warehouse: Warehouse) -> None:
        for sql in ("SELECT 1 AS a, 2 AS a", "SELECT 1 AS a, 2 AS A"):
            with pytest.raises(BindError, match=r"[aA]"):
                stage(warehouse, "t", sql)
        assert warehouse.sweep(older_than_s=0) == []

    def test_a_result_without_rows_is_a_table_without_rows(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", f"{TEN} WHERE false")

        assert count(warehouse, "t") == 0
        assert [column.name for column in warehouse.columns("t")] == ["id", "x"]

    def test_a_query_that_fails_half_way_leaves_no_files(self, warehouse: Warehouse) -> None:
        sql = "SELECT CAST(CASE WHEN i = 300000 THEN 'x' ELSE '1' END AS INTEGER) AS a FROM range(400000) AS t(i)"
        with pytest.raises(DataError):
            stage(warehouse, "t", sql)

        assert warehouse.sweep(older_than_s=0) == []

    def test_the_schema_of_a_query_is_that_of_its_result(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", TEN)
        with warehouse.session() as session:
            sql = "SELECT id, x, CAST(id AS VARCHAR) AS s, x > 1 AS b FROM t"
            assert session.schema(sql) == session.query(sql).schema

    def test_kept_results_can_be_read_twice_and_in_order(self, warehouse: Warehouse) -> None:
        with warehouse.session() as session:
            name = session.materialise("SELECT i AS id FROM range(5000) AS t(i)", sort=["-id"])
            for _ in range(2):
                assert session.query(f"SELECT id FROM {name}").read_all()["id"].to_pylist() == list(range(4999, -1, -1))

    def test_row_hashes_depend_on_values_and_names_alone(self, warehouse: Warehouse) -> None:
        with warehouse.session() as session:
            both, turned, one = (session.row_hash(names) for names in (["id", "x"], ["x", "id"], ["id"]))
            hashes = rows_of(session, f"SELECT {both} AS a, {turned} AS b, {one} AS c FROM ({TEN}) ORDER BY id")
            name = session.materialise(TEN, sort=["-id"])
            again = rows_of(session, f"SELECT {both} AS a FROM {name} ORDER BY id")

        assert [row["a"] for row in hashes] == [row["b"] for row in hashes] == [row["a"] for row in again]
        assert len({row["a"] for row in hashes}) == 10
        assert all(0 <= row["a"] < 2**64 for row in hashes)
        assert [row["a"] for row in hashes] != [row["c"] for row in hashes]

    def test_relations_are_read_as_tables_as_often_as_asked(self, warehouse: Warehouse) -> None:
        relation = numbers(1000)
        with warehouse.session() as session:
            sql = "SELECT count(*) AS n, sum(a.i) AS s FROM numbers AS a JOIN numbers AS b ON a.i = b.i"
            assert rows_of(session, sql, {"numbers": relation})[0]["n"] == 1000
            name = session.materialise("SELECT i FROM numbers", {"numbers": relation})
            assert len(rows_of(session, f"SELECT * FROM {name}")) == 1000
            assert session.schema("SELECT i FROM numbers", {"numbers": relation}).names == ["i"]
            staged = warehouse.stage(session, "SELECT i FROM numbers", {"numbers": relation}, table="t", attempt="a")
        assert staged.rows == 1000

    def test_a_relation_may_itself_read_from_the_session(self, warehouse: Warehouse) -> None:
        import pyarrow as pa

        put(warehouse, "t", "SELECT i AS i FROM range(300000) AS t(i)")
        with warehouse.session() as session:

            def doubled() -> Iterator[pa.RecordBatch]:
                for batch in session.query("SELECT i FROM t"):
                    yield pa.record_batch([pa.array(batch["i"].to_numpy() * 2)], names=["j"])

            inner = Rows(pa.schema([("j", pa.int64())]), doubled)
            sql = "SELECT count(*) AS n, max(d.j) AS m FROM doubled AS d JOIN t ON t.i = d.j"
            assert rows_of(session, sql, {"doubled": inner}) == [{"n": 150_000, "m": 299_998}]

    def test_an_error_inside_a_relation_arrives_as_it_was_raised(self, warehouse: Warehouse) -> None:
        import pyarrow as pa

        error = DataError("row 7 is wrong", hint="mend row 7", row=7)

        def failing() -> Iterator[pa.RecordBatch]:
            yield pa.record_batch([pa.array([1])], names=["i"])
            raise error

        relation = {"r": Rows(pa.schema([("i", pa.int64())]), failing)}
        with warehouse.session() as session:
            with pytest.raises(DataError) as read:
                session.query("SELECT sum(i) FROM r", relation).read_all()
            with pytest.raises(DataError) as staged:
                warehouse.stage(session, "SELECT i FROM r", relation, table="t", attempt="a")
        assert read.value is staged.value is error

    def test_an_abandoned_stream_frees_its_session(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", "SELECT i FROM range(1000000) AS t(i)")
        with warehouse.session() as session:
            reader = session.query("SELECT * FROM t", rows_per_batch=1000)
            assert reader.read_next_batch().num_rows <= 2048
            del reader
            assert rows_of(session, "SELECT count(*) AS n FROM t") == [{"n": 1_000_000}]

    def test_system_tables_are_read_when_a_query_names_them(self, warehouse: Warehouse) -> None:
        import pyarrow as pa

        calls = []

        def runs() -> pa.Table:
            calls.append(1)
            return pa.table({"run_id": [f"run-{len(calls)}"]})

        with warehouse.session(system={"runs": runs}) as session:
            session.query("SELECT 1").read_all()
            assert calls == []
            assert rows_of(session, "SELECT * FROM tidemill.runs") == [{"run_id": "run-1"}]
            assert rows_of(session, 'SELECT r.run_id FROM "TIDEMILL"."Runs" AS r') == [{"run_id": "run-2"}]
            with pytest.raises(BindError) as unknown:
                session.query("SELECT * FROM tidemill.rus")
        assert unknown.value.hint == "did you mean tidemill.runs?"

    def test_a_log_shows_the_rows_that_rest_here_and_those_on_their_way(self, warehouse: Warehouse) -> None:
        import pyarrow as pa

        asked: list[str | None] = []

        def tail(newest: TableVersion | None) -> pa.Table:
            asked.append(newest.message if newest is not None else None)
            return pa.table({"x": pa.array([100], pa.int64())})

        table = "tidemill_log.events"
        view = LogView(table=table, tables=(table,), sql="SELECT x, x > 50 AS late FROM {rows}", tail=tail)
        query = "SELECT x, late FROM tidemill.events ORDER BY x"
        with warehouse.session(system={"events": view}) as session:
            assert rows_of(session, query) == [{"x": 100, "late": True}]
            staged = warehouse.stage(session, "SELECT 1::BIGINT AS x", None, table=table, attempt="a", system=True)
            with pytest.raises(BindError, match="taken by the system"):
                warehouse.stage(session, "SELECT 1 AS x", None, table=table, attempt="b")
        landed = warehouse.append(staged, run_id="batch-1", step="collect", guard=no_guard, message="up to 1")
        assert warehouse.newest([table, "t"]) == landed
        assert warehouse.newest([table], landed.version - 1) is None
        with warehouse.session(system={"events": view}) as session:
            assert rows_of(session, query) == [{"x": 1, "late": False}, {"x": 100, "late": True}]
        assert asked == [None, "up to 1"]

    def test_a_system_table_may_be_a_query_over_others(self, warehouse: Warehouse) -> None:
        import pyarrow as pa

        put(warehouse, "t", "SELECT 1::BIGINT AS x")
        asked: list[str] = []

        def rows(name: str, value: int) -> Callable[[], pa.Table]:
            def read() -> pa.Table:
                asked.append(name)
                return pa.table({"x": pa.array([value], pa.int64())})

            return read

        sums = DerivedView(reads=("a", "b"), sql="SELECT a.x + b.x AS x FROM tidemill.a CROSS JOIN tidemill.b")
        system: dict[str, SystemSource] = {"a": rows("a", 1), "b": rows("b", 2), "sums": sums}
        with warehouse.session(system=system) as session:
            assert rows_of(session, "SELECT t.x, sums.x AS sum FROM t, tidemill.sums") == [{"x": 1, "sum": 3}]
        assert asked == ["a", "b"]

    def test_a_log_of_the_system_may_get_new_columns(self, warehouse: Warehouse) -> None:
        for number, columns in enumerate(["1::BIGINT AS x", "2::BIGINT AS x, 3::BIGINT AS y"]):
            with warehouse.session() as session:
                staged = warehouse.stage(
                    session, f"SELECT {columns}", None, table="tidemill_log.t", attempt=f"a{number}", system=True
                )
            warehouse.append(staged, run_id=f"batch-{number}", step="collect", guard=no_guard)
        with warehouse.session() as session:
            assert rows_of(session, "FROM tidemill_log.t ORDER BY x") == [{"x": 1, "y": None}, {"x": 2, "y": 3}]

    def test_steps_side_by_side_all_land(self, warehouse: Warehouse) -> None:
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(3):
                    put(warehouse, f"t{number}", f"SELECT {turn} AS turn FROM range(1000)", run_id=f"run-{turn}")
            except BaseException as error:
                failures.append(error)
                raise

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failures == []
        assert sorted(warehouse.tables()) == ["t0", "t1", "t2", "t3"]
        assert all(len(warehouse.history(f"t{number}")) == 3 for number in range(4))
        assert warehouse.verify() == []

    def test_what_was_published_is_there_after_reopening(self, open_warehouse: OpenWarehouse) -> None:
        with closing(open_warehouse()) as first:
            version = put(first, "t", TEN)
        with closing(open_warehouse()) as second:
            assert second.tables() == {"t": version.version}
            assert second.landed("run-1", "table:t") == version
            assert count(second, "t") == 10
            assert second.verify() == []

    def test_only_queries_pass_through_a_session(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", TEN)
        with warehouse.session() as session:
            for sql in ("DROP TABLE t", "CREATE TABLE u AS SELECT 1", "SELECT 1; SELECT 2", "SET threads = 1", ""):
                with pytest.raises(StatementError):
                    session.query(sql)
            for sql in ("SELECT nope FROM t", "SELEC 1", "SELECT nope(1)"):
                with pytest.raises(StatementError):
                    session.schema(sql)
        assert count(warehouse, "t") == 10

    def test_erased_rows_are_gone_from_every_snapshot_and_all_others_stay_in_their_order(
        self, warehouse: Warehouse
    ) -> None:
        put(warehouse, "t", "SELECT i AS id, 'a' AS word FROM range(9) AS t(i) ORDER BY i DESC", run_id="a")
        warehouse.append(stage(warehouse, "t", word("b", 20, 24)), run_id="b", step="t", guard=no_guard)
        merge_words(warehouse, "t", word("c", 2, 6), gone="SELECT CAST(8 AS BIGINT) AS id", run_id="c")
        put(warehouse, "u", word("d", 0, 4), run_id="d")
        put(warehouse, "t", "SELECT 'another' AS other", run_id="e")
        before = rows_at_each(warehouse)

        erase(warehouse, "id IN (3, 8, 21)")

        after = rows_at_each(warehouse)
        kept = {
            version: {table: [row for row in rows if row.get("id") not in {3, 8, 21}] for table, rows in tables.items()}
            for version, tables in before.items()
        }
        assert {version: after[version] for version in before} == kept
        assert after[max(after)] == kept[max(kept)]

    def test_history_counts_as_if_erased_rows_had_never_been(self, warehouse: Warehouse) -> None:
        for table, there in (("t", "true"), ("never", "id NOT IN (3, 8, 21)")):
            only = f"SELECT * FROM ({{}}) WHERE {there}"
            put(warehouse, table, only.format(word("a", 0, 9)), run_id="a")
            more = stage(warehouse, table, only.format(word("b", 20, 24)))
            warehouse.append(more, run_id="b", step=table, guard=no_guard)
            gone = only.format("SELECT CAST(i AS BIGINT) AS id FROM range(7, 9) AS t(i)")
            merge_words(warehouse, table, only.format(word("c", 2, 6)), gone=gone, run_id="c")

        erase(warehouse, "id IN (3, 8, 21)")

        said, expected = (
            [(one.action, one.rows, one.added, one.replaced, one.deleted) for one in warehouse.history(table)]
            for table in ("t", "never")
        )
        assert said == expected
        assert count(warehouse, "t") == warehouse.history("t")[0].rows

    def test_files_with_erased_rows_wait_for_the_clean_up_and_go(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", TEN)
        put(warehouse, "u", TEN)
        put(warehouse, "other", "SELECT CAST(7 AS BIGINT) AS id", run_id="b")

        left = erase(warehouse, "id = 3")

        assert [(one.rows, one.read) for one in left] == [(1, False), (1, False)]
        assert warehouse.verify() == []
        assert warehouse.upkeep.clean_up(older_than_s=3600).waiting_files == 2
        assert warehouse.upkeep.clean_up(older_than_s=0).files == 2
        assert erase(warehouse, "id = 3", erasure="again") == []
        assert warehouse.verify() == []
        assert warehouse.sweep(older_than_s=0) == []
        assert [count(warehouse, table) for table in ("t", "u", "other")] == [9, 9, 1]

    def test_a_guard_that_raises_leaves_every_row_where_it_is(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", TEN)

        def meant(_: str, __: Sequence[str]) -> str:
            return "id = 3"

        def guard() -> None:
            raise Lost

        with pytest.raises(Lost):
            warehouse.upkeep.erase(warehouse.upkeep.holding(meant), meant, erasure="e", guard=guard)

        assert count(warehouse, "t") == 10
        assert warehouse.verify() == []
        assert warehouse.sweep(older_than_s=0) == []

    def test_rows_that_come_after_an_erasure_are_found_with_those_before(self, warehouse: Warehouse) -> None:
        put(warehouse, "t", word("m", 0, 9), run_id="a")
        merge_words(warehouse, "t", word("q", 2, 6), gone="SELECT CAST(8 AS BIGINT) AS id", run_id="b")
        erase(warehouse, "id NOT IN (4, 7)")

        warehouse.append(stage(warehouse, "t", word("z", 30, 32)), run_id="c", step="t", guard=no_guard)
        merge_words(warehouse, "t", word("a", 3, 5), gone="SELECT CAST(31 AS BIGINT) AS id", run_id="d")

        found = {}
        with warehouse.session() as session:
            for condition in ("word < 'b'", "word = 'm'", "word > 'p'", "id < 4", "id = 7", "id > 7", "id = 31"):
                rows = rows_of(session, f"SELECT id, word FROM t WHERE {condition} ORDER BY id")
                found[condition] = [f"{row['id']}{row['word']}" for row in rows]
        assert found == {
            "word < 'b'": ["3a", "4a"],
            "word = 'm'": ["7m"],
            "word > 'p'": ["30z"],
            "id < 4": ["3a"],
            "id = 7": ["7m"],
            "id > 7": ["30z"],
            "id = 31": [],
        }
        newest = warehouse.history("t")[0]
        assert (newest.rows, newest.added, newest.replaced, newest.deleted) == (4, 2, 1, 1)


def word(text: str, first: int, end: int) -> str:
    """A query of the ids from ``first`` up to before ``end``, each with a word."""
    return f"SELECT CAST(i AS BIGINT) AS id, '{text}' AS word FROM range({first}, {end}) AS t(i)"


def merge_words(warehouse: Warehouse, table: str, sql: str, *, gone: str, run_id: str) -> None:
    """Merge a query's rows into a table by id, and take those of another's ids away."""
    new, taken = stage(warehouse, table, sql, attempt="new"), stage(warehouse, table, gone, attempt="gone")
    merge = Merge(base=warehouse.tables()[table], keys=("id",), gone=taken, deletes=taken.rows)
    warehouse.merge(new, merge, run_id=run_id, step=table, guard=no_guard)


def rows_at_each(warehouse: Warehouse) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """Every snapshot's tables, and their rows in order."""
    found: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for snapshot in warehouse.upkeep.snapshots():
        with warehouse.session(at=snapshot.version) as session:
            tables = warehouse.tables(snapshot.version)
            found[snapshot.version] = {table: rows_of(session, f"FROM {quote_path(table)}") for table in tables}
    return found


def numbers(rows: int) -> Rows:
    """A relation of the numbers below ``rows``, in two batches."""
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        half = rows // 2
        for part in (range(half), range(half, rows)):
            yield pa.record_batch([pa.array(part, pa.int64())], names=["i"])

    return Rows(pa.schema([("i", pa.int64())]), batches)
