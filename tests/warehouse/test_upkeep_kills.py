"""Upkeep killed at any point, on a full disk, beside writers: what stays reads as before, and the next time ends it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.warehouse.conftest import CHILD, Child
from tests.warehouse.lake_child import KEPT, maintain
from tests.warehouse.upkeep_state import State, append, merge, state

from tidemill.core.errors import NotFoundError, SpaceError
from tidemill.testing.warehouse import no_guard, put, rows_of
from tidemill.warehouse.duckdb.lake import Lake, open_lake
from tidemill.warehouse.duckdb.verify import file_name, named_files

LOG = "tidemill_log.labels"

KILLED_AT = [
    "compact.staged",
    "publish.before_commit",
    "publish.after_commit",
    "expire.after_facts",
    "expire.before_commit",
    "expire.after_commit",
    "clean_up.before_unlink",
    "clean_up.after_unlink",
    "vacuum.after",
]


def opened(root: Path) -> closing[Lake]:
    return closing(open_lake(root / ".tidemill", search_path=root, threads=2))


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, State]:
    """A lake with small files and rows merged over others, and what it says at every snapshot."""
    root = tmp_path_factory.mktemp("grown")
    with opened(root) as lake:
        put(lake, "keyed", "SELECT i AS id, 'first' AS word FROM range(100) AS t(i)", run_id="a")
        for turn in range(4):
            merge(
                lake,
                "keyed",
                f"SELECT {turn} * 5 + i AS id, 'turn {turn}' AS word FROM range(9) AS t(i)",
                run_id=f"{turn}",
            )
            append(lake, LOG, f"SELECT {turn} AS n", run_id=f"l{turn}", system=True, message=f"{turn}")
        return root, state(lake)


@pytest.fixture
def copy(grown: tuple[Path, State], tmp_path: Path) -> State:
    """A copy of it for one test, at ``tmp_path``."""
    shutil.copytree(grown[0] / ".tidemill", tmp_path / ".tidemill")
    return grown[1]


@pytest.mark.parametrize("point", KILLED_AT)
def test_a_kill_changes_nothing_that_stays_and_the_next_time_ends_the_work(
    tmp_path: Path, copy: State, child: Child, point: str
) -> None:
    assert child("maintain", fault=f"{point}:kill").returncode == -signal.SIGKILL

    with opened(tmp_path) as lake:
        after = state(lake)
        assert after[KEPT] == copy[KEPT]
        assert after[max(after)] == copy[max(copy)]
        assert lake.verify() == []

        maintain(lake)

        after = state(lake)
        assert sorted(after) == [KEPT, max(after)]
        assert (after[KEPT], after[max(after)]) == (copy[KEPT], copy[max(copy)])
        lake.sweep(older_than_s=0)
        assert lake.verify() == []
        assert {path.name for path in lake.places.lake.rglob("*.parquet")} == names_read(lake)


def names_read(lake: Lake) -> set[str]:
    """Names of the files that the catalogue has for the snapshots that stay."""
    tables = ("ducklake_data_file", "ducklake_delete_file")
    return {file_name(path) for table in tables for path in named_files(lake.engine, table)}


def test_a_full_disk_leaves_the_lake_as_it_was(tmp_path: Path, copy: State, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as lake:
        monkeypatch.setenv("TIDEMILL_FAULT", "stage.before_sync:enospc")
        with pytest.raises(SpaceError):
            maintain(lake)
        monkeypatch.delenv("TIDEMILL_FAULT")

        assert state(lake) == copy
        assert lake.upkeep.orphans(older_than_s=0) == {}
        maintain(lake)
        assert state(lake)[KEPT] == copy[KEPT]


def test_readers_and_writers_go_on_beside_it(tmp_path: Path, copy: State) -> None:
    newest = copy[max(copy)]["keyed"][3][0]
    command = [sys.executable, str(CHILD), str(tmp_path), "many", "other", "6"]
    with opened(tmp_path) as lake, subprocess.Popen(command, stdout=subprocess.DEVNULL) as writer:
        seen: set[int] = set()
        reading = threading.Thread(target=read_often(tmp_path, seen, writer))
        reading.start()
        while writer.poll() is None:
            for chosen in lake.upkeep.compactions(target_bytes=1 << 20, least_files=2):
                lake.upkeep.compact(chosen, run_id=f"upkeep-{len(lake.commits.all())}", guard=no_guard)
            lake.upkeep.expire([one.version for one in lake.upkeep.snapshots()[:-8]])
        reading.join()
        assert writer.returncode == 0
        assert seen == {newest}
        assert lake.history("shared")[0].rows == 1
        assert lake.verify() == []


def read_often(root: Path, seen: set[int], writer: subprocess.Popen[bytes]) -> Callable[[], None]:
    def read() -> None:
        with opened(root) as reader:
            while writer.poll() is None:
                # Only eight snapshots are kept here: one may be gone before it is read, and that is said.
                with suppress(NotFoundError), reader.session() as session:
                    seen.add(rows_of(session, "SELECT count(*) AS n FROM keyed")[0]["n"])

    return read
