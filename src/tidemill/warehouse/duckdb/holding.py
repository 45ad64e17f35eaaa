"""Looking for rows in every data file on disk: those that snapshots read, and those that none reads any more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.names import quote_text
from tidemill.warehouse.duckdb.commits import read_catalogue
from tidemill.warehouse.duckdb.merging import PATTERN
from tidemill.warehouse.duckdb.verify import file_name
from tidemill.warehouse.upkeep import Condition, Holding

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from tidemill.warehouse.duckdb.engine import Engine
    from tidemill.warehouse.duckdb.places import Places

AT_ONCE = 256
"""Files in one query: each query opens the footers of its files twice."""

_FILE = "tidemill_file"

_NAMED = """
SELECT f.path, f.table_id, s.schema_name, t.table_name, f.begin_snapshot, f.end_snapshot FROM ducklake_data_file AS f
JOIN (SELECT DISTINCT table_id, schema_id, table_name FROM ducklake_table) AS t ON t.table_id = f.table_id
JOIN (SELECT DISTINCT schema_id, schema_name FROM ducklake_schema) AS s ON s.schema_id = t.schema_id
ORDER BY f.table_id, f.data_file_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file on disk. Files of one ``group`` were written for one table as it was made once: columns fit together."""

    path: Path
    table: str
    group: str
    begin: int = 0
    end: int | None = None
    read: bool = True


def holding(engine: Engine, condition: Condition, only: frozenset[str] | None = None) -> list[Holding]:
    """Every data file that has rows of which a condition is true; of those at ``only`` some paths, or of all."""
    import duckdb

    places = engine.places
    found: list[Holding] = []
    cursor = engine.cursor()
    try:
        there = (file for file in _on_disk(engine) if only is None or places.relative(file.path) in only)
        for table, files in _grouped(there):
            rows: dict[str, int] = {}
            with contextlib.nullcontext() if files[0].read else contextlib.suppress(duckdb.Error):
                # What no snapshot reads may be half written, or go meanwhile.
                rows = _rows_of(cursor, table, [file.path for file in files], condition)
            found += [
                Holding(
                    table=file.table,
                    path=places.relative(file.path),
                    rows=rows[str(file.path)],
                    begin=file.begin,
                    end=file.end,
                    read=file.read,
                )
                for file in files
                if str(file.path) in rows
            ]
    finally:
        cursor.close()
    return found


def relation_of(paths: Iterable[Path], *more: str) -> str:
    """Engine SQL that reads some data files by the names of their columns."""
    listed = ", ".join(quote_text(str(path)) for path in paths)
    # Folders named COLUMN=VALUE are partitions, whose columns the files hold as well.
    options = ", ".join(("hive_partitioning => false", "union_by_name => true", *more))
    return f"read_parquet([{listed}], {options})"


def columns_of(cursor: DuckDBPyConnection, relation: str) -> list[str]:
    """The columns of a relation."""
    return [str(row[0]) for row in cursor.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]


def _on_disk(engine: Engine) -> Iterator[_File]:
    places = engine.places
    named = {file_name(row[0]): row for row in read_catalogue(engine, _NAMED)}
    for path in sorted(places.lake.rglob("*.parquet")):
        if path.match(PATTERN):
            continue  # numbers of rows, and no row
        row = named.get(path.name)
        if row is None:
            yield _File(path=path, table=_table_at(places, path), group=str(path), read=False)
            continue
        _, number, schema, table, begin, end = row
        name = table if schema == "main" else f"{schema}.{table}"
        yield _File(path=path, table=name, group=f"table {number}", begin=begin, end=end)


def _table_at(places: Places, path: Path) -> str:
    """The table whose folder a file lies in; '' elsewhere."""
    if not path.is_relative_to(places.data):
        return ""
    parts = path.relative_to(places.data).parts
    if len(parts) != 3:
        return ""
    return parts[1] if parts[0] == "main" else f"{parts[0]}.{parts[1]}"


def _grouped(files: Iterable[_File]) -> Iterator[tuple[str, list[_File]]]:
    """Files that one query can read, with the name of their table."""
    for _, members in groupby(sorted(files, key=lambda file: (file.group, file.path)), key=lambda file: file.group):
        every = list(members)
        for start in range(0, len(every), AT_ONCE):
            yield every[0].table, every[start : start + AT_ONCE]


def _rows_of(cursor: DuckDBPyConnection, table: str, paths: Sequence[Path], condition: Condition) -> dict[str, int]:
    """How many rows of each file are meant, by its path; files without any are left out."""
    meant = condition(table, columns_of(cursor, relation_of(paths)))
    if not meant:
        return {}
    relation = relation_of(paths, f"filename => {quote_text(_FILE)}")
    sql = f"SELECT {_FILE}, count(*) FROM {relation} WHERE {meant} GROUP BY ALL"
    return {str(path): int(rows) for path, rows in cursor.execute(sql).fetchall()}
