"""Computing a query into Parquet files that nobody sees yet: written, fsynced, hashed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.digest import digest_bytes, digest_file
from tidemill.core.errors import DataError
from tidemill.core.faults import fault
from tidemill.core.names import quote_name, quote_text
from tidemill.warehouse.duckdb.locks import claim
from tidemill.warehouse.duckdb.places import Places, make_folder, sync
from tidemill.warehouse.duckdb.session import DuckSession, bare, check_names
from tidemill.warehouse.duckdb.types import stored_type
from tidemill.warehouse.duckdb.verify import size_of
from tidemill.warehouse.protocol import ArrowStream, Column, DataFile, Staged

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

    from tidemill.warehouse.duckdb.engine import Engine

# Measured on 5 M rows of six mixed columns: of snappy, lz4 and zstd in versions 1 and 2, this is the smallest and as
# fast as any. Level 1 of zstd costs a third less than the default 3 and is as small. A smaller limit of dictionaries is
# faster on numbers, and makes texts of 15,000 values three times as large. One file keeps the query's order (several do
# not, DuckDB writes them side by side); it is read in parallel all the same, by row groups.
FORMAT = (
    "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880, RETURN_STATS"
)

_COPY_HEAD = "COPY (\n"


class Attempts:
    """The attempts of this process, each with a claim on its folder that ends with the process."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._claims: dict[Path, int] = {}

    def folder(self, attempt: str, table: str) -> Path:
        """The folder of an attempt at one table, made and claimed."""
        path = self._places.staging / _file_name(attempt, table)
        if path not in self._claims:
            make_folder(self._places.staging)
            handle = claim(path.with_suffix(".lock"))
            if handle is not None:
                self._claims[path] = handle
        make_folder(path)
        return path

    def finish(self, folder: Path) -> None:
        """Give up an attempt's folder when nothing is left in it."""
        try:
            folder.rmdir()
        except OSError:
            return  # other files of the attempt still wait, or it is gone
        folder.with_suffix(".lock").unlink(missing_ok=True)
        handle = self._claims.pop(folder, None)
        if handle is not None:
            os.close(handle)

    def close(self) -> None:
        """Drop all claims; the files stay until they are swept."""
        for handle in self._claims.values():
            os.close(handle)
        self._claims.clear()


def stage(
    session: DuckSession,
    sql: str,
    relations: Mapping[str, ArrowStream] | None,
    *,
    table: str,
    folder: Path,
) -> Staged:
    """Compute a query into a new file of the folder."""
    places = session.engine.places
    path = folder / f"{os.urandom(16).hex()}.parquet"
    try:
        with session.connection(sql, relations, prefix=len(_COPY_HEAD)) as cursor:
            rows = _copy(session, cursor, sql, path)
            fault("stage.before_sync")
            with ThreadPoolExecutor(max_workers=1) as pool:  # the disk writes while a core hashes
                digest = pool.submit(digest_file, path)
                sync(path)
                sync(folder)
            size = path.stat().st_size
            relation = f"read_parquet([{quote_text(str(path))}])"
            columns = _columns(cursor.sql(f"FROM {relation}"))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    fault("stage.after_sync")
    file = DataFile(path=places.relative(path), sha256=digest.result(), bytes=size, rows=rows)
    return Staged(table=table, columns=columns, files=(file,), rows=rows, relation=relation)


def staged_again(engine: Engine, table: str, files: Sequence[DataFile]) -> Staged | None:
    """Look at files that were staged before; None when one is not what was written."""
    paths = [engine.places.lake / file.path for file in files]
    for file, path in zip(files, paths, strict=True):
        if size_of(path) != file.bytes or digest_file(path) != file.sha256:
            return None
    relation = f"read_parquet([{', '.join(quote_text(str(path)) for path in paths)}])"
    cursor = engine.cursor()
    try:
        columns = _columns(cursor.sql(f"FROM {relation}"))
    finally:
        cursor.close()
    rows = sum(file.rows for file in files)
    return Staged(table=table, columns=columns, files=tuple(files), rows=rows, relation=relation)


def discard(staged: Staged, places: Places, attempts: Attempts) -> None:
    """Remove the files of staged rows that will not be published."""
    for file in staged.files:
        path = places.lake / file.path
        path.unlink(missing_ok=True)
        attempts.finish(path.parent)


def _copy(session: DuckSession, cursor: DuckDBPyConnection, sql: str, path: Path) -> int:
    relation = session.bind(cursor, sql)
    check_names(relation.columns)
    casts = _casts(relation)
    query = f"{_COPY_HEAD}{bare(sql)}\n)"
    if casts:
        query = f"COPY (SELECT * REPLACE ({', '.join(casts)}) FROM (\n{bare(sql)}\n))"
    fault("stage.before_copy")
    found = cursor.execute(f"{query} TO {quote_text(str(path))} ({FORMAT})").fetchall()
    return sum(int(row[1]) for row in found)


def _casts(relation: DuckDBPyRelation) -> list[str]:
    """Casts of columns whose type Parquet lacks."""
    casts = []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        stored = stored_type(kind)
        if stored is None:
            raise DataError(
                f"column {name} is of type {kind}, which a table cannot hold",
                hint="turn it into a type that can be stored, for instance with CAST(... AS VARCHAR) or to_json(...)",
                column=name,
                type=str(kind),
            )
        if stored != str(kind):
            quoted = quote_name(name)
            casts.append(f"CAST({quoted} AS {stored}) AS {quoted}")
    return casts


def _columns(relation: DuckDBPyRelation) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True))


def _file_name(attempt: str, table: str) -> str:
    """An attempt at a table as one file name."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", attempt)[:100]
    return f"{plain}-{digest_bytes(f'{attempt}/{table}'.encode())[:12]}"
