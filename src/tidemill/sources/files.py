"""One file on this machine, as SQL reads it: the reader, its options, and what is worth saying of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.core.names import quote_text
from tidemill.sources.patterns import quote_file

if TYPE_CHECKING:
    import pyarrow as pa

ROW_NUMBER = "tm_row"  # the first column of kept rows: their place in the file


class Reader(Protocol):
    """What sniffing needs of a session: SQL in, rows out."""

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run a query."""

    def schema(self, sql: str) -> pa.Schema:
        """The columns of a query."""

    def materialise(self, sql: str) -> str:
        """Keep a result; returns the name to read it under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileScan:
    """How SQL reads a file.

    Parameters
    ----------
    options
        Names and SQL texts of the reader's options.
    notes
        What a person should know of them.
    kept
        The relation in the session that holds exactly these rows, after `ROW_NUMBER`; '' when they are not kept.
    """

    path: Path
    reader: str
    options: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    kept: str = ""

    @property
    def encoding(self) -> str:
        """The file's encoding."""
        return dict(self.options).get("encoding", "'utf-8'").strip("'")

    def sql(self, path: str = "") -> str:
        """The relation: ``'file.csv'`` where that is enough, else a call of the reader."""
        shown = quote_text(path) if path else quote_file(self.path)
        bare = self.path.name.lower().endswith((".csv", ".tsv", ".parquet", ".json", ".jsonl", ".ndjson"))
        if not self.options and bare:
            return shown
        if len(self.options) < 3:
            return f"{self.reader}({', '.join([shown, *(f'{name} = {value}' for name, value in self.options)])})"
        lines = [shown, *(f"{name} = {value}" for name, value in self.options)]
        return f"{self.reader}(\n  " + ",\n  ".join(lines) + "\n)"

    def with_options(self, *options: tuple[str, str], note: str = "") -> FileScan:
        """The same scan with more options."""
        notes = (*self.notes, note) if note else self.notes
        return FileScan(path=self.path, reader=self.reader, options=(*self.options, *options), notes=notes)


def first_row(reader: Reader, sql: str) -> tuple[Any, ...]:
    """The first row of a query that has one."""
    return next(iter(rows(reader, sql)))


def rows(reader: Reader, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a small result as Python values."""
    table = reader.query(sql).read_all()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def keep_rows(reader: Reader, scan: FileScan, source: str = "") -> FileScan:
    """Read the whole file into the session, once; ``source`` is another way to read it."""
    name = reader.materialise(f"SELECT row_number() OVER () AS {ROW_NUMBER}, * FROM {source or scan.sql()}")
    return replace(scan, kept=name)


def describe(reader: Reader, scan: FileScan) -> list[tuple[str, str]]:
    """Names and types of the columns."""
    source = f"SELECT * EXCLUDE ({ROW_NUMBER}) FROM {scan.kept}" if scan.kept else f"SELECT * FROM {scan.sql()}"
    found = rows(reader, f"SELECT column_name, column_type FROM (DESCRIBE {source})")
    return [(str(name), str(type_)) for name, type_ in found]


def shown_path(path: Path, project: Path) -> str:
    """The path to write into a project's SQL: from its folder when they are near each other, else absolute."""
    path, project = path.resolve(), project.resolve()
    relative = Path(os.path.relpath(path, project))
    shared = Path(os.path.commonpath([path, project]))
    near = relative.parts.count("..") <= 3 and shared != Path(path.anchor)
    return (relative if near else path).as_posix()
