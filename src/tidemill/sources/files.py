"""Files of this machine, as SQL reads them: the reader, its options, and what is worth saying of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.core.names import quote_text
from tidemill.sources.patterns import quote_file

if TYPE_CHECKING:
    import pyarrow as pa

ROW_NUMBER = "tm_row"  # the first column of kept rows: their place in the file

CopyFolder = Callable[[], Path]
"""Gives a folder for copies of files, made when it is first needed."""


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
    """How SQL reads a file, or the files of a pattern.

    Parameters
    ----------
    path
        As a person gave it, which may be a pattern.
    files
        What it names.
    options
        Names and SQL texts of the reader's options.
    notes
        What a person should know of them.
    bad_count
        How many rows do not fit, and are left out.
    kept
        The relation in the session that holds exactly these rows, after `ROW_NUMBER`; '' when they are not kept.
    """

    path: Path
    files: tuple[Path, ...]
    reader: str
    options: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    bad_count: int = 0
    kept: str = ""

    @property
    def name(self) -> str:
        """What a person calls it: the file's name, or the pattern's."""
        return self.path.name

    @property
    def rows(self) -> str:
        """The relation of its rows in the session."""
        if self.kept:
            return f"(SELECT * EXCLUDE ({ROW_NUMBER}) FROM {self.kept})"
        return f"{self.reader}([{', '.join(map(quote_file, self.files))}])"

    def sql(self, path: str) -> str:
        """The relation as a statement names it: ``'file.csv'`` where that is enough, else a call of the reader."""
        shown = quote_text(path)
        if not self.options:
            return shown
        if len(self.options) < 3:
            return f"{self.reader}({', '.join([shown, *(f'{name} = {value}' for name, value in self.options)])})"
        lines = [shown, *(f"{name} = {value}" for name, value in self.options)]
        return f"{self.reader}(\n  " + ",\n  ".join(lines) + "\n)"


def first_row(reader: Reader, sql: str) -> tuple[Any, ...]:
    """The first row of a query that has one."""
    return next(iter(rows(reader, sql)))


def rows(reader: Reader, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a small result as Python values."""
    table = reader.query(sql).read_all()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def keep_rows(reader: Reader, scan: FileScan, source: str = "") -> FileScan:
    """Read the whole file into the session, once; ``source`` is another way to read it."""
    name = reader.materialise(f"SELECT row_number() OVER () AS {ROW_NUMBER}, * FROM {source or scan.rows}")
    return replace(scan, kept=name)


def describe(reader: Reader, scan: FileScan) -> list[tuple[str, str]]:
    """Names and types of the columns."""
    found = rows(reader, f"SELECT column_name, column_type FROM (DESCRIBE FROM {scan.rows})")
    return [(str(name), str(type_)) for name, type_ in found]


def shown_path(path: Path, project: Path) -> str:
    """The path to write into a project's SQL: from its folder when they are near each other, else absolute."""
    path, project = path.resolve(), project.resolve()
    relative = Path(os.path.relpath(path, project))
    shared = Path(os.path.commonpath([path, project]))
    near = relative.parts.count("..") <= 3 and shared != Path(path.anchor)
    return (relative if near else path).as_posix()
