"""Erased rows are as if they had never been: in every snapshot, in what the catalogue says, in every file."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.warehouse.conftest import Child
from tests.warehouse.upkeep_state import append, merge

from tidemill.core.errors import ConflictError, NotFoundError
from tidemill.core.names import quote_text
from tidemill.testing.warehouse import (
    count,
    erase,
    merge_words,
    no_guard,
    put,
    rows_at_each,
    stage,
    word,
)
from tidemill.warehouse.duckdb.lake import Lake, open_lake

MAIL = "rosa.marmoset@example.org"
THIRD = "id = 3"


def opened(root: Path) -> closing[Lake]:
    return closing(open_lake(root / ".tidemill", search_path=root, threads=1))


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """An empty lake."""
    with opened(tmp_path) as found:
        yield found


def mails(*, where: str = "true", first: int = 0, end: int = 8) -> str:
    """A query of ids with addresses; that of id 3 is no other's and the greatest."""
    mail = f"CASE WHEN i = 3 THEN '{MAIL}' ELSE 'p' || i END"
    return f"SELECT CAST(i AS BIGINT) AS id, {mail} AS mail FROM range({first}, {end}) AS t(i) WHERE {where}"


def traces(lake: Lake, text: str) -> list[str]:
    """The files of a lake that hold a text: in their bytes, or in a row of those that are compressed."""
    found = []
    with lake.session(tables=False) as session:
        for path in sorted(path for path in lake.places.lake.rglob("*") if path.is_file()):
            there = text.encode() in path.read_bytes()
            if path.suffix == ".parquet":
                rows = f"read_parquet({quote_text(str(path))}, hive_partitioning => false) AS r"
                sql = f"SELECT count(*) FROM {rows} WHERE contains(CAST(r AS VARCHAR), {quote_text(text)})"
                there = there or bool(session.fetch(sql)[0][0])
            if there:
                found.append(lake.places.relative(path))
    return found


def finish(lake: Lake) -> None:
    """Remove what waits, and write the catalogue anew."""
    lake.upkeep.clean_up(older_than_s=0)
    assert lake.sweep(older_than_s=0) == []
    assert lake.upkeep.rewrite_catalogue()


def compact(lake: Lake) -> None:
    for one in lake.upkeep.compactions(target_bytes=1 << 20, least_files=2):
        assert lake.upkeep.compact(one, run_id="compact", guard=no_guard) is not None


def expire_all_but(lake: Lake, *kept: int) -> None:
    lake.upkeep.expire([one.version for one in lake.upkeep.snapshots() if one.version not in kept])


def without(rows: dict[int, dict[str, list[dict[str, Any]]]], *ids: int) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """What every snapshot has, without the rows of some ids."""
    return {
        version: {table: [row for row in found if row.get("id") not in ids] for table, found in tables.items()}
        for version, tables in rows.items()
    }


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: int(row["id"]))


EVERY_KIND = f"""
SELECT CAST(i AS BIGINT) AS id,
    CASE i WHEN 3 THEN 9 WHEN 4 THEN 'nan'::DOUBLE WHEN 5 THEN 'inf'::DOUBLE WHEN 6 THEN NULL ELSE -i END AS x,
    CASE WHEN i = 3 THEN 1.5 ELSE 'nan'::FLOAT END AS nans,
    CASE WHEN i = 3 THEN '{MAIL}' END AS nulls,
    CASE WHEN i = 3 THEN '{MAIL}' ELSE 'b' || chr(0) || i END AS nul,
    CASE WHEN i = 3 THEN repeat('z', 20000) ELSE repeat('y', 20000) || i END AS long,
    {{'mail': CASE WHEN i = 3 THEN '{MAIL}' ELSE 'q' END, 'n': {{'x': i / 2}}}} AS nested,
    [CASE WHEN i = 3 THEN '{MAIL}' ELSE 'a' || i END, NULL] AS tags,
    [{{'mail': CASE WHEN i = 3 THEN '{MAIL}' ELSE 'q' END}}] AS listed,
    MAP {{CASE WHEN i = 3 THEN '{MAIL}' ELSE 'k' END: i}} AS mapped,
    CAST('{{"mail":"' || CASE WHEN i = 3 THEN '{MAIL}' ELSE 'q' END || '"}}' AS JSON) AS json,
    TIMESTAMP '2024-02-29 23:59:59.123456' + INTERVAL (i) DAY AS stamp,
    TIMESTAMPTZ '2024-02-29 12:00:00+02' + INTERVAL (i) DAY AS moment,
    '2024-02-29 12:00:00.123456789'::TIMESTAMP_NS AS nanos,
    DATE '0001-01-01' + CAST(i AS INTEGER) AS day,
    TIME '12:00:00' AS clock,
    CAST(i AS DECIMAL(38, 5)) / 8 AS exact,
    CAST('00000000-0000-0000-0000-00000000000' || i AS UUID) AS uuid,
    i > 4 AS flag,
    CAST(i AS UTINYINT) AS tiny,
    CASE WHEN i = 3 THEN 0 ELSE 18446744073709551615 - i END::UBIGINT AS huge,
    '\\xAA\\x00'::BLOB AS bytes
FROM range(8) AS t(i)
"""


def as_texts(lake: Lake, table: str, where: str = "true") -> list[tuple[Any, ...]]:
    with lake.session() as session:
        return session.fetch(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {table} WHERE {where}")


def test_values_of_every_kind_stay_and_are_found(lake: Lake) -> None:
    put(lake, "t", EVERY_KIND)
    merge(lake, "t", f"SELECT * FROM ({EVERY_KIND}) WHERE id = 7", run_id="again")
    before, kinds = as_texts(lake, "t"), lake.columns("t")

    erase(lake, THIRD)

    assert as_texts(lake, "t") == [row for row in before if row[0] != "3"]
    assert lake.columns("t") == kinds
    with lake.session() as session:
        assert [str(row[1]) for row in session.fetch("DESCRIBE t")] == [one.type for one in kinds]
        assert session.fetch("SELECT min(nul), max(nul) FROM t") == [("b\0" + "0", "b\0" + "7")]
        seventh = as_texts(lake, "t", "id = 7")[0]
        for column, text in zip(kinds, seventh, strict=True):
            if "\0" in str(text) or column.type == "BLOB":
                continue  # the engine finds no row by these, erased or not
            same = f"{column.name} IS NULL" if text is None else f"{column.name} = {quote_text(text)}::{column.type}"
            assert (7,) in session.fetch(f"SELECT id FROM t WHERE {same}"), column
    finish(lake)
    assert traces(lake, MAIL) == []
    assert traces(lake, "z" * 30) == []


def test_bounds_that_cannot_be_told_hide_no_row_from_later_queries(lake: Lake) -> None:
    columns = """CAST(i AS BIGINT) AS id, CASE WHEN i = 3 THEN 'zz' ELSE 'b' || chr(0) END AS nul,
        CASE WHEN i = 3 THEN 1 ELSE 'nan'::DOUBLE END AS x, CASE WHEN i = 3 THEN 1 END AS one,
        CASE i WHEN 3 THEN 9 WHEN 4 THEN 'nan'::DOUBLE ELSE 2 END AS y,
        ['w' || i] AS tags, MAP {'w': i} AS mapped, {'l': ['w' || i]} AS nested"""
    put(lake, "t", f"SELECT {columns} FROM range(8) AS t(i)")
    erase(lake, THIRD)

    later = "SELECT CAST(9 AS BIGINT) AS id, 'd' AS nul, CAST(5 AS DOUBLE) AS x, 7 AS one, CAST(2 AS DOUBLE) AS y"
    later += ", ['a'] AS tags, MAP {'a': CAST(0 AS BIGINT)} AS mapped, {'l': ['a']} AS nested"
    append(lake, "t", later, run_id="later")

    asked = {
        "nul < 'bB'": 7, "nul > 'c'": 1, "isnan(x)": 7, "x < 6": 1, "one IS NULL": 7, "one = 7": 1, "y != 2": 1,
        "tags[1] = 'w4'": 1, "list_contains(tags, 'w5')": 1, "mapped['w'] = 4": 1, "nested.l[1] = 'w6'": 1,
    }  # fmt: skip
    with lake.session() as session:
        found = {one: session.fetch(f"SELECT count(*) FROM t WHERE {one}")[0][0] for one in asked}
    assert found == asked


def test_a_column_called_as_the_engine_s_own_is_no_trouble(lake: Lake) -> None:
    odd = "i * 2 AS file_row_number, 'a' AS filename, i AS rowid, i AS pos, 'b' AS file_path, i AS p, i AS n"
    put(lake, "t", f"SELECT CAST(i AS BIGINT) AS id, {odd} FROM range(9) AS t(i)")
    merge(lake, "t", f"SELECT CAST(i AS BIGINT) AS id, {odd} FROM range(2, 5) AS t(i)", run_id="b")
    before = rows_at_each(lake)

    erase(lake, "id IN (3, 6) AND file_row_number > 1")

    after = rows_at_each(lake)
    assert {version: after[version] for version in before} == without(before, 3, 6)


ODD_NAMES = ["it's", "sales.select", "sälzä.a-b", "a=b"]


def test_tables_of_odd_names_are_rid_of_rows_wherever_the_project_was_moved(tmp_path: Path) -> None:
    with opened(tmp_path / "here") as lake:
        for number, name in enumerate(ODD_NAMES):
            put(lake, name, mails(), run_id=f"{number}")
        merge(lake, "it's", mails(where="i IN (3, 4)"), run_id="again")
        before = rows_at_each(lake)
    (tmp_path / "here").rename(tmp_path / "there")
    with opened(tmp_path / "there") as lake:
        left = erase(lake, THIRD)

        assert {one.read for one in left} == {False}
        assert lake.verify() == []
        assert [one.rows for name in ODD_NAMES for one in lake.history(name)[:1]] == [7] * len(ODD_NAMES)
        after = rows_at_each(lake)
        assert after[max(after)] == after[max(before)] == without(before, 3)[max(before)]
        finish(lake)
        assert erase(lake, THIRD) == []
        assert traces(lake, MAIL) == []
        lake.require_intact(ODD_NAMES)


def test_a_file_may_lose_all_its_rows_and_a_table_too(lake: Lake) -> None:
    put(lake, "t", word("a", 0, 3), run_id="a")
    append(lake, "t", word("b", 3, 6), run_id="b")
    merge(lake, "t", word("c", 4, 5), run_id="c")

    erase(lake, "id >= 3")
    assert [one.rows for one in lake.history("t")] == [3, 3, 3]
    assert count(lake, "t") == 3
    erase(lake, "id < 3", erasure="erasure-2")

    assert [one.rows for one in lake.history("t")] == [0, 0, 0]
    assert count(lake, "t") == 0
    assert lake.verify() == []
    finish(lake)
    merge(lake, "t", word("d", 2, 5), run_id="d")
    compact(lake)
    with lake.session() as session:
        assert session.fetch("SELECT id, word FROM t WHERE word > 'c'") == [(2, "d"), (3, "d"), (4, "d")]
    assert lake.verify() == []


def test_what_was_erased_is_erased_once(lake: Lake) -> None:
    put(lake, "t", mails())
    erase(lake, THIRD)
    known, version = rows_at_each(lake), lake.tables()["t"]

    waiting = erase(lake, THIRD, erasure="again")
    assert rows_at_each(lake) == known
    erase(lake, "id = 5", erasure="another")

    assert len(waiting) == 1
    assert sorted(one.rows for one in erase(lake, "id IN (3, 5)", erasure="again")) == [1, 2]
    assert lake.upkeep.clean_up(older_than_s=0).files == 2
    assert erase(lake, "id IN (3, 5)", erasure="again") == []
    assert (count(lake, "t"), lake.tables()["t"]) == (6, version)
    assert lake.verify() == []


def test_rows_that_were_deleted_before_leave_no_number_behind(lake: Lake) -> None:
    put(lake, "t", word("a", 0, 9), run_id="a")
    for number in (2, 5):
        merge_words(lake, "t", word("b", 20, 20), gone=f"SELECT CAST({number} AS BIGINT) AS id", run_id=f"{number}")
    before = rows_at_each(lake)

    erase(lake, "id IN (2, 5)")

    lake.upkeep.clean_up(older_than_s=0)
    after = rows_at_each(lake)
    assert {version: after[version] for version in before} == without(before, 2, 5)
    assert [(one.rows, one.deleted) for one in lake.history("t")] == [(7, 0)] * 3
    assert list(lake.places.data.rglob("*-delete.parquet")) == []
    for version in before:
        lake.require_intact(["t"], version)
    merge_words(lake, "t", word("c", 1, 2), gone="SELECT CAST(8 AS BIGINT) AS id", run_id="c")
    assert [(one.rows, one.replaced, one.deleted) for one in lake.history("t")[:1]] == [(6, 1, 1)]
    assert lake.verify() == []


def test_numbers_of_deleted_rows_move_up_with_their_rows(lake: Lake) -> None:
    put(lake, "t", word("a", 0, 50), run_id="a")
    for turn in range(2):
        merge_words(lake, "t", word(f"b{turn}", turn * 9, turn * 9 + 5), gone=one_id(49 - turn), run_id=f"{turn}")
    before = rows_at_each(lake)

    erase(lake, "id % 3 = 0 OR id > 47")

    after, ids = rows_at_each(lake), [i for i in range(50) if i % 3 == 0 or i > 47]
    assert {version: after[version] for version in before} == without(before, *ids)
    compact(lake)
    after = rows_at_each(lake)
    assert after[max(after)] == without(before, *ids)[max(before)]
    assert lake.verify() == []


def test_rows_of_a_large_file_keep_their_order_and_their_marks(lake: Lake) -> None:
    put(lake, "t", "SELECT (i * 7919) % 400009 AS id, 'a' AS word FROM range(400009) AS t(i)", run_id="a")
    merge(lake, "t", "SELECT i AS id, 'b' AS word FROM range(0, 400009, 4) AS t(i)", run_id="b")

    erase(lake, "id % 6 = 1 OR id % 12 = 0")

    with lake.session() as session:
        kept = session.fetch("SELECT id FROM t WHERE word = 'a'")
        new = session.fetch("SELECT count(*), min(id % 4), max(id % 4), min(id % 12) FROM t WHERE word = 'b'")
    ids = ((i * 7919) % 400009 for i in range(400009))
    assert kept == [(i,) for i in ids if i % 4 and i % 6 != 1 and i % 12]
    assert new == [(66668, 0, 0, 4)]
    assert lake.history("t")[0].rows == len(kept) + 66668


def one_id(number: int) -> str:
    return f"SELECT CAST({number} AS BIGINT) AS id"


def test_what_is_known_of_forgotten_snapshots_counts_without_erased_rows(tmp_path: Path) -> None:
    told = []
    for place, where in (("all", "true"), ("never", "i NOT IN (2, 3)")):
        with opened(tmp_path / place) as lake:
            put(lake, "t", mails(where=where), run_id="a")
            append(lake, "t", mails(where=where, first=10, end=14), run_id="b")
            merge_words(lake, "t", mails(where=where, first=2, end=4), gone=one_id(5), run_id="c")
            append(lake, "t", mails(where=where, first=20, end=22), run_id="d")
            merge_words(lake, "t", mails(where="false"), gone="FROM range(10, 14) AS t(id)", run_id="e")
            append(lake, "t", mails(where=where, first=30, end=31), run_id="f")
            put(lake, "u", mails(where=where), run_id="g")
            expire_all_but(lake, 4, 7)
            erase(lake, "id IN (2, 3)")
            finish(lake)
            append(lake, "t", mails(where=where, first=40, end=41), run_id="h")
            assert lake.verify() == []
            counts = [(one.rows, one.added, one.replaced, one.deleted) for one in lake.history("t")]
            newest = lake.newest(["t"], 4)
            told.append((counts, rows_at_each(lake)[4], newest and newest.rows, traces(lake, MAIL)))
            expire_all_but(lake, lake.upkeep.snapshots()[-1].version)
            lake.upkeep.clean_up(older_than_s=0)
            assert lake.verify() == []

    assert told[0] == told[1]
    assert told[0][-1] == []


def test_the_rows_of_a_table_that_was_dropped_go_from_its_past(lake: Lake) -> None:
    version = put(lake, "t", mails()).version
    lake.drop("t", run_id="b", step="drop", guard=no_guard)

    erase(lake, THIRD)

    assert lake.tables() == {}
    assert [row["id"] for row in rows_at_each(lake)[version]["t"]] == [0, 1, 2, 4, 5, 6, 7]
    with pytest.raises(NotFoundError, match=f"dropped in version {version + 1}") as caught:
        lake.columns("t")
    assert f"VERSION => {version}" in caught.value.hint
    finish(lake)
    assert traces(lake, MAIL) == []
    put(lake, "t", word("again", 0, 2), run_id="c")
    assert [one.run_id for one in lake.history("t")] == ["c", "run-1"]
    assert lake.verify() == []


def test_files_written_anew_as_few_lose_rows_like_those_before_them(lake: Lake) -> None:
    put(lake, "t", mails(), run_id="a")
    append(lake, "t", mails(first=10, end=14), run_id="b")
    merge(lake, "t", mails(where="i IN (3, 11)", end=12), run_id="c")
    compact(lake)
    append(lake, "t", mails(first=20, end=22), run_id="d")
    before = rows_at_each(lake)

    erase(lake, "id IN (3, 12)")

    after = rows_at_each(lake)
    # The engine reads files that have deleted rows first: the file that lost id 3, deleted or not, is no more of these.
    assert {version: by_id(after[version]["t"]) for version in before} == {
        version: by_id(tables["t"]) for version, tables in without(before, 3, 12).items()
    }
    compact(lake)
    merge(lake, "t", mails(where="i IN (4, 20)", end=21), run_id="e")
    expire_all_but(lake, lake.upkeep.snapshots()[-1].version)
    finish(lake)
    assert lake.verify() == []
    assert (count(lake, "t"), lake.history("t")[0].rows) == (12, 12)
    assert traces(lake, MAIL) == []


def test_a_log_that_got_new_columns_is_searched_by_those_each_file_has(lake: Lake) -> None:
    log = "tidemill_log.events"
    append(lake, log, "SELECT CAST(i AS BIGINT) AS id FROM range(5) AS t(i)", run_id="a", system=True, message="one")
    wider = f"SELECT CAST(i AS BIGINT) AS id, CASE WHEN i = 8 THEN '{MAIL}' END AS mail FROM range(5, 9) AS t(i)"
    append(lake, log, wider, run_id="b", system=True, message="two")

    def meant(_: str, columns: Sequence[str]) -> str:
        return f"(id = 3 OR mail = '{MAIL}')" if "mail" in columns else THIRD

    lake.upkeep.erase(lake.upkeep.holding(meant), meant, erasure="e", guard=no_guard)

    with lake.session() as session:
        assert session.fetch(f"SELECT id FROM {log}") == [(0,), (1,), (2,), (4,), (5,), (6,), (7,)]
    newest = lake.newest([log])
    assert newest is not None
    assert (newest.rows, newest.message) == (7, "two")


def test_a_text_of_an_erased_row_is_in_no_file_of_the_lake(lake: Lake) -> None:
    put(lake, "t", mails(), run_id="a")
    append(lake, "t", mails(first=10, end=14), run_id="b")
    merge(lake, "t", mails(where="i IN (3, 11)", end=12), run_id="c")
    put(lake, "replaced", mails(), run_id="d")
    put(lake, "replaced", mails(where="i < 3"), run_id="e")
    put(lake, "gone", mails(), run_id="f")
    lake.drop("gone", run_id="g", step="drop", guard=no_guard)
    append(lake, "tidemill_log.events", mails(), run_id="h", system=True)
    compact(lake)
    holding_it = len(traces(lake, MAIL))

    erase(lake, THIRD)
    finish(lake)

    assert holding_it > 6
    assert traces(lake, MAIL) == []
    assert lake.verify() == []


def test_a_bound_left_of_a_row_that_is_in_no_file_any_more_goes_too(lake: Lake) -> None:
    put(lake, "t", mails(), run_id="a")
    merge_words(lake, "t", mails(where="false"), gone="FROM range(1, 4) AS t(id)", run_id="b")
    compact(lake)  # enough is deleted for the file to be written anew
    put(lake, "emptied", mails(where="i = 3"), run_id="c")
    merge_words(lake, "emptied", mails(where="false"), gone=one_id(3), run_id="d")
    expire_all_but(lake, lake.upkeep.snapshots()[-1].version)
    finish(lake)
    assert traces(lake, MAIL) == ["catalog.sqlite"]

    assert erase(lake, THIRD) == []

    finish(lake)
    assert traces(lake, MAIL) == []
    known = rows_at_each(lake)
    assert erase(lake, THIRD, erasure="again") == []
    assert rows_at_each(lake) == known
    append(lake, "emptied", mails(where="i < 2"), run_id="e")
    append(lake, "t", mails(first=9, end=10), run_id="f")
    with lake.session() as session:
        assert session.fetch("SELECT count(*) FROM t WHERE mail < 'p8'") == [(5,)]
        assert session.fetch("SELECT count(*) FROM emptied WHERE mail = 'p1'") == [(1,)]


def test_a_process_that_knew_the_rows_before_goes_on_without_them(lake: Lake, child: Child) -> None:
    version = put(lake, "t", mails(), run_id="a").version
    append(lake, "t", mails(first=10, end=12), run_id="b")
    newest = lake.tables()["t"]
    lake.require_intact(["t"])
    with lake.session() as before:
        assert before.fetch("SELECT count(*) FROM t") == [(10,)]

        assert child("erase").returncode == 0

        assert lake.tables() == {"t": newest}
        assert lake.damaged() == frozenset()
        for at, rows in ((version, 7), (newest, 9), (None, 9)):
            lake.require_intact(["t"], at)
            found = lake.newest(["t"], at)
            assert found is not None
            assert (found.rows, lake.resting("t", at).rows) == (rows, rows)
            with lake.session(at=at) as session:
                assert session.fetch("SELECT count(*) FROM t") == [(rows,)]
                assert session.fetch(f"SELECT count(*) FROM {lake.resting('t', at).relation}") == [(rows,)]
        assert lake.verify() == []
        assert before.fetch("SELECT count(*) FROM t") == [(9,)]
    append(lake, "t", mails(first=20, end=21), run_id="c")  # this writer knew the bounds of the table
    merge(lake, "t", mails(where="i IN (1, 10)", end=11), run_id="d")
    assert [one.rows for one in lake.history("t")] == [10, 10, 9, 7]
    assert traces(lake, MAIL) == []


def test_a_process_that_slept_through_it_all_looks_at_everything_anew(tmp_path: Path, lake: Lake) -> None:
    version = put(lake, "t", mails(), run_id="a").version
    with opened(tmp_path) as other:
        other.require_intact(["t"])
        erase(lake, THIRD)
        put(lake, "u", "SELECT 1 AS one", run_id="b")
        expire_all_but(lake, version, lake.tables()["u"])  # with the commit that tells of the erasure
        lake.upkeep.clean_up(older_than_s=0)

        assert other.history("t")[0].rows == other.resting("t").rows == 7
        other.require_intact(["t"], version)


def test_rows_that_come_in_the_middle_are_a_conflict_that_changes_nothing(lake: Lake) -> None:
    put(lake, "t", mails(), run_id="a")
    held = lake.upkeep.holding(lambda *_: THIRD)

    def meanwhile(*_: object) -> str:
        if lake.landed("b", "append") is None:
            append(lake, "t", mails(where="i = 3"), run_id="b")
        return THIRD

    with pytest.raises(ConflictError, match="tables changed"):
        lake.upkeep.erase(held, meanwhile, erasure="e", guard=no_guard)

    assert count(lake, "t") == 9
    assert lake.verify() == []
    assert lake.sweep(older_than_s=0) == []
    compact(lake)
    expire_all_but(lake, lake.upkeep.snapshots()[-1].version)
    with pytest.raises(ConflictError, match="tables changed"):  # a file that was found is there no more
        lake.upkeep.erase(held, lambda *_: THIRD, erasure="e", guard=no_guard)
    assert [one.read for one in erase(lake, THIRD)] == [False] * 3


def test_an_appender_and_an_eraser_side_by_side_end_with_no_such_row(tmp_path: Path, lake: Lake) -> None:
    put(lake, "t", mails(), run_id="a")

    def appending() -> None:
        with opened(tmp_path) as other:
            for turn in range(3):
                append(other, "t", mails(first=2, end=5), run_id=f"{turn}")

    thread = threading.Thread(target=appending)
    thread.start()
    turn = 0
    while thread.is_alive() or any(one.read for one in lake.upkeep.holding(lambda *_: THIRD)):
        turn += 1
        try:
            erase(lake, THIRD, erasure=f"erasure-{turn}")
        except ConflictError:
            continue
    thread.join()

    assert count(lake, "t") == lake.history("t")[0].rows == 7 + 3 * 2
    assert lake.verify() == []
    finish(lake)
    assert traces(lake, MAIL) == []


def test_files_that_nobody_reads_are_searched_and_half_written_ones_passed_over(lake: Lake) -> None:
    put(lake, "t", mails(), run_id="a")
    staged = stage(lake, "u", mails(), attempt="killed")
    (lake.places.data / "main" / "t" / "half.parquet").write_bytes(b"PAR1 and no more")
    path = lake.places.lake / lake.files("t")[0].path
    shutil.copy(path, path.with_name("orphan.parquet"))

    left = erase(lake, THIRD)

    assert all(not one.read for one in left)
    assert sorted(one.path for one in left) == sorted(
        [lake.places.relative(path), "data/main/t/orphan.parquet", staged.files[0].path]
    )
    assert {one.table for one in left} == {"t", ""}
