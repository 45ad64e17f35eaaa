"""A collector killed anywhere, and begun anew, has carried over every record once; a full disk or a lock costs none."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.serving.log.conftest import (
    Child,
    collector,
    environment,
    ids,
    killed_after,
    label,
    prediction,
    select,
    start_server,
    write,
)

from tidemill.serving.log.records import LabelRow
from tidemill.serving.log.spool import segments
from tidemill.warehouse.duckdb.lake import Lake, open_lake
from tidemill.warehouse.duckdb.locks import write_lock

# A batch makes two commits, of labels and of predictions: the second pass of a point is in the second one.
POINTS = [
    "collect.after_read",
    "stage.before_copy",
    "collect.staged",
    "publish.after_move",
    "publish.before_commit",
    "publish.after_commit",
    "collect.between",
    "stage.before_copy:2",
    "collect.staged:2",
    "publish.after_move:2",
    "publish.before_commit:2",
    "publish.after_commit:2",
    "collect.landed",
]


@pytest.fixture
def full_spool(spool: Path) -> Path:
    """Two segments: ten predictions and three labels."""
    write(spool, *(prediction(number) for number in range(5)), label(1, LabelRow(id="r1", label="no")))
    write(
        spool,
        label(2, LabelRow(id="r2", label="no"), LabelRow(id="r3", label="yes")),
        *(prediction(number) for number in range(5, 10)),
        worker="w1",
    )
    return spool


def assert_all_is_there_once(root: Path, spool: Path) -> None:
    with closing(open_lake(root / ".tidemill", search_path=root, threads=1)) as lake:
        check(lake, spool)


def check(lake: Lake, spool: Path) -> None:
    assert ids(lake, spool) == [f"r{number}" for number in range(10)]
    labels = select(lake, spool, "SELECT prediction_id FROM tidemill.labels ORDER BY 1")
    assert [row["prediction_id"] for row in labels] == ["r1", "r2", "r3"]


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_loses_and_doubles_nothing(tmp_path: Path, full_spool: Path, child: Child, point: str) -> None:
    name, _, turn = point.partition(":")
    killed = child("collect", fault=f"{name}:kill:{turn or 1}")
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    assert_all_is_there_once(tmp_path, full_spool)

    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, threads=1)) as lake:
        collector(lake, full_spool, grace_s=0).collect()
        assert segments(full_spool) == {}
        check(lake, full_spool)
        raw = select(lake, full_spool, "SELECT count(*) AS n FROM tidemill_log.labels")
        assert raw == [{"n": 3}]
        lake.sweep(older_than_s=0)
        assert lake.verify() == []


def test_a_kill_while_segments_are_removed_loses_nothing(tmp_path: Path, full_spool: Path, lake: Lake) -> None:
    script = (
        "import sys; from contextlib import closing; from pathlib import Path\n"
        "from tests.serving.log.conftest import collector; from tidemill.warehouse.duckdb.lake import open_lake\n"
        f"root, spool = Path({str(tmp_path)!r}), Path({str(full_spool)!r})\n"
        "with closing(open_lake(root / '.tidemill', search_path=root, threads=1)) as lake:\n"
        "    collector(lake, spool, grace_s=0).collect()\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script], env=environment("collect.before_unlink:kill:2"), check=False, timeout=60
    )

    assert killed.returncode == -signal.SIGKILL
    assert len(segments(full_spool)) == 1
    check(lake, full_spool)
    assert collector(lake, full_spool, grace_s=0).collect().bytes == 0
    check(lake, full_spool)


def test_collectors_killed_again_and_again_beside_a_server_lose_and_double_nothing(
    tmp_path: Path, spool: Path, child: Child
) -> None:
    server = start_server(tmp_path)
    assert server.stdout is not None
    server.stdout.readline()
    for point in ("collect.between", "publish.after_commit", "collect.staged", "publish.after_commit"):
        killed = child("collect", fault=f"{point}:kill")
        assert killed.returncode in {-signal.SIGKILL, 0}, killed.stderr
    acknowledged = killed_after(server, 1)

    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, threads=1)) as lake:
        collector(lake, spool, grace_s=0).collect()
        found = select(
            lake,
            spool,
            "SELECT count(*) AS n, count(DISTINCT id) AS ids, count(*) FILTER (id IS NULL) AS bad FROM"
            " tidemill.predictions",
        )[0]
        labels = select(lake, spool, "SELECT count(*) AS n FROM tidemill_log.labels")[0]["n"]
    assert found["n"] == found["ids"] > acknowledged
    assert labels in {(found["n"] + 2) // 3, (found["n"] + 2) // 3 - 1}


@pytest.mark.parametrize("point", ["stage.before_copy", "stage.before_sync", "publish.after_move", "collect.staged"])
def test_a_disk_that_is_full_while_collecting_loses_nothing(
    tmp_path: Path, full_spool: Path, child: Child, point: str
) -> None:
    failed = child("collect", fault=f"{point}:enospc")
    assert failed.returncode != 0

    again = child("collect")

    assert "predictions=10, labels=3" in again.stdout, again.stderr
    assert_all_is_there_once(tmp_path, full_spool)


def test_a_catalogue_locked_by_another_process_is_waited_for_in_bounds_and_named(
    tmp_path: Path, full_spool: Path, child: Child
) -> None:
    lake_folder = tmp_path / ".tidemill" / "lake"
    lake_folder.mkdir(parents=True)
    with write_lock(lake_folder / "write.lock", wait_s=0):
        failed = child("collect")

    assert failed.returncode == 7
    assert failed.stdout.startswith("TM-BUSY: the warehouse is being written by process")
    assert "predictions=10, labels=3" in child("collect").stdout
    assert_all_is_there_once(tmp_path, full_spool)


@pytest.fixture
def foreign_lock(tmp_path: Path, full_spool: Path, child: Child) -> Iterator[None]:
    """Another program has the catalogue open and is writing to it."""
    assert child("collect").returncode == 0
    write(full_spool, prediction(10), worker="w2")
    with closing(sqlite3.connect(tmp_path / ".tidemill" / "lake" / "catalog.sqlite")) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.usefixtures("foreign_lock")
def test_a_catalogue_that_a_foreign_program_writes_to_costs_nothing(tmp_path: Path, spool: Path, child: Child) -> None:
    failed = child("collect")

    assert failed.returncode == 7, (failed.stdout, failed.stderr)
    assert "TM-BUSY" in failed.stdout
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, threads=1)) as lake:
        assert len(ids(lake, spool)) == 11, "a reader sees the lake and the spool"
