"""Runs, steps, assets and the caches of files."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemill.core.clock import Clock
from tidemill.core.digest import digest_file
from tidemill.core.errors import ConflictError, NotFoundError
from tidemill.sql.statements import Summary
from tidemill.warehouse.control import assets, input_files, leases, runs, source_files
from tidemill.warehouse.control.database import Database, Tx, open_database, sqlite_url
from tidemill.warehouse.control.holders import Holder, this_process

ME = this_process()


def a_run(db: Database, run_id: str = "r1", *steps: str) -> runs.Run:
    run = runs.start_run(db, run_id, holder=ME, selectors=["a", "b+"], full_refresh=True, code_version="0.1")
    runs.plan_steps(
        db, run_id, [runs.NewStep(step=f"{s}@1", asset=s, kind="table", action="build", reason="new") for s in steps]
    )
    return run


def test_a_run_is_read_back_as_it_was_started(db: Database) -> None:
    run = a_run(db)

    assert (run.number, run.status, run.selectors, run.full_refresh) == (1, "running", ("a", "b+"), True)
    assert runs.last_run(db) == runs.get_run(db, "r1") == run
    assert (run.holder.host, run.holder.pid) == (ME.host, ME.pid)


def test_the_same_request_started_twice_is_one_run(db: Database) -> None:
    first = runs.start_run(db, "r1", holder=ME, request_key="double click")

    second = runs.start_run(db, "r2", holder=ME, request_key="double click")

    assert second == first
    assert [run.run_id for run in runs.list_runs(db)] == ["r1"]


def test_runs_are_ordered_by_number_even_when_the_clock_goes_back(db: Database) -> None:
    for run_id in ("z", "m", "a"):
        a_run(db, run_id)

    assert [run.run_id for run in runs.list_runs(db)] == ["a", "m", "z"]
    assert [run.number for run in runs.list_runs(db, limit=2)] == [3, 2]


def test_steps_go_from_pending_to_their_end(db: Database) -> None:
    a_run(db, "r1", "x", "y", "z")
    runs.start_step(db, "r1", "x@1")
    runs.finish_step(db, "r1", "x@1", status="done", seconds=1.5, rows=10, version=3, warnings=["w"])
    runs.finish_step(db, "r1", "y@1", status="skipped", reason="x failed")
    run = runs.finish_run(db, "r1", status="failed", error={"code": "TM-DATA"})

    x, y, z = runs.list_steps(db, "r1")
    assert (x.status, x.seconds, x.rows, x.version, x.warnings, x.reason) == ("done", 1.5, 10, 3, ("w",), "new")
    assert (y.status, y.reason, y.started_at) == ("skipped", "x failed", None)
    assert (z.status, z.number) == ("pending", 3)
    assert (run.status, run.error) == ("failed", {"code": "TM-DATA"})
    assert run.finished_at is not None


def test_a_run_ends_only_once(db: Database) -> None:
    a_run(db)
    runs.finish_run(db, "r1", status="ok")

    with pytest.raises(ConflictError, match="it is ok"):
        runs.finish_run(db, "r1", status="failed")


def test_an_unknown_run_or_step_is_named_with_the_nearest(db: Database) -> None:
    a_run(db, "run-1", "customers")

    with pytest.raises(NotFoundError, match="no run run-2") as caught:
        runs.get_run(db, "run-2")
    assert "run-1" in caught.value.hint
    with pytest.raises(NotFoundError, match="no step") as caught:
        runs.finish_step(db, "run-1", "customer@1", status="done")
    assert "customers@1" in caught.value.hint


def test_a_step_of_a_lost_run_is_settled_once(db: Database) -> None:
    lease = leases.acquire(db, "run", Holder(host="elsewhere", pid=1), run_id="r1", ttl_s=0)
    a_run(db, "r1", "x")
    runs.start_step(db, "r1", "x@1", lease=lease)
    leases.acquire(db, "run", ME, run_id="r2")
    assert [step.asset for step in runs.interrupted_steps(db)] == ["x"]

    runs.settle_step(db, "r1", "x@1", status="resumed")

    assert runs.interrupted_steps(db) == []


def test_a_version_its_asset_and_its_step_commit_together(db: Database) -> None:
    a_run(db, "r1", "x")

    def fail_half_way() -> None:
        with db.write() as tx:
            assets.save_asset(tx, assets.Asset(name="x", kind="table", fingerprint="f"))
            runs.finish_step(tx, "r1", "x@1", status="done")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()

    assert assets.load_assets(db) == {}
    assert runs.list_steps(db, "r1")[0].status == "pending"


def test_an_asset_is_read_back_as_it_was_saved(db: Database) -> None:
    asset = assets.Asset(
        name="Sales.Orders",
        kind="table",
        fingerprint="f",
        version=7,
        parts={"query": "q"},
        reads={"customers": "c", "file data/*.csv": "d"},
        origin="sql",
        file="sql/orders.sql",
        line=3,
        statement="CREATE TABLE x AS SELECT ':a' || '%'",
        dialect="duckdb",
        run_id="r1",
        description_digest="d",
    )
    assets.save_asset(db, asset)

    assert assets.load_assets(db) == {"sales.orders": asset}


def test_names_that_differ_in_case_or_by_the_default_schema_are_one_asset(db: Database) -> None:
    for name, fingerprint in (("orders", "1"), ("ORDERS", "2"), ("main.Orders", "3")):
        assets.save_asset(db, assets.Asset(name=name, kind="table", fingerprint=fingerprint))

    found = assets.load_assets(db)
    assert list(found) == ["orders"]
    assert found["orders"].fingerprint == "3"
    assert assets.remove_asset(db, "Orders")
    assert not assets.remove_asset(db, "orders")


def test_a_lost_lease_keeps_an_asset_from_being_changed(db: Database) -> None:
    lease = leases.acquire(db, "run", Holder(host="elsewhere", pid=1), ttl_s=0)
    leases.acquire(db, "run", ME)

    with pytest.raises(ConflictError):
        assets.save_asset(db, assets.Asset(name="x", kind="table", fingerprint="f"), lease=lease)
    with pytest.raises(ConflictError):
        assets.remove_asset(db, "x", lease=lease)


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
summaries = st.builds(
    Summary,
    file=words,
    line=st.integers(1, 99),
    column=st.integers(1, 99),
    ordinal=st.integers(0, 9),
    kind=st.sampled_from(["table", "model", "select"]),
    name=words,
    digest=words,
    description_digest=words,
    tables=st.lists(words).map(tuple),
    models=st.lists(words).map(tuple),
    files=st.lists(words).map(tuple),
    model_type=words,
    parts=st.dictionaries(words, words),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(summaries, max_size=4))
def test_what_was_parsed_comes_back_equal(db: Database, found: list[Summary]) -> None:
    file = source_files.SourceFile(
        path="sql/a.sql", sha256="s", dialect="duckdb", parser_version="1", summaries=tuple(found)
    )
    source_files.save_source_files(db, [file])

    assert source_files.load_source_files(db) == {"sql/a.sql": file}


def test_a_file_is_fresh_only_for_its_digest_dialect_and_parser(db: Database) -> None:
    file = source_files.SourceFile(path="a", sha256="s", dialect="duckdb", parser_version="1", summaries=())

    assert file.fresh("s", "duckdb", "1")
    assert not file.fresh("t", "duckdb", "1")
    assert not file.fresh("s", "bigquery", "1")
    assert not file.fresh("s", "duckdb", "2")
    source_files.save_source_files(db, [file])
    source_files.forget_source_files(db, ["a", "b"])
    assert source_files.load_source_files(db) == {}


def test_summaries_of_another_shape_are_left_out(db: Database) -> None:
    with db.write() as tx:
        tx.execute("""INSERT INTO source_files VALUES ('a', 's', 'duckdb', '0', '[{"file":"a","lines":[1]}]')""")

    assert source_files.load_source_files(db) == {}


def test_an_untouched_data_file_keeps_its_digest(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    os.utime(path, ns=(1, 1))
    entry = input_files.InputFile.of("a.csv", path.stat(), digest_file(path), hashed_ns=time.time_ns() + 10**10)
    input_files.save_input_files(db, [entry])

    kept = input_files.load_input_files(db)["a.csv"]

    assert kept == entry
    assert kept.matches(path.stat())
    path.write_text("a,b\n1,3\n")
    os.utime(path, ns=(1, 1))  # same size, same modification time: the change of the inode tells
    assert not kept.matches(path.stat())


def test_a_file_hashed_right_after_it_was_written_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a")

    entry = input_files.InputFile.of("a.csv", path.stat(), "s", hashed_ns=time.time_ns())

    assert not entry.matches(path.stat())


def test_data_files_that_are_gone_are_forgotten(db: Database, tmp_path: Path) -> None:
    entry = input_files.InputFile.of("a", tmp_path.stat(), "s", hashed_ns=1)
    input_files.save_input_files(db, [entry])
    input_files.save_input_files(db, [entry])

    input_files.forget_input_files(db, ["a"])

    assert input_files.load_input_files(db) == {}


def test_the_state_of_five_hundred_statements_is_read_in_two_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlite_url(tmp_path / "c.sqlite")
    digest = "0123456789abcdef" * 4
    summary = Summary(
        file="sql/a.sql", line=1, column=1, ordinal=0, kind="table", name="a", digest=digest, description_digest=digest
    )
    with closing(open_database(url, clock=Clock())) as db, db.write() as tx:
        for number in range(500):
            assets.save_asset(
                tx,
                assets.Asset(
                    name=f"table_{number}",
                    kind="table",
                    fingerprint=digest,
                    parts={"query": digest, "options": digest},
                    reads={f"table_{number - 1}": digest},
                    statement="SELECT 1 " * 60,
                ),
            )
        source_files.save_source_files(
            tx,
            [
                source_files.SourceFile(
                    path=f"sql/{number}.sql", sha256=digest, dialect="duckdb", parser_version="1", summaries=(summary,)
                )
                for number in range(500)
            ],
        )

    asked: list[str] = []
    rows = Tx.rows

    def counted(tx: Tx, sql: str, /, **params: Any) -> list[dict[str, Any]]:
        asked.append(sql)
        return rows(tx, sql, **params)

    with closing(open_database(url, clock=Clock())) as db:
        monkeypatch.setattr(Tx, "rows", counted)
        assert len(assets.load_assets(db)) == len(source_files.load_source_files(db)) == 500
    assert len(asked) == 2
