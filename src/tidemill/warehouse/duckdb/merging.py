"""Rows of a table that others take the place of: taken away inside the transaction that brings the others.

DuckLake writes the positions of rows that go into Parquet files of its own ("delete files"), one for each data file it
touches; the next deletion writes a new one, with the old positions in it. Like data files they reach the catalogue
without fsync, so they are made durable and hashed before the commit. Nothing is inlined in the catalogue
(``DATA_INLINING_ROW_LIMIT 0``): deletions of inlined rows are where DuckLake loses and revives rows
(github.com/duckdb/ducklake/issues/1074, 1084, 1215).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.digest import digest_file
from tidemill.core.errors import ConflictError
from tidemill.core.faults import fault
from tidemill.core.names import quote_name, quote_text
from tidemill.warehouse.duckdb.commits import Commit, DeleteFile, Effect
from tidemill.warehouse.duckdb.places import Places, sync
from tidemill.warehouse.protocol import DataFile, Merge

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from tidemill.warehouse.duckdb.engine import Engine

FILE_COLUMN = "filename"
ROW_NUMBER = "rowid"
"""The engine's hidden columns: a row's file, and its number in the order in which rows were added."""

PATTERN = "ducklake-*-delete.parquet"


def take_away(
    cursor: DuckDBPyConnection, table: str, before: Commit, merge: Merge, *, files: Sequence[DataFile], engine: Engine
) -> Effect:
    """Delete what a merge replaces; ``files`` are the new rows, not yet in the table."""
    places = engine.places
    condition = _has_key(merge, files, places)
    if not condition:
        return Effect()
    there = set(places.data.rglob(PATTERN))
    with engine.roomy():
        removed = int(cursor.execute(f"DELETE FROM {table} WHERE {condition}").fetchall()[0][0])
    fault("merge.deleted")
    marks = [_keep(cursor, path, places) for path in sorted(places.data.rglob(PATTERN)) if path not in there]
    fault("merge.after_sync")
    earlier = {mark.of: mark.file.rows for mark in before.delete_files}
    marked = sum(mark.file.rows - earlier.get(mark.of, 0) for mark in marks)
    emptied = _emptied(cursor, table, before, marks, places=places) if marked < removed else ()
    return Effect(removed=removed, deleted=merge.deletes, delete_files=tuple(marks), emptied=emptied)


def take_out(
    cursor: DuckDBPyConnection, table: str, gone: Sequence[DataFile], files: Sequence[DataFile], *, places: Places
) -> Effect:
    """Take whole files out of a table, for others with the same rows: DuckLake marks each as ended, and writes nothing.

    Raises
    ------
    ConflictError
        They do not hold as many rows as the files that take their place.
    """
    removed = int(cursor.execute(f"DELETE FROM {table} WHERE {among(gone, places)}").fetchall()[0][0])
    written = sum(file.rows for file in files)
    if removed != written:
        raise ConflictError(
            f"{table} changed while its files were written anew: {removed:,} rows are there, {written:,} were written",
            hint="nothing was changed; run tidemill maintain again",
        )
    return Effect(removed=removed, emptied=tuple(file.path for file in gone))


def among(files: Sequence[DataFile], places: Places) -> str:
    """The condition that a row stands in one of some files: the engine opens no other."""
    return f"{FILE_COLUMN} IN ({', '.join(quote_text(str(places.lake / file.path)) for file in files)})"


def _has_key(merge: Merge, files: Sequence[DataFile], places: Places) -> str:
    """Engine SQL: whether a row has the key of one that comes or goes."""
    paths = [*files, *(merge.gone.files if merge.gone else ())]
    if not paths or not merge.keys:
        return ""
    keys = ", ".join(map(quote_name, merge.keys))
    listed = ", ".join(quote_text(str(places.lake / file.path)) for file in paths)
    return f"({keys}) IN (SELECT {keys if len(merge.keys) == 1 else f'({keys})'} FROM read_parquet([{listed}]))"


def _keep(cursor: DuckDBPyConnection, path: Path, places: Places) -> DeleteFile:
    """Make a delete file durable and take its digest."""
    sync(path)
    sync(path.parent)
    count, of = cursor.execute(
        f"SELECT count(*), min(file_path) FROM read_parquet({quote_text(str(path))})"
    ).fetchall()[0]
    file = DataFile(path=places.relative(path), sha256=digest_file(path), bytes=path.stat().st_size, rows=int(count))
    return DeleteFile(of=places.relative(Path(of)), file=file)


def _emptied(
    cursor: DuckDBPyConnection, table: str, before: Commit, marks: Sequence[DeleteFile], *, places: Places
) -> tuple[str, ...]:
    """Data files that lost their last row: DuckLake writes no delete file for them, it drops them."""
    marked = {mark.of for mark in marks}
    rows = cursor.execute(f"SELECT DISTINCT filename FROM {table}").fetchall()
    left = {places.relative(Path(name)) for (name,) in rows}
    return tuple(file.path for file in before.files if file.path not in marked | left)
