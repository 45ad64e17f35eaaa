"""Upkeep changes files and never a row: every snapshot that stays reads as before, in the same order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.warehouse.upkeep_state import append, fill, merge, state

from tidemill.core.errors import NotFoundError
from tidemill.testing.warehouse import no_guard, put
from tidemill.warehouse.duckdb.commits import Note
from tidemill.warehouse.duckdb.lake import Lake, open_lake
from tidemill.warehouse.upkeep import Compaction

LOG = "tidemill_log.predictions"


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """An empty lake."""
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, threads=2)) as opened:
        yield opened


def chosen(lake: Lake, *, least_files: int = 4) -> dict[str, Compaction]:
    """What there is to compact, by table."""
    return {one.table: one for one in lake.upkeep.compactions(target_bytes=1 << 20, least_files=least_files)}


def compact_all(lake: Lake, *, run_id: str = "upkeep-1") -> None:
    for one in chosen(lake).values():
        assert lake.upkeep.compact(one, run_id=run_id, guard=no_guard) is not None


def expire_all_but(lake: Lake, kept: set[int]) -> None:
    lake.upkeep.expire([one.version for one in lake.upkeep.snapshots() if one.version not in kept])


def test_compaction_changes_no_row_of_any_snapshot_and_makes_no_version(lake: Lake) -> None:
    fill(lake)
    before, tables = state(lake), lake.tables()
    history = {table: lake.history(table) for table in tables}

    compact_all(lake)

    after = state(lake)
    newest = max(after)
    assert {version: after[version] for version in before} == before
    assert after[newest] == before[max(before)]
    assert lake.tables() == tables
    assert [one.run_id for one in lake.history("grows")] == [one.run_id for one in history["grows"]]
    assert len(lake.files("once")) == len(lake.files("grows")) == 1
    assert lake.verify() == []
    assert chosen(lake) == {}


def test_merged_files_are_committed_where_no_reader_lists_tables(lake: Lake) -> None:
    fill(lake)
    seen: list[list[str]] = []

    def guard() -> None:
        listed = "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND NOT readonly"
        with closing(lake.engine.cursor()) as reader:
            seen.append([name for (name,) in reader.execute(listed).fetchall()])

    for one in chosen(lake).values():
        assert lake.upkeep.compact(one, run_id="upkeep-1", guard=guard) is not None
    assert seen
    assert not any("writer" in name for names in seen for name in names)


def test_a_snapshot_that_stays_is_known_as_before_whatever_is_forgotten_around_it(lake: Lake) -> None:
    fill(lake)
    compact_all(lake)
    fill_again(lake)
    before = state(lake)
    numbers = sorted(before)
    for kept in (set(numbers[::3]) | {numbers[-1]}, {numbers[4], numbers[-1]}, {numbers[-1]}):
        expire_all_but(lake, kept)

        lake.upkeep.clean_up(older_than_s=0)
        assert state(lake) == {version: before[version] for version in sorted(kept & set(numbers))}
        assert lake.verify() == []
        assert lake.upkeep.orphans(older_than_s=0) == {}
        numbers = [number for number in numbers if number in kept]
    newest = lake.newest([LOG])
    assert newest is not None
    assert newest.message == "place again"


def fill_again(lake: Lake) -> None:
    append(lake, "grows", "SELECT CAST(7 AS BIGINT) AS id, 'again' AS word", run_id="again-1")
    merge(lake, "keyed", "SELECT CAST(5 AS BIGINT) AS id, 'again' AS word", run_id="again-2")
    append(
        lake, LOG, "SELECT 99 AS minute, CAST(1 AS BIGINT) AS n", run_id="again-3", system=True, message="place again"
    )


def test_files_that_nothing_reads_any_more_are_removed_and_no_others(lake: Lake) -> None:
    fill(lake)
    compact_all(lake)
    newest = lake.upkeep.snapshots()[-1].version
    others = [one.version for one in lake.upkeep.snapshots()[:-1]]
    replaced_marks = lake.upkeep.clean_up(older_than_s=3600).waiting_files  # each delete file but the last of a file
    foretold = lake.upkeep.expire(others, dry_run=True)

    freed = lake.upkeep.expire(others)

    assert freed == foretold
    assert freed.files > 0
    waiting = lake.upkeep.clean_up(older_than_s=3600)
    assert (waiting.files, waiting.waiting_files) == (0, replaced_marks + freed.files)
    gone = lake.upkeep.clean_up(older_than_s=0)
    assert (gone.files, gone.bytes) == (waiting.waiting_files, waiting.waiting_bytes)
    there = {lake.places.relative(path) for path in lake.places.data.rglob("*.parquet")}
    assert there == {file.path for table in lake.tables() for file in lake.files(table)}
    assert [one.version for one in lake.upkeep.snapshots()] == [newest]


def test_a_forgotten_snapshot_is_refused_with_the_reason(lake: Lake) -> None:
    first = put(lake, "t", "SELECT 1 AS a", run_id="a")
    put(lake, "t", "SELECT 2 AS a", run_id="b")
    with closing(open_lake(lake.places.root, search_path=lake.places.search)) as other:
        assert len(other.history("t")) == 2
        lake.upkeep.expire([first.version])

        with pytest.raises(NotFoundError, match=f"no snapshot {first.version}") as caught:
            other.session(at=first.version)
    assert "maintain" in caught.value.hint
    assert [one.run_id for one in lake.history("t")] == ["b", "a"]
    assert lake.landed("a", "table:t") is not None


def test_a_table_that_changed_meanwhile_is_left_for_the_next_time(lake: Lake) -> None:
    fill(lake, log=0)
    found = chosen(lake)
    put(lake, "grows", "SELECT CAST(1 AS BIGINT) AS id, 'new' AS word", run_id="late")
    merge(lake, "keyed", "SELECT CAST(5 AS BIGINT) AS id, 'late' AS word", run_id="late-2")
    before = state(lake)

    for table in ("grows", "keyed"):
        lake.upkeep.compact(found[table], run_id="upkeep", guard=no_guard)

    after = state(lake)
    assert after[max(after)] == before[max(before)]
    assert {version: after[version] for version in before} == before
    assert lake.verify() == []


def test_rows_that_were_deleted_are_not_written_again(lake: Lake) -> None:
    put(lake, "keyed", "SELECT i AS id, 'first' AS word FROM range(1000) AS t(i)", run_id="a")
    merge(lake, "keyed", "SELECT i AS id, 'second' AS word FROM range(600) AS t(i)", run_id="b")

    found = chosen(lake, least_files=100)["keyed"]
    assert found.deleted == 600
    before = state(lake)
    written = lake.upkeep.compact(found, run_id="c", guard=no_guard)

    assert written is not None
    assert sum(file.rows for file in written) == 1000
    after = state(lake)
    assert after[max(after)] == before[max(before)]
    assert lake.upkeep.compactions(target_bytes=1, least_files=100) == []
    merge(lake, "keyed", "SELECT i AS id, 'third' AS word FROM range(10) AS t(i)", run_id="d")
    assert lake.history("keyed")[0].rows == 1000
    assert lake.verify() == []


def test_a_vacuum_gives_the_catalogue_s_free_pages_back(lake: Lake) -> None:
    for turn in range(5):
        put(lake, f"t{turn}", f"SELECT {', '.join(f'{i} AS c{i}' for i in range(200))}", run_id="a")
    for turn in range(5):
        lake.drop(f"t{turn}", run_id="b", step=f"drop{turn}", guard=no_guard)
    lake.upkeep.expire([one.version for one in lake.upkeep.snapshots()[:-1]])
    size = lake.places.catalogue.stat().st_size

    foretold = lake.upkeep.vacuum(dry_run=True)
    won = lake.upkeep.vacuum()

    assert foretold > 0
    assert won > 0
    assert lake.places.catalogue.stat().st_size < size
    assert lake.verify() == []
    put(lake, "after", "SELECT 1 AS one", run_id="c")


@pytest.mark.parametrize("first", ["repeat('é', 3000)", "'a' || chr(0)", "NULL"])
def test_rows_are_found_by_texts_whose_bounds_nobody_knows(lake: Lake, first: str) -> None:
    text = f"CASE WHEN i > 1 THEN 'm' || i ELSE {first} END"
    put(lake, "t", f"SELECT i AS id, {text} AS word, {{'word': {text}}} AS field FROM range(4) AS t(i)")
    later = "SELECT CAST({0} AS BIGINT) AS id, '{1}' AS word, {{'word': '{1}'}} AS field"
    append(lake, "t", later.format(4, "b"), run_id="b")
    merge(lake, "t", later.format(5, "c"), run_id="c")
    for one in chosen(lake, least_files=2).values():
        lake.upkeep.compact(one, run_id="d", guard=no_guard)
    append(lake, "t", later.format(6, "d"), run_id="e")

    with lake.session() as session:
        for column in ("word", "field.word"):
            assert session.fetch(f"SELECT id FROM t WHERE {column} = 'm3'") == [(3,)]
            assert session.fetch(f"SELECT id FROM t WHERE {column} = 'c'") == [(5,)]
            assert len(session.fetch(f"SELECT id FROM t WHERE {column} > 'c' AND {column} < 'n'")) == 3


def test_rows_stay_when_another_thread_makes_the_lake_look_anew_in_the_middle_of_an_append(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, "grows", "SELECT 1 AS id")

    def meanwhile(point: str) -> None:
        if point == "publish.locked":  # upkeep and verify forget what they know, and hold no lock
            lake.commits.forget()

    monkeypatch.setattr("tidemill.warehouse.duckdb.lake.fault", meanwhile)
    append(lake, "grows", "SELECT 2 AS id", run_id="grows-2")

    with lake.session() as session:
        assert session.fetch("SELECT id FROM grows ORDER BY id") == [(1,), (2,)]
    assert lake.history("grows")[0].rows == 2


def test_what_was_seen_before_snapshots_went_is_not_believed_after(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lake)
    look = lake.commits.newer

    def slow(last: int) -> list[Note]:
        seen = look(last)
        if threading.current_thread() is late:
            read.set()
            assert gone.wait(60)
        return seen

    monkeypatch.setattr(lake.commits, "newer", slow)
    read, gone = threading.Event(), threading.Event()
    late = threading.Thread(target=lake.commits.all)
    lake.commits.forget()
    late.start()
    assert read.wait(60)
    expire_all_but(lake, {max(one.version for one in lake.upkeep.snapshots())})
    gone.set()
    late.join()

    assert [one.version for one in lake.commits.all()] == [note[0] for note in look(0)]
