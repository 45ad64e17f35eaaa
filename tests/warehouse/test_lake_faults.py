"""Full disks, flipped bits, orphans, moved projects, and several processes at once."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.warehouse.conftest import CHILD

from tidemill.core.errors import BusyError, CorruptError, SpaceError
from tidemill.testing.warehouse import count, no_guard, put, rows_of, stage
from tidemill.warehouse.duckdb.lake import Lake, open_lake
from tidemill.warehouse.duckdb.locks import write_lock


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path)) as opened:
        yield opened


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path, lake: Lake) -> None:
    put(lake, "shared", "SELECT 'first' AS name, 0 AS turn", run_id="first")
    writers = [
        subprocess.Popen([sys.executable, str(CHILD), str(tmp_path), "many", name, "4"], stdout=subprocess.PIPE)
        for name in ("a", "b")
    ]
    reads = 0
    while any(writer.poll() is None for writer in writers):
        with lake.session() as session:
            assert rows_of(session, "SELECT count(*) AS n FROM shared") == [{"n": 1}]
            reads += 1
    for writer in writers:
        writer.communicate()

    assert [writer.returncode for writer in writers] == [0, 0]
    assert reads > 1
    assert len(lake.history("shared")) == 9
    assert len(lake.history("own_a")) == len(lake.history("own_b")) == 4
    assert lake.verify() == []


def test_a_lock_held_too_long_names_its_holder(tmp_path: Path) -> None:
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, write_wait_s=0.1)) as lake:
        staged = stage(lake, "t", "SELECT 1 AS a")
        with write_lock(lake.places.lock, wait_s=0), pytest.raises(BusyError) as caught:
            lake.publish(staged, run_id="r", step="s", guard=no_guard)

        assert caught.value.facts["pid"] == os.getpid()
        assert lake.publish(staged, run_id="r", step="s", guard=no_guard).rows == 1


@pytest.mark.parametrize(
    "point", ["stage.before_copy", "stage.before_sync", "publish.after_move", "publish.before_commit"]
)
def test_no_space_at_any_point_changes_nothing_and_says_so(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    put(lake, "t", "SELECT 1 AS a", run_id="a")
    monkeypatch.setenv("TIDEMILL_FAULT", f"{point}:enospc")
    monkeypatch.setattr("tidemill.core.faults._passes", {})

    with pytest.raises(SpaceError, match="disk is full"):
        put(lake, "t", "SELECT 2 AS a, 3 AS b", run_id="b")

    monkeypatch.delenv("TIDEMILL_FAULT")
    assert count(lake, "t") == 1
    put(lake, "t", "SELECT 2 AS a, 3 AS b", run_id="b")
    assert [version.run_id for version in lake.history("t")] == ["b", "a"]
    lake.sweep(older_than_s=0)
    assert lake.verify() == []


def test_a_file_that_may_grow_no_further_is_a_full_disk(old_lake: Path) -> None:
    query = "SELECT random() AS x FROM range(3000000)"
    script = (
        "import sys; from pathlib import Path\n"
        "from tidemill.core.errors import SpaceError\n"
        "from tidemill.testing.warehouse import put, count\n"
        "from tidemill.warehouse.duckdb.lake import open_lake\n"
        f"root = Path({str(old_lake)!r}); lake = open_lake(root / '.tidemill', search_path=root)\n"
        f"try: put(lake, 't', {query!r}, run_id='run-2')\n"
        "except SpaceError: print('full', count(lake, 't'), lake.verify(), lake.sweep(older_than_s=0))\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, preexec_fn=limit, check=False)

    assert done.stdout.strip() == "full 5000 [] []", done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB; only root may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full_keeps_every_version_and_recovers(small_disk: Path) -> None:
    with closing(open_lake(small_disk / ".tidemill", search_path=small_disk)) as lake:
        with pytest.raises(SpaceError) as caught:
            put_until_it_fails(lake)
        assert caught.value.facts["free"] is not None
        published = len(lake.history("t"))
        assert published > 1
        assert lake.history("t")[0].run_id == f"r{published - 1}"
        assert count(lake, "t") == 60_000
        assert lake.verify() == []
        filler = small_disk / ".tidemill" / "lake" / "data" / "filler"
        lake.sweep(older_than_s=0)
        with pytest.raises(SpaceError):
            fill(lake, filler)
        assert count(lake, "t") == 60_000
        filler.unlink()
        put(lake, "t", "SELECT 1 AS x", run_id="after")
        assert count(lake, "t") == 1
        assert lake.verify() == []


def put_until_it_fails(lake: Lake) -> None:
    for turn in range(100):
        put(lake, "t", f"SELECT random() AS x, {turn} AS turn FROM range(60000)", run_id=f"r{turn}")


def fill(lake: Lake, filler: Path) -> None:
    """Fill the disk to the last byte, then publish something tiny until the catalogue finds no room."""
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 512):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    for turn in range(50):
        put(lake, "tiny", f"SELECT {turn} AS x", run_id=f"tiny-{turn}")


def data_file(lake: Lake, table: str) -> Path:
    return lake.places.lake / lake.files(table)[0].path


def test_missing_cut_and_changed_files_are_named_with_table_and_version(lake: Lake) -> None:
    for name in ("missing", "cut", "flipped", "fine"):
        put(lake, name, "SELECT i FROM range(10000) AS t(i)")
    data_file(lake, "missing").unlink()
    cut, flipped = data_file(lake, "cut"), data_file(lake, "flipped")
    os.truncate(cut, cut.stat().st_size // 2)
    data = bytearray(flipped.read_bytes())
    data[len(data) // 3] ^= 4
    flipped.write_bytes(data)

    problems = {problem.object.split(",")[0]: problem for problem in lake.verify()}

    assert {key: problem.what for key, problem in problems.items()} == {
        "table missing": "missing",
        "table cut": "truncated",
        "table flipped": "changed",
    }
    assert flipped.name in problems["table flipped"].detail
    assert f"version {lake.tables()['cut']}" in problems["table cut"].object
    assert lake.verify("fine") == []
    assert len(lake.verify("cut")) == 1


def test_a_query_over_a_missing_or_cut_file_is_an_error_that_names_it(tmp_path: Path, lake: Lake) -> None:
    for name in ("missing", "cut", "fine"):
        put(lake, name, "SELECT i FROM range(10000) AS t(i)")
    data_file(lake, "missing").unlink()
    os.truncate(data_file(lake, "cut"), 1000)

    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path)) as other, other.session() as session:
        for table in ("missing", "cut"):
            with pytest.raises(CorruptError, match=data_file(lake, table).name) as caught:
                session.query(f"SELECT sum(i) FROM {table}").read_all()
            assert "verify" in caught.value.hint
        assert rows_of(session, "SELECT count(*) AS n FROM fine") == [{"n": 10_000}]


def test_one_flipped_bit_anywhere_in_a_file_is_found(lake: Lake) -> None:
    put(lake, "t", "SELECT i, 'n' || i AS s FROM range(500) AS t(i)")
    path = data_file(lake, "t")
    sound = path.read_bytes()
    for place in range(0, len(sound), max(1, len(sound) // 60)):
        data = bytearray(sound)
        data[place] ^= 1 << (place % 8)
        path.write_bytes(data)
        assert [problem.what for problem in lake.verify()] == ["changed"]
    path.write_bytes(sound)
    assert lake.verify() == []


def test_a_damaged_catalogue_is_reported_and_not_half_read(old_lake: Path) -> None:
    catalogue = old_lake / ".tidemill" / "lake" / "catalog.sqlite"
    catalogue.write_bytes(b"\0" * 4096 + catalogue.read_bytes()[4096:])

    with (
        closing(open_lake(old_lake / ".tidemill", search_path=old_lake)) as lake,
        pytest.raises(CorruptError) as caught,
    ):
        lake.tables()

    assert "catalog.sqlite" in caught.value.message


def test_sweep_spares_what_is_young_claimed_or_named(lake: Lake, tmp_path: Path) -> None:
    put(lake, "t", "SELECT 1 AS a")
    orphan = lake.places.data / "main" / "t" / "orphan.parquet"
    orphan.write_bytes(b"x")
    waiting = stage(lake, "u", "SELECT 1 AS a", attempt="waiting")

    assert lake.sweep(older_than_s=3600) == []
    assert lake.sweep(older_than_s=0) == ["data/main/t/orphan.parquet"]
    assert lake.publish(waiting, run_id="r", step="u", guard=no_guard).rows == 1
    assert count(lake, "t") == count(lake, "u") == 1
    left = stage(lake, "v", "SELECT 1 AS a", attempt="left")
    lake.close()
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path)) as second:
        assert second.sweep(older_than_s=0) == [left.files[0].path]


def test_a_moved_project_reads_and_writes_on(tmp_path: Path) -> None:
    root = tmp_path / "before"
    with closing(open_lake(root / ".tidemill", search_path=root)) as lake:
        put(lake, "plain", "SELECT 1 AS a")
        put(lake, "Größe in cm", "SELECT 2 AS a")
    moved = tmp_path / "after it's moved"
    root.rename(moved)

    with closing(open_lake(moved / ".tidemill", search_path=moved)) as lake:
        assert lake.verify() == []
        assert count(lake, "plain") == 1
        assert count(lake, '"Größe in cm"') == 1
        put(lake, "Größe in cm", "SELECT 2 AS a FROM range(3)", run_id="b")
        assert count(lake, '"Größe in cm"') == 3
        assert lake.verify() == []


def test_the_catalogue_is_read_without_starting_the_engine(old_lake: Path) -> None:
    script = (
        "import sys, json; from pathlib import Path\n"
        "from tidemill.warehouse.duckdb.lake import open_lake\n"
        f"root = Path({str(old_lake)!r})\n"
        "lake = open_lake(root / '.tidemill', search_path=root)\n"
        "names = [lake.tables(), lake.columns('t')[0].name, lake.landed('run-1', 'table:t').rows]\n"
        "print(json.dumps([names, 'duckdb' in sys.modules, 'pyarrow' in sys.modules]))\n"
    )

    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert json.loads(output) == [[{"t": 1}, "word", 5000], False, False]


def test_each_file_is_synced_before_the_commit_that_names_it(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    log = tmp_path / "calls.txt"
    calls = "trace=fsync,fdatasync,rename,renameat,renameat2"
    done = subprocess.run(
        [
            strace,
            "-f",
            "-y",
            "-e",
            calls,
            "-o",
            str(log),
            sys.executable,
            str(CHILD),
            str(tmp_path),
            "put",
            "t",
            "a",
            "r",
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"strace does not work here: {done.stderr.decode()[-200:]}")
    lines = [line for line in log.read_text().splitlines() if "/lake" in line]

    def first(*parts: str) -> int:
        return next(number for number, line in enumerate(lines) if all(part in line for part in parts))

    file = first("fsync(", "staging", ".parquet")
    moved = first("rename", ".parquet", "data/main/t")
    folder = first("fsync(", "data/main/t>")
    commit = next(n for n, line in enumerate(lines) if n > folder and "fsync(" in line and "catalog.sqlite" in line)
    assert file < moved < folder < commit
