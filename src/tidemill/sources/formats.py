"""The formats of files that can be read: one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.core.errors import SourceError, TidemillError

if TYPE_CHECKING:
    from tidemill.sources.bad_rows import BadRow
    from tidemill.sources.files import CopyFolder, Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of file.

    Parameters
    ----------
    name
        As LOAD DATA calls it.
    endings
        Of file names, without what says that a file is compressed.
    reader
        The engine's function.
    other_readers
        Other names of it.
    compressed
        Whether such a file may be compressed as a whole (.gz, .zst).
    extension
        The engine's extension that has the function; '' when it is built in.
    """

    name: str
    endings: tuple[str, ...]
    reader: str
    other_readers: tuple[str, ...] = ()
    compressed: bool = True
    extension: str = ""


FORMATS: tuple[Format, ...] = (
    Format(name="CSV", endings=(".csv", ".tsv", ".txt"), reader="read_csv", other_readers=("read_csv_auto",)),
    Format(
        name="JSON",
        endings=(".json", ".jsonl", ".ndjson"),
        reader="read_json",
        other_readers=("read_json_auto", "read_ndjson", "read_ndjson_auto"),
    ),
    Format(
        name="PARQUET", endings=(".parquet",), reader="read_parquet", other_readers=("parquet_scan",), compressed=False
    ),
    Format(name="EXCEL", endings=(".xlsx",), reader="read_xlsx", compressed=False, extension="excel"),
)
COMPRESSED = (".gz", ".zst")


class FileRelation(Protocol):
    """Files that are read as one relation."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how they are read."""

    @property
    def bad_rows(self) -> tuple[BadRow, ...]:
        """Rows that are not loaded, as far as they are told one by one."""

    @property
    def bad_count(self) -> int:
        """How many rows are not loaded."""

    def sql(self) -> str:
        """The relation, as a query."""

    def may_mend(self, error: TidemillError) -> bool:
        """Whether an error is about rows that were not all looked at."""

    def look_closer(self) -> None:
        """Look at every row, so that the relation reads without surprises."""


def format_of(name: str) -> Format | None:
    """The format that a file's name says, or the pattern of some files."""
    bare = name.lower()
    packed = next((ending for ending in COMPRESSED if bare.endswith(ending)), "")
    bare = bare.removesuffix(packed)
    return next((one for one in FORMATS if bare.endswith(one.endings) and (one.compressed or not packed)), None)


def format_read_by(reader: str) -> Format | None:
    """The format that one of the engine's functions reads."""
    return next((one for one in FORMATS if reader in (one.reader, *one.other_readers)), None)


def open_files(
    format_: Format,
    paths: Sequence[tuple[Path, str]],
    options: Mapping[str, Any],
    reader: Reader,
    *,
    scratch: CopyFolder,
    max_bad_rows: int | None,
    types: Mapping[str, str],
) -> FileRelation | None:
    """Files of one format as a relation; None when they are told something that only the engine understands.

    Parameters
    ----------
    paths
        The files, and their names as a person knows them.
    options
        Of the engine's reader, by lower-case name.
    scratch
        Gives a folder for copies, which must stay until the relation was read.
    max_bad_rows
        More bad rows make it fail; None takes any number, and tells the first ones.
    types
        Declared types of columns.

    Raises
    ------
    SourceError
        They cannot be read, or too many of their rows are bad.
    """
    from dataclasses import replace

    from tidemill.sources.delimited.read import DelimitedRead
    from tidemill.sources.delimited.request import request_of
    from tidemill.sources.json_files import JsonRead
    from tidemill.sources.parquet_files import ParquetRead
    from tidemill.sources.spreadsheets import SheetRead

    if not paths:
        raise SourceError("no file is named")
    match format_.name:
        case "CSV":
            request = request_of(options)
            if request is None:
                return None
            # Who says all_varchar reads texts, and makes the declared types of them in the query.
            declared: dict[str | int, str] = {}
            if not request.texts:
                declared.update(types.items())
            request = replace(request, types=declared | dict(request.types))
            return DelimitedRead(paths, request, reader, scratch=scratch, max_bad_rows=max_bad_rows)
        case "JSON":
            return None if options else JsonRead(paths, reader, scratch=scratch, max_bad_rows=max_bad_rows)
        case "PARQUET":
            return None if options else ParquetRead(paths, reader)
        case _:
            return SheetRead(paths, options, reader)
