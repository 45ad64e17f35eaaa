"""Rows taken out of every snapshot at once, as if they had never been.

`DELETE` erases nothing: the rows stay in the files that older snapshots read, and their least and greatest values in
the catalogue's statistics. Here each file that has such rows is written anew without them, the numbers of deleted rows
beside it are moved up, and one transaction on the catalogue puts the new files in the place of the old: in every
snapshot, in the statistics, and in the notes of our commits. Snapshots keep their numbers and stay readable. The old
files wait for the clean-up.

The last row of that transaction is a commit that moves no rows (an empty compaction): other processes know by it that
notes were written anew (`commits.REWRITTEN`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.core.digest import digest_file
from tidemill.core.errors import ConflictError, CorruptError
from tidemill.core.faults import fault
from tidemill.core.names import name_key, quote_text
from tidemill.warehouse.duckdb.commits import AUTHOR, FACTS, Commit, Commits, has_facts, note, read_catalogue
from tidemill.warehouse.duckdb.erased_bounds import Bounds, Named, as_bounds, bounds_of, named_columns, table_bounds
from tidemill.warehouse.duckdb.erased_notes import Erased, without_rows
from tidemill.warehouse.duckdb.holding import columns_of, relation_of
from tidemill.warehouse.duckdb.places import move, sync
from tidemill.warehouse.duckdb.staging import FORMAT
from tidemill.warehouse.duckdb.verify import file_name
from tidemill.warehouse.protocol import DataFile
from tidemill.warehouse.upkeep import Condition, Holding

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from tidemill.warehouse.duckdb.engine import Engine
    from tidemill.warehouse.duckdb.places import Places

_DATA = """
SELECT data_file_id, table_id, begin_snapshot, end_snapshot, path, path_is_relative, record_count
FROM ducklake_data_file
"""
_MARKS = """
SELECT delete_file_id, data_file_id, begin_snapshot, path, path_is_relative, delete_count FROM ducklake_delete_file
"""
_SNAPSHOT = "SELECT max(snapshot_id) FROM ducklake_snapshot"
_ALL_NOTES = f"SELECT snapshot_id, commit_extra_info FROM ducklake_snapshot_changes WHERE author = '{AUTHOR}'"
_ALL_FACTS = f"SELECT version, note FROM {FACTS}"

_SNAPSHOT_COLUMN = "_ducklake_internal_snapshot_id"

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anew:
    """A file of the catalogue written anew; ``file`` is None where nothing is left to write."""

    row: Row
    old: Path
    new: Path | None
    file: DataFile | None
    bounds: Bounds = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything one transaction changes; made without a lock, true while ``seen`` is what the catalogue says.

    Parameters
    ----------
    bounds
        The least and the greatest value that the statistics of a whole table tell from now on, where they change, by
        the numbers of table and column.
    """

    seen: tuple[list[Row], list[Row]]
    data: list[Anew]
    marks: list[Anew]
    erased: dict[str, Erased]
    bounds: dict[tuple[int, int], tuple[str | None, str | None]]

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not self.data and not self.bounds


def plan(engine: Engine, held: Sequence[Holding], condition: Condition, folder: Path) -> Plan:
    """Write the files anew that have rows to erase, into a folder; no lock is held."""
    seen = _seen(engine)
    wanted = {file_name(one.path): one for one in held if one.read}
    columns, there = named_columns(engine), _on_disk(engine)
    made = Plan(seen=seen, data=[], marks=[], erased={}, bounds={})
    cursor = engine.cursor()
    try:
        for row in seen[0]:
            one = wanted.pop(file_name(row[4]), None)
            if one is None:
                continue
            old = engine.places.lake / one.path
            meant = condition(one.table, columns_of(cursor, relation_of([old])))
            written = _data_file(cursor, row, old, meant, columns[row[1]], folder)
            found, deleted = [mark for mark in seen[1] if mark[1] == row[0]], dict[int, int]()
            if found:
                gone = _gone_rows(cursor, old, meant)
                for mark in found:
                    place = there(file_name(mark[3]))  # of tables with odd names it lies elsewhere than the data
                    made.marks.append(_delete_file(cursor, mark, place, written, gone, deleted, folder))
                cursor.execute(f"DROP TABLE {gone}")
            made.data.append(written)
            made.erased[old.name] = Erased(
                table=one.table,
                rows=one.rows,
                begin=int(row[2]),
                end=row[3],
                deleted=deleted,
                unmarked=bool(found) and made.marks[-1].file is None,
            )
            fault("erase.staged")
        if wanted:
            raise _changed()
        changed = {int(one.row[1]) for one in made.data}
        files_of = partial(_files_of, made, there)
        made.bounds.update(table_bounds(engine, cursor, changed, files_of, columns))
    finally:
        cursor.close()
    return made


def carry_out(engine: Engine, commits: Commits, made: Plan, *, erasure: str) -> None:
    """Put the new files in the place of the old (the caller holds the writer's lock).

    Raises
    ------
    ConflictError
        Files came or went since they were looked at. Nothing was changed.
    """
    if _seen(engine) != made.seen:
        raise _changed()
    for one in (*made.data, *made.marks):
        if one.new is not None and one.file is not None:
            move(one.new, one.old.with_name(one.new.name))
    fault("erase.moved")
    commits.forget()
    name = "tidemill_erasing"
    # Before the transaction begins: whoever looks at the catalogue during it attaches nothing to the instance.
    changes = _changes(engine, commits, made, erasure=erasure, catalogue=name)
    engine.attach_sqlite(name)
    cursor = engine.clerk()
    try:
        cursor.execute("BEGIN TRANSACTION")
        for sql in changes:
            cursor.execute(sql)
        fault("erase.before_commit")
        cursor.execute("COMMIT")
    finally:
        cursor.close()
        engine.detach(name)
        commits.forget()
    fault("erase.after_commit")


def _changed() -> ConflictError:
    return ConflictError("tables changed while rows were taken out of their files", hint="try again")


def _seen(engine: Engine) -> tuple[list[Row], list[Row]]:
    data, marks = (sorted(read_catalogue(engine, sql), key=lambda row: int(row[0])) for sql in (_DATA, _MARKS))
    return data, marks


def _on_disk(engine: Engine) -> Callable[[str], Path]:
    """Where files lie, by their names; one that is missing is for the engine to tell, which does not find it either."""
    there = {path.name: path for path in engine.places.data.rglob("*.parquet")}
    return lambda name: there.get(name, engine.places.data / name)


def _files_of(made: Plan, there: Callable[[str], Path], table: int) -> list[Path]:
    """Every data file of a table as it will be."""
    anew = {one.old.name: one.new for one in made.data}
    names = [file_name(row[4]) for row in made.seen[0] if row[1] == table]
    return [anew.get(name) or there(name) for name in names]


def _data_file(
    cursor: DuckDBPyConnection, row: Row, old: Path, meant: str, columns: Mapping[int, Named], folder: Path
) -> Anew:
    new = folder / f"{os.urandom(16).hex()}.parquet"
    kept = f"SELECT * FROM {relation_of([old])} WHERE ({meant}) IS NOT TRUE"
    cursor.execute(f"COPY ({kept}) TO {quote_text(str(new))} ({FORMAT})")
    rows = int(cursor.execute(f"SELECT count(*) FROM {relation_of([new])}").fetchall()[0][0])
    return Anew(row=row, old=old, new=new, file=_made(new, rows), bounds=bounds_of(cursor, [new], columns))


def _gone_rows(cursor: DuckDBPyConnection, old: Path, meant: str) -> str:
    """The name of a table of the numbers of the rows that go, each with how many go up to it."""
    name = f"tidemill_gone_{os.urandom(8).hex()}"
    # Not by the engine's own file_row_number, which a column of that name hides.
    numbered = f"SELECT *, row_number() OVER () - 1 AS tidemill_place FROM {relation_of([old])}"
    cursor.execute(
        f"CREATE TEMP TABLE {name} AS SELECT tidemill_place AS p, row_number() OVER (ORDER BY tidemill_place) AS n "
        f"FROM ({numbered}) WHERE {meant}"
    )
    return name


def _delete_file(
    cursor: DuckDBPyConnection,
    mark: Row,
    old: Path,
    data: Anew,
    gone: str,
    deleted: dict[int, int],
    folder: Path,
) -> Anew:
    """The numbers of deleted rows as they are without those that go; how many of these each snapshot deleted."""
    relation = relation_of([old])
    since = _SNAPSHOT_COLUMN if _SNAPSHOT_COLUMN in columns_of(cursor, relation) else str(int(mark[2]))
    counted = f"SELECT {since}, count(*) FROM {relation} AS d JOIN {gone} AS g ON d.pos = g.p GROUP BY ALL"
    for snapshot, rows in cursor.execute(counted).fetchall():
        deleted[int(snapshot)] = deleted.get(int(snapshot), 0) + int(rows)
    new = folder / f"ducklake-{os.urandom(16).hex()}-delete.parquet"
    assert data.new is not None  # noqa: S101 - a data file is written anew even when no row is left
    place = quote_text(str(data.old.with_name(data.new.name)))
    moved = f"{place} AS file_path, CAST(d.pos - coalesce(g.n, 0) AS BIGINT) AS pos"
    kept = f"SELECT d.* REPLACE ({moved}) FROM {relation} AS d ASOF LEFT JOIN {gone} AS g ON d.pos >= g.p"
    kept += f" WHERE d.pos NOT IN (SELECT p FROM {gone}) ORDER BY d.pos"
    cursor.execute(f"COPY ({kept}) TO {quote_text(str(new))} (FORMAT parquet)")
    rows = int(cursor.execute(f"SELECT count(*) FROM {relation_of([new])}").fetchall()[0][0])
    if not rows:
        new.unlink()
        return Anew(row=mark, old=old, new=None, file=None)
    return Anew(row=mark, old=old, new=new, file=_made(new, rows))


def _made(path: Path, rows: int) -> DataFile:
    """A file made durable, with its digest; its place is said by its name."""
    sync(path)
    sync(path.parent)
    return DataFile(path=path.name, sha256=digest_file(path), bytes=path.stat().st_size, rows=rows)


def _footer_bytes(path: Path) -> int:
    """The size of a Parquet file's footer: four bytes before the last four say it."""
    with path.open("rb") as file:
        file.seek(-8, os.SEEK_END)
        return int.from_bytes(file.read(4), "little")


def _changes(engine: Engine, commits: Commits, made: Plan, *, erasure: str, catalogue: str) -> list[str]:
    """The statements of the transaction."""
    now = quote_text(datetime.now(UTC).isoformat(sep=" "))
    (newest,) = read_catalogue(engine, _SNAPSHOT)[0]
    place = f"{catalogue}.main."
    found: list[str] = []
    waiting: list[tuple[Path, Row, int]] = []
    for one in made.data:
        found += _data_changes(place, one)
        waiting.append((one.old, one.row, 4))
    for one in made.marks:
        found.append(_mark_change(place, one))
        waiting.append((one.old, one.row, 3))
    # Numbers of files as the newest snapshot would give them: the catalogue's own are taken.
    first = f"(SELECT next_file_id FROM {place}ducklake_snapshot WHERE snapshot_id = {newest})"
    for place_in, (old, row, at) in enumerate(waiting):
        path = quote_text(_whole_path(engine.places, row, at, old))
        relative = row[at + 1]
        found.append(
            f"INSERT INTO {place}ducklake_files_scheduled_for_deletion "
            f"SELECT {first} + {place_in}, {path}, {int(relative)}, {now}"
        )
    found += _table_changes(made, place)
    found += _note_changes(engine, made, place)
    return [*found, *_new_snapshots(commits, made, place, int(newest), len(waiting), erasure=erasure, now=now)]


def _whole_path(places: Places, row: Row, at: int, old: Path) -> str:
    """A file's path as the clean-up reads it: relative to the lake's data, or absolute."""
    return old.relative_to(places.data).as_posix() if row[at + 1] else str(row[at])


def _renamed(path: str, name: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{name}"


def _data_changes(place: str, one: Anew) -> list[str]:
    file, number, path = one.file, int(one.row[0]), one.old
    assert file is not None  # noqa: S101 - a data file is written anew even when no row is left
    footer = _footer_bytes(path.with_name(file.path))
    stats = f"{place}ducklake_file_column_stats"
    sizes = f"record_count = {file.rows}, file_size_bytes = {file.bytes}, footer_size = {footer}"
    renamed = quote_text(_renamed(one.row[4], file.path))
    found = [
        f"UPDATE {place}ducklake_data_file SET path = {renamed}, {sizes} WHERE data_file_id = {number}",
        # A file whose bounds are not known is read for every question.
        f"UPDATE {stats} SET min_value = NULL, max_value = NULL WHERE data_file_id = {number}",
        f"DELETE FROM {place}ducklake_file_variant_stats WHERE data_file_id = {number}",
    ]
    for column, (values, nulls, low, high) in one.bounds.items():
        known = f"value_count = {values + nulls}, null_count = {nulls}, {as_bounds(low, high)}"
        found.append(f"UPDATE {stats} SET {known} WHERE data_file_id = {number} AND column_id = {column}")
    return found


def _mark_change(place: str, one: Anew) -> str:
    number = int(one.row[0])
    if one.file is None:
        return f"DELETE FROM {place}ducklake_delete_file WHERE delete_file_id = {number}"
    footer = _footer_bytes(one.old.with_name(one.file.path))
    return (
        f"UPDATE {place}ducklake_delete_file SET path = {quote_text(_renamed(one.row[3], one.file.path))}, "
        f"delete_count = {one.file.rows}, file_size_bytes = {one.file.bytes}, footer_size = {footer} "
        f"WHERE delete_file_id = {number}"
    )


def _table_changes(made: Plan, place: str) -> list[str]:
    """The statistics of whole tables. DuckLake takes bounds that are not known for those of a table without rows."""
    fewer: dict[int, int] = {}
    for one in made.data:
        if one.row[3] is None:
            fewer[one.row[1]] = fewer.get(one.row[1], 0) + made.erased[one.old.name].rows
    found = [
        f"UPDATE {place}ducklake_table_stats SET record_count = record_count - {rows} WHERE table_id = {table}"
        for table, rows in fewer.items()
    ]
    for (table, column), (low, high) in made.bounds.items():
        only = f"table_id = {table} AND column_id = {column}"
        found.append(f"UPDATE {place}ducklake_table_column_stats SET {as_bounds(low, high)} WHERE {only}")
    return found


def _note_changes(engine: Engine, made: Plan, place: str) -> list[str]:
    """The notes of our commits that name a file which was written anew, or count its rows."""
    kept = [(_ALL_NOTES, "ducklake_snapshot_changes", "snapshot_id", "commit_extra_info")]
    kept += [(_ALL_FACTS, FACTS, "version", "note")] if has_facts(engine) else []
    files = {one.old.name: one.file for one in (*made.data, *made.marks)}
    found = []
    for sql, table, key, column in kept:
        for version, text in read_catalogue(engine, sql):
            changed = without_rows(int(version), text, files=files, erased=made.erased)
            if changed is not None:
                found.append(f"UPDATE {place}{table} SET {column} = {quote_text(changed)} WHERE {key} = {int(version)}")
    return found


def _new_snapshots(
    commits: Commits, made: Plan, place: str, newest: int, files: int, *, erasure: str, now: str
) -> list[str]:
    """A commit for each table that is there and changed, which moves no rows: by it others know that notes changed."""
    tables = _tables_of(commits, made)
    if not tables:
        raise CorruptError(
            "the catalogue reads files that no commit of ours brought", hint="tidemill verify lists them"
        )
    found = []
    for number, table in enumerate(tables, newest + 1):
        text = note(
            action="drop" if table.action == "drop" else "compact",
            table=table.table,
            run_id=erasure,
            step=f"erase:{name_key(table.table)}",
            columns=table.columns,
            files=(),
            rewritten=True,
        )
        like = f"{place}ducklake_snapshot WHERE snapshot_id = {newest}"
        # Others forget the statistics that they know when this number has grown.
        same = f"{number}, {now}, schema_version, next_catalog_id, next_file_id + {max(1, files)}"
        found += [
            f"INSERT INTO {place}ducklake_snapshot SELECT {same} FROM {like}",
            f"INSERT INTO {place}ducklake_snapshot_changes VALUES ({number}, '', '{AUTHOR}', '', {quote_text(text)})",
        ]
    return found


def _tables_of(commits: Commits, made: Plan) -> list[Commit]:
    """The newest commits of the tables whose files changed; where all of these are former ones, that of any table."""
    visible = list(commits.visible().values())
    changed = set(made.erased)
    found = [one for one in visible if changed & {file_name(file.path) for file in one.files}]
    return found or visible[:1] or commits.all()[-1:]
