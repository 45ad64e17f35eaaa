"""An erasure killed at any point, or on a full disk: the lake reads as before or as after; the next time ends it."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.warehouse.conftest import CHILD, Child
from tests.warehouse.lake_child import erase
from tests.warehouse.upkeep_state import append, merge

from tidemill.core.errors import SpaceError
from tidemill.testing.warehouse import put, rows_at_each, word
from tidemill.warehouse.duckdb.lake import Lake, open_lake
from tidemill.warehouse.duckdb.verify import file_name, named_files

POINTS = [
    "erase.staged",
    "erase.staged",
    "erase.moved",
    "erase.before_commit",
    "erase.after_commit",
    "clean_up.before_unlink",
    "clean_up.before_unlink",
    "clean_up.before_unlink",
    "clean_up.after_unlink",
    "vacuum.before",
    "vacuum.after",
]
"""Those that an erasure from two files, of which one has a delete file, passes by."""

Told = tuple[dict[int, dict[str, list[dict[str, Any]]]], list[tuple[int, int, int, int]]]


def opened(root: Path) -> closing[Lake]:
    return closing(open_lake(root / ".tidemill", search_path=root, threads=1))


def told(lake: Lake) -> Told:
    """The rows of the snapshots that were there before any erasure, and what the history counts."""
    counts = [(one.rows, one.added, one.replaced, one.deleted) for one in lake.history("t")]
    return {version: tables for version, tables in rows_at_each(lake).items() if version <= 3}, counts


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told, Told]:
    """A lake with an id 3 in two files, and what it says before and after an erasure."""
    root, copy = tmp_path_factory.mktemp("filled"), tmp_path_factory.mktemp("erased")
    with opened(root) as lake:
        put(lake, "t", word("a", 0, 9), run_id="a")
        append(lake, "t", word("b", 20, 24), run_id="b")
        merge(lake, "t", word("c", 3, 6), run_id="c")
        before = told(lake)
    shutil.copytree(root / ".tidemill", copy / ".tidemill")
    with opened(copy) as lake:
        erase(lake)
        return root, before, told(lake)


@pytest.fixture
def copy(filled: tuple[Path, Told, Told], tmp_path: Path) -> tuple[Told, Told]:
    """A copy of it for one test, at ``tmp_path``; what it says before and after."""
    shutil.copytree(filled[0] / ".tidemill", tmp_path / ".tidemill")
    return filled[1], filled[2]


def ends_well(lake: Lake, after: Told) -> None:
    """Whether doing it again ends it and leaves nothing behind."""
    erase(lake)
    assert told(lake) == after
    lake.sweep(older_than_s=0)
    assert lake.upkeep.holding(lambda *_: "id = 3") == []
    assert lake.verify() == []
    tables = ("ducklake_data_file", "ducklake_delete_file")
    named = {file_name(path) for table in tables for path in named_files(lake.engine, table)}
    assert {path.name for path in lake.places.lake.rglob("*.parquet")} == named
    merge(lake, "t", word("d", 3, 5), run_id="later")
    assert [(one.rows, one.added, one.replaced) for one in lake.history("t")[:1]] == [(13, 2, 1)]


def test_the_erased_rows_are_those_meant_and_no_others(filled: tuple[Path, Told, Told]) -> None:
    (before, _), (after, counts) = filled[1:]

    assert after == {
        version: {"t": [row for row in tables["t"] if row["id"] != 3]} for version, tables in before.items()
    }
    assert counts == [(12, 2, 2, 0), (12, 4, 0, 0), (8, 8, 0, 0)]


@pytest.mark.parametrize("passed", [2, 3, 4, 5, 7, 9])
def test_a_kill_anywhere_leaves_the_lake_as_before_or_as_after_and_the_next_time_ends_it(
    tmp_path: Path, copy: tuple[Told, Told], child: Child, passed: int
) -> None:
    assert child("erase", fault=f"*:kill:{passed}").returncode == -signal.SIGKILL

    with opened(tmp_path) as lake:
        committed = POINTS[passed - 1] not in POINTS[:4]
        assert told(lake) == copy[committed]
        assert lake.verify() == []
        lake.require_intact(["t"])
        ends_well(lake, copy[1])


def test_the_points_of_an_erasure_are_these(copy: tuple[Told, Told], child: Child) -> None:
    assert child("erase", fault=f"*:kill:{len(POINTS) + 1}").returncode == 0


def test_no_space_at_any_point_changes_nothing_and_says_so(
    tmp_path: Path, copy: tuple[Told, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as lake:
        for point in ("erase.staged", "erase.moved", "erase.before_commit"):
            monkeypatch.setenv("TIDEMILL_FAULT", f"{point}:enospc")
            monkeypatch.setattr("tidemill.core.faults._passes", {})
            with pytest.raises(SpaceError, match="disk is full"):
                erase(lake)
            monkeypatch.delenv("TIDEMILL_FAULT")

            assert told(lake) == copy[0]
            assert lake.verify() == []
        ends_well(lake, copy[1])


def test_a_file_that_may_grow_no_further_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as lake:
        put(lake, "t", "SELECT i AS id, random() AS x FROM range(200000) AS t(i)")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    done = subprocess.run(
        [sys.executable, str(CHILD), str(tmp_path), "erase"],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )

    assert done.stdout == "TM-DISK-FULL\n", done.stderr
    with opened(tmp_path) as lake:
        assert lake.history("t")[0].rows == 200_000
        assert lake.verify() == []
        assert lake.sweep(older_than_s=0) == []
        erase(lake)
        assert [one.rows for one in lake.history("t")] == [199_999]
        assert lake.verify() == []
