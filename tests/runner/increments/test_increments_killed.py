"""Increments that are killed or raced: no row twice, none lost, and the watermark is that of the rows."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.runner.increments.conftest import KEYED, Shop, outcomes

from tidemill.core.errors import ConflictError, TidemillError
from tidemill.project import open_project
from tidemill.testing.warehouse import put, rows_of, stage
from tidemill.warehouse.duckdb.lake import open_lake
from tidemill.warehouse.protocol import Merge

RUN = "import sys, tidemill; report = tidemill.open(sys.argv[1]).run(); sys.exit(report.exit_status)"
POINTS = (
    "stage.after_sync",
    "publish.after_move",
    "merge.deleted",
    "merge.after_sync",
    "publish.before_commit",
    "publish.after_commit",
    "step.before_record",
)


def run_killed_at(root: Path, point: str) -> None:
    variables = {**os.environ, "TIDEMILL_FAULT": f"{point}:kill"}
    done = subprocess.run([sys.executable, "-c", RUN, str(root)], env=variables, check=False, capture_output=True)
    assert done.returncode == -9, done.stderr


@pytest.mark.parametrize("options", [KEYED, "incremental_by = 'at'"])
def test_an_increment_killed_anywhere_is_taken_in_once(shop: Shop, options: str) -> None:
    shop.orders(options)
    shop.write("CREATE TABLE totals AS SELECT count(*) AS n FROM orders", "totals")
    shop.deliver("data/0.parquet", [(1, 10, 0), (2, 20, 0)])
    shop.run()
    keyed = "unique_key" in options
    points = POINTS if keyed else [point for point in POINTS if not point.startswith("merge.")]
    expected = {1: 10, 2: 20}

    for number, point in enumerate(points, start=1):
        rows: list[tuple[int, float, int | None]] = [(10 + number, 1, number)]
        if keyed:
            rows.append((2, 20 + number, number))
            expected[2] = 20 + number
        expected[10 + number] = 1
        shop.deliver(f"data/{number}.parquet", rows)

        run_killed_at(shop.root, point)
        shop.run()

        assert dict(shop.rows()) == expected, point
        assert shop.rows("SELECT n FROM totals") == [(len(expected),)]
        assert len(shop.rows()) == len(expected)
        assert shop.verify() == []
        assert shop.run().status == "nothing"
        assert len(shop.history()) == number + 1, point
    newest = shop.project.history("orders")[0]
    assert newest.watermark == f"2026-01-{1 + len(points):02} 00:00:00"
    shop.project.warehouse.sweep(older_than_s=0)
    assert shop.verify() == []
    assert dict(shop.rows()) == expected


def test_rows_that_landed_before_the_kill_are_not_read_again_though_more_has_come(shop: Shop) -> None:
    shop.orders("incremental_by = 'at'")
    shop.deliver("data/a.parquet", [(1, 10, 0)])
    shop.run()
    shop.deliver("data/b.parquet", [(2, 20, 1)])
    run_killed_at(shop.root, "publish.after_commit")
    shop.deliver("data/c.parquet", [(3, 30, 2)])

    shop.run()

    assert shop.rows() == [(1, 10), (2, 20), (3, 30)]


def test_rows_that_landed_are_seen_by_readers_though_their_file_was_taken_away(shop: Shop) -> None:
    shop.orders("incremental_by = 'at'")
    shop.write("CREATE TABLE totals AS SELECT count(*) AS n FROM orders", "totals")
    shop.deliver("data/a.parquet", [(1, 10, 0)])
    shop.run()
    shop.deliver("data/b.parquet", [(2, 20, 1)])
    run_killed_at(shop.root, "publish.after_commit")
    (shop.root / "data" / "b.parquet").unlink()

    assert "a run was killed before it wrote down what landed" in shop.plan()["orders"][1]
    assert outcomes(shop.run()) == {"orders": "done", "totals": "done"}

    assert shop.rows("SELECT n FROM totals") == [(2,)]
    assert shop.run().status == "nothing"


def test_of_two_runs_at_once_each_row_is_taken_in_once(shop: Shop) -> None:
    shop.orders("incremental_by = 'at'")
    shop.deliver("data/a.parquet", [(1, 10, 0)])
    shop.run()
    shop.deliver("data/b.parquet", [(2, 20, 1)])
    errors: list[TidemillError] = []

    def run() -> None:
        with open_project(shop.root) as project:
            try:
                project.run(wait_s=60)
            except TidemillError as error:
                errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert shop.rows() == [(1, 10), (2, 20)]
    assert len(shop.history()) == 2


def test_rows_computed_from_a_version_that_is_no_longer_the_newest_are_refused(shop: Shop) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0)])
    shop.run()
    lake = shop.project.warehouse
    with lake.session() as session:
        staged = lake.stage(session, "SELECT * FROM orders", None, table="orders", attempt="late")
    base = lake.tables()["orders"]
    shop.deliver("data/b.parquet", [(2, 20, 1)])
    shop.run()

    with pytest.raises(ConflictError, match="computed from version"):
        lake.merge(staged, Merge(base=base, keys=("id",)), run_id="late", step="s", guard=lambda: None)

    assert shop.rows() == [(1, 10), (2, 20)]
    assert shop.verify() == []
    lake.discard(staged)


def test_a_changed_delete_file_is_found(shop: Shop) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 0)])
    shop.run()
    shop.deliver("data/b.parquet", [(1, 11, 1)])
    shop.run()
    (mark,) = (shop.root / ".tidemill" / "lake" / "data").rglob("*-delete.parquet")
    data = bytearray(mark.read_bytes())
    data[len(data) // 2] ^= 1
    mark.write_bytes(data)

    assert [(problem.what, problem.object) for problem in shop.verify()] == [("changed", "table orders, version 2")]

    mark.unlink()
    assert shop.plan()["orders"] == ("build", "its files are gone or damaged")
    shop.run()
    assert shop.rows() == [(1, 11), (2, 20)]


def test_more_keys_than_fit_into_memory_are_put_aside_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidemill.warehouse.duckdb.engine._ROOM", "96MB")
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path)) as lake:
        first = put(lake, "t", "SELECT 'a long key ' || i AS id, 1 AS n FROM range(600000) AS t(i)")
        every_other = "SELECT 'a long key ' || i AS id, 2 AS n FROM range(0, 800000, 2) AS t(i)"
        new = stage(lake, "t", every_other, attempt="new")

        landed = lake.merge(new, Merge(base=first.version, keys=("id",)), run_id="r2", step="s", guard=lambda: None)

        assert (landed.rows, landed.replaced) == (700_000, 300_000)
        with lake.session() as session:
            assert rows_of(session, "SELECT n, count(*) AS c FROM t GROUP BY n ORDER BY n") == [
                {"n": 1, "c": 300_000},
                {"n": 2, "c": 400_000},
            ]
        assert lake.verify() == []
        spill = lake.places.spill
    assert list(spill.iterdir()) == []
