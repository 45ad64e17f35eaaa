"""Small files of a table written anew as few: which ones, and how their rows stay the same.

A new file stands behind all others in the order of rows, and training depends on that order (decision 0002). So what
is written anew is always the end of a table, except for tables with a layout, whose rows have no order of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tidemill.core.errors import CorruptError
from tidemill.core.faults import fault
from tidemill.core.names import name_key, quote_name
from tidemill.warehouse.duckdb.commits import Commit, read_catalogue
from tidemill.warehouse.duckdb.engine import Engine
from tidemill.warehouse.duckdb.merging import FILE_COLUMN, ROW_NUMBER, among
from tidemill.warehouse.duckdb.publish import split_table
from tidemill.warehouse.duckdb.session import DuckSession
from tidemill.warehouse.duckdb.staging import stage
from tidemill.warehouse.duckdb.verify import file_name
from tidemill.warehouse.protocol import DataFile
from tidemill.warehouse.upkeep import Compaction

GROWTH = 4
"""A file joins the small ones behind it while it is no larger than this many times all of them: each row is then
written anew a few times in its life, not once a day."""

STUCK = 64
"""So many small files in front of a large one are worth writing the large one too."""

DELETED_SHARE = 0.3
"""Files whose rows are deleted to this share are written without them."""

_DELETED = """
SELECT f.path, sum(d.delete_count) FROM ducklake_delete_file AS d
JOIN ducklake_data_file AS f ON f.data_file_id = d.data_file_id
WHERE d.end_snapshot IS NULL AND f.end_snapshot IS NULL GROUP BY f.path
"""


def deleted_rows(engine: Engine) -> dict[str, int]:
    """Rows that were deleted from each file, by the file's name; files without any are left out."""
    return {file_name(path): int(rows) for path, rows in read_catalogue(engine, _DELETED)}


def choose(found: Commit, deleted: dict[str, int], *, target_bytes: int, least_files: int) -> Compaction | None:
    """The files of a table that are worth writing anew; None when there are none."""
    if any(name_key(column.name) in {FILE_COLUMN, ROW_NUMBER} for column in found.columns):
        return None  # the table's own columns hide the engine's
    files = found.files
    gone = [deleted.get(file_name(file.path), 0) for file in files]
    start = min(_small(files, target_bytes, least_files), _emptied(files, gone))
    if start == len(files):
        return None
    return Compaction(table=found.table, parts=_parts(files[start:], target_bytes), deleted=sum(gone[start:]))


def _parts(files: Sequence[DataFile], target_bytes: int) -> tuple[tuple[DataFile, ...], ...]:
    """Neighbours that become one file each, of about the target's size."""
    parts: list[list[DataFile]] = [[]]
    for file in files:
        if sum(one.bytes for one in parts[-1]) >= target_bytes:
            parts.append([])
        parts[-1].append(file)
    return tuple(map(tuple, parts))


def _small(files: Sequence[DataFile], target_bytes: int, least_files: int) -> int:
    """Where the small files at the end begin; the number of files when they are too few."""
    small = [index for index, file in enumerate(files) if file.bytes < target_bytes // 2]
    start, taken = len(files), 0
    while start and files[start - 1].bytes < target_bytes // 2:
        size = files[start - 1].bytes
        if taken and size > GROWTH * taken and len(files) - start >= least_files:
            break
        start, taken = start - 1, taken + size
    if len(small) - (len(files) - start) >= STUCK:
        return small[0]
    return start if len(files) - start >= max(least_files, 2) else len(files)


def _emptied(files: Sequence[DataFile], gone: Sequence[int]) -> int:
    """The first file from which on the deleted rows are many enough; the number of files when nowhere."""
    best, rows, lost = len(files), 0, 0
    for index in range(len(files) - 1, -1, -1):
        rows, lost = rows + files[index].rows, lost + gone[index]
        if gone[index] and lost >= DELETED_SHARE * rows:
            best = index
    return best


def write_anew(session: DuckSession, chosen: Compaction, folder: Path) -> tuple[DataFile, ...]:
    """Stage each part as one file, in the order of the rows; no lock is held."""
    schema, name = split_table(chosen.table, system=True)
    table = f"{quote_name(schema)}.{quote_name(name)}"
    written: list[DataFile] = []
    for part in chosen.parts:
        # A long IN becomes a join, which gives rows in any order. Row numbers grow as rows were added.
        sql = f"SELECT * FROM {table} WHERE {among(part, session.engine.places)} ORDER BY {ROW_NUMBER}"
        written += stage(session, sql, None, table=chosen.table, folder=folder).files
        fault("compact.staged")
    return tuple(written)


def damaged(table: str, file: DataFile, detail: str) -> CorruptError:
    """The error for a file that is not what was written: what is wrong is not written anew as if it were right."""
    return CorruptError(
        f"table {table} is damaged: {file.path}: {detail}",
        hint="tidemill verify lists all damage; tidemill run --full-refresh builds the table again",
        table=table,
        file=file.path,
    )
