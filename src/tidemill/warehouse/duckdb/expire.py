"""Forgetting snapshots without forgetting what is known of those that stay.

Each snapshot's note says what became of one table in it, and an append's note only what it added. So before a snapshot
goes, what others need of its note is written to a table of ours in the catalogue, each note made whole: all files of
the table with their digests, its rows and bytes, run, step and message (the log's place among them).
A process that is killed between the two leaves a note in both places, which is read once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.errors import InternalError
from tidemill.core.faults import fault
from tidemill.core.names import name_key, quote_text
from tidemill.warehouse.duckdb.commits import (
    FACTS,
    Commit,
    Commits,
    DeleteFile,
    Effect,
    Note,
    note,
    parse,
    read_catalogue,
)
from tidemill.warehouse.duckdb.engine import Engine
from tidemill.warehouse.duckdb.publish import is_system
from tidemill.warehouse.duckdb.shown import alive, any_between, by_table, shown
from tidemill.warehouse.duckdb.verify import file_name, named_files
from tidemill.warehouse.upkeep import Freed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AT_ONCE = 500
"""Snapshots in one transaction: a writer that waits for the lock waits a fraction of a second."""

ROWS_AT_ONCE = 200

HISTORY = 1000
"""Of so many expired versions of a table `history` goes on to tell."""

_ENDED = (
    "SELECT file_size_bytes, begin_snapshot, end_snapshot FROM ducklake_data_file WHERE end_snapshot IS NOT NULL",
    # A delete file ends with its data file, which DuckLake does not write down.
    """
    SELECT d.file_size_bytes, d.begin_snapshot, COALESCE(d.end_snapshot, f.end_snapshot)
    FROM ducklake_delete_file AS d JOIN ducklake_data_file AS f ON f.data_file_id = d.data_file_id
    WHERE COALESCE(d.end_snapshot, f.end_snapshot) IS NOT NULL
    """,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A commit whose note is kept; ``whole`` with its files, else only for `history`."""

    commit: Commit
    whole: bool


def freed_by(engine: Engine, kept: Sequence[int]) -> Freed:
    """The files that nothing reads any more when only some snapshots stay."""
    files = size = 0
    for sql in _ENDED:
        for bytes_, begin, end in read_catalogue(engine, sql):
            if not any_between(kept, begin, end):
                files, size = files + 1, size + bytes_
    return Freed(files=files, bytes=size)


def expire(engine: Engine, commits: Commits, versions: Collection[int]) -> None:
    """Forget some snapshots, at most `AT_ONCE` (the caller holds the writer's lock)."""
    commits.forget()
    rows, there = commits.newer(0), alive(engine)
    kept = [version for version in there if version not in versions]
    known, stay = parse(rows), set(kept)
    counting = set(map(file_name, named_files(engine, "ducklake_delete_file")))
    wanted = [fact for fact in needed(known, kept, counting) if fact.commit.version not in stay]
    facts = [_as_note(fact, counting) for fact in wanted]
    after = parse(sorted([*facts, *(row for row in rows if row[0] in stay)], key=lambda row: row[0]))
    _require_same(known, after, kept)
    fault("expire.before_facts")
    # Earlier facts stay until the snapshots are gone: a process killed before that leaves notes that build on them.
    _write_facts(engine, facts)
    fault("expire.after_facts")
    lake = engine.attach_writer()
    cursor = engine.clerk()
    try:
        cursor.execute("BEGIN TRANSACTION")
        call = f"ducklake_expire_snapshots('{lake}', versions => [{_numbers(versions)}])"
        cursor.execute(f"SELECT count(*) FROM {call}").fetchall()  # its times would ask Python for a time zone
        fault("expire.before_commit")
        cursor.execute("COMMIT")
    finally:
        cursor.close()
        commits.forget()
    fault("expire.after_commit")
    _drop_facts(engine, but=[fact[0] for fact in facts])


def needed(known: Sequence[Commit], kept: Sequence[int], counting: Collection[str] = ()) -> list[Fact]:
    """The commits that tell how every table stands at the snapshots that stay, and those that `history` tells of.

    Parameters
    ----------
    counting
        Names of the delete files that the catalogue has: DuckLake writes those of earlier snapshots anew when more
        rows go, so what a snapshot reads may have its digest in the note of a later one.
    """
    stay = set(kept)
    whole: dict[int, Commit] = {}
    told: dict[int, Commit] = {}
    for commits in by_table(known):
        read = shown(commits, kept)
        while read and read[0].action == "drop":
            read.pop(0)  # before it there is nothing to hide
        for commit in read:
            # The note of a snapshot that stays is not made whole: what it adds to must be.
            chain = commit if commit.version not in stay or commit.whole else commit.before
            if chain is not None:
                whole[chain.version] = chain
                told[chain.rows_from.version] = chain.rows_from
        if read and not is_system(commits[0].table):
            past = [commit for commit in commits if commit.action not in {"drop", "compact"}]
            told |= {commit.version: commit for commit in past[-HISTORY:]}
        told |= {commit.version: commit for commit in commits if _marks(commit, counting)}
    every = {**told, **whole}
    return [Fact(commit=every[version], whole=version in whole) for version in sorted(every)]


def _marks(commit: Commit, counting: Collection[str]) -> tuple[DeleteFile, ...]:
    return tuple(mark for mark in commit.effect.delete_files if file_name(mark.file.path) in counting)


def _as_note(fact: Fact, counting: Collection[str]) -> Note:
    commit = fact.commit
    marks = commit.delete_files if fact.whole else _marks(commit, counting)
    text = note(
        action=commit.action,
        table=commit.table,
        run_id=commit.run_id,
        step=commit.step,
        columns=commit.columns,
        files=commit.files if fact.whole else (),
        effect=Effect(removed=commit.effect.removed, deleted=commit.effect.deleted, delete_files=marks),
        state=commit.state if fact.whole else None,
        whole=(commit.rows, commit.bytes, commit.brought),
    )
    return commit.version, commit.created_at.isoformat(), commit.message, text


def _require_same(before: Sequence[Commit], after: Sequence[Commit], kept: Sequence[int]) -> None:
    """Refuse to forget anything that changes what is known of a table at a snapshot that stays.

    Raises
    ------
    InternalError
        It would. Nothing was changed.
    """
    found = {name_key(commits[0].table): shown(commits, kept) for commits in by_table(after)}
    for commits in by_table(before):
        then, now = shown(commits, kept), found.get(name_key(commits[0].table), [])
        while then and then[0].action == "drop" and len(then) > len(now):
            then.pop(0)
        same = [_state(one) for one in then] == [_state(one) for one in now]
        if not same or (then and then[-1].files != now[-1].files):
            raise InternalError(
                f"expiring snapshots would change what is known of table {commits[0].table}: nothing was expired"
            )


def _state(commit: Commit) -> tuple[object, ...]:
    return (commit.version, commit.action == "drop", commit.as_version(), commit.columns)


def _write_facts(engine: Engine, facts: Sequence[Note]) -> None:
    """Write notes down in one transaction; those that are there already are written anew."""
    with _writing(engine) as (cursor, table):
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {table} "
            "(version BIGINT PRIMARY KEY, created_at VARCHAR, message VARCHAR, note VARCHAR)"
        )
        for start in range(0, len(facts), ROWS_AT_ONCE):
            some = facts[start : start + ROWS_AT_ONCE]
            cursor.execute(f"DELETE FROM {table} WHERE version IN ({_numbers(fact[0] for fact in some)})")
            rows = (f"({fact[0]}, {', '.join(map(quote_text, fact[1:]))})" for fact in some)
            cursor.execute(f"INSERT INTO {table} VALUES {', '.join(rows)}")


def _drop_facts(engine: Engine, *, but: Sequence[int]) -> None:
    """Delete the notes that nothing needs any more."""
    with _writing(engine) as (cursor, table):
        there = {int(row[0]) for row in cursor.execute(f"SELECT version FROM {table}").fetchall()}
        gone = there - set(but)
        if gone:
            cursor.execute(f"DELETE FROM {table} WHERE version IN ({_numbers(gone)})")


@contextlib.contextmanager
def _writing(engine: Engine) -> Iterator[tuple[DuckDBPyConnection, str]]:
    """One transaction on the catalogue's own tables."""
    name = "tidemill_facts"
    engine.attach_sqlite(name)
    cursor = engine.clerk()
    try:
        cursor.execute("BEGIN TRANSACTION")
        yield cursor, f"{name}.{FACTS}"
        cursor.execute("COMMIT")
    finally:
        cursor.close()  # what was not committed is rolled back
        engine.detach(name)


def _numbers(versions: Iterable[int]) -> str:
    return ", ".join(str(int(version)) for version in sorted(versions))
