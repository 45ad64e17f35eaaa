"""A process killed at any point of its work leaves the old version or the new one, and a rerun ends the same."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.warehouse.conftest import CHILD, Child

from tidemill.testing.warehouse import no_guard, put, rows_of
from tidemill.warehouse.duckdb.lake import Lake, open_lake

BEFORE_COMMIT = [
    "stage.before_copy",
    "stage.before_sync",
    "stage.after_sync",
    "publish.locked",
    "publish.after_move",
    "publish.before_guard",
    "publish.before_commit",
]


def put_new(lake: Lake, run_id: str) -> None:
    put(lake, "t", "SELECT 'new' AS word FROM range(5000)", run_id=run_id)


def words(lake: Lake) -> tuple[set[str], int]:
    """What a reader finds in table t."""
    with lake.session() as session:
        rows = rows_of(session, "SELECT word, count(*) AS n FROM t GROUP BY word")
        return {row["word"] for row in rows}, sum(row["n"] for row in rows)


@pytest.mark.parametrize("point", [*BEFORE_COMMIT, "publish.after_commit"])
def test_a_kill_leaves_the_old_version_or_the_new_and_nothing_between(old_lake: Path, child: Child, point: str) -> None:
    killed = child("put", "t", "new", "run-2", fault=f"{point}:kill")

    assert killed.returncode == -signal.SIGKILL
    landed = point == "publish.after_commit"
    with closing(open_lake(old_lake / ".tidemill", search_path=old_lake)) as lake:
        assert words(lake) == ({"new" if landed else "old"}, 5000)
        assert (lake.landed("run-2", "table:t") is not None) == landed
        assert lake.verify() == []

        put_new(lake, "run-2")

        assert words(lake) == ({"new"}, 5000)
        assert len(lake.history("t")) == 2
        lake.sweep(older_than_s=0)
        kept = {file.path for version in lake.history("t") for file in lake.files("t", version.version)}
        there = {lake.places.relative(path) for path in lake.places.lake.rglob("*.parquet")}
        assert there == kept
        assert lake.verify() == []


@pytest.mark.parametrize(
    "point", ["create.before_rename", "publish.locked", "publish.after_move", "publish.before_commit"]
)
def test_a_kill_in_the_very_first_publish_leaves_an_empty_lake(tmp_path: Path, child: Child, point: str) -> None:
    assert child("put", "t", "new", "run-1", fault=f"{point}:kill").returncode == -signal.SIGKILL

    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path)) as lake:
        assert lake.tables() == {}
        assert lake.verify() == []
        put_new(lake, "run-1")
        assert words(lake) == ({"new"}, 5000)


@pytest.mark.parametrize("point", ["publish.locked", "publish.before_commit"])
def test_a_kill_while_dropping_leaves_the_table(old_lake: Path, child: Child, point: str) -> None:
    assert child("drop", "t", "run-2", fault=f"{point}:kill").returncode == -signal.SIGKILL

    with closing(open_lake(old_lake / ".tidemill", search_path=old_lake)) as lake:
        assert words(lake) == ({"old"}, 5000)
        lake.drop("t", run_id="run-2", step="drop", guard=no_guard)
        assert lake.tables() == {}


def test_a_kill_while_sweeping_is_mended_by_the_next_sweep(old_lake: Path, child: Child) -> None:
    for name in ("one", "two"):
        (old_lake / ".tidemill" / "lake" / "data" / "main" / "t" / f"{name}.parquet").write_bytes(b"x")

    assert child("sweep", fault="sweep.before_unlink:kill:2").returncode == -signal.SIGKILL

    with closing(open_lake(old_lake / ".tidemill", search_path=old_lake)) as lake:
        assert words(lake) == ({"old"}, 5000)
        assert lake.sweep(older_than_s=0) == ["data/main/t/two.parquet"]
        assert lake.verify() == []


def test_what_a_killed_process_acknowledged_is_never_lost(tmp_path: Path) -> None:
    acknowledged: dict[str, int] = {}
    for turn in range(3):
        name = f"k{turn}"
        process = subprocess.Popen(
            [sys.executable, str(CHILD), str(tmp_path), "many", name, "1000"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        first = process.stdout.readline()  # however slow the machine, something is acknowledged before the kill
        time.sleep(0.05 + 0.37 * turn)
        process.send_signal(signal.SIGKILL)
        lines = (first + process.communicate()[0]).split("\n")[:-1]
        acknowledged[name] = int(lines[-1])

    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path)) as lake:
        commits = lake.commits.all()
        for name, last in acknowledged.items():
            for turn in range(last + 1):
                assert lake.landed(f"{name}-{turn}", "table:shared") is not None
                assert lake.landed(f"{name}-{turn}", f"table:own_{name}") is not None
        keys = [(commit.run_id, commit.step) for commit in commits]
        assert len(keys) == len(set(keys))
        assert lake.verify() == []
        put(lake, "shared", "SELECT 'after' AS name, 0 AS turn", run_id="after")
