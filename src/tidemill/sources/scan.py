"""Look at files and say how SQL reads all of them: by the readers that a run uses, so that both find the same."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidemill.core.errors import SourceError, TidemillError
from tidemill.core.names import quote_text
from tidemill.sources.bad_rows import BadRow
from tidemill.sources.files import FileScan, Reader, keep_rows
from tidemill.sources.formats import COMPRESSED, FORMATS, Format, format_of, open_files
from tidemill.sources.patterns import files_of
from tidemill.sources.spellings import find_spellings

SHOWN = 3  # bad rows that a note tells


def scan_file(reader: Reader, path: Path) -> FileScan:
    """Look at a file, or at the files of a pattern, and keep their rows. Rows that do not fit are left out and told.

    Raises
    ------
    SourceError
        There is no such file, its kind is unknown, it is empty or damaged, or files of a pattern do not go together.
    """
    files = files_of(str(path), Path.cwd())
    if not files:
        what = "is a folder, not a file" if os.path.isdir(path) else "does not exist"  # noqa: PTH112 - as `is_there`
        raise SourceError(f"{path} {what}", hint="give the path of a data file, or a pattern in quotes: 'data/*.csv'")
    format_ = format_of(path.name)
    if format_ is None:
        known = ", ".join(ending for one in FORMATS for ending in one.endings)
        raise SourceError(
            f"cannot tell what kind of file {path.name} is",
            hint=f"its name should end in one of {known}, with {' or '.join(COMPRESSED)} where it is compressed",
        )
    scan = FileScan(path=path.absolute(), files=tuple(files), reader=format_.reader)
    with tempfile.TemporaryDirectory(prefix="tidemill-scan-") as scratch:
        scan, options = _kept(reader, scan, format_, {}, Path(scratch) / "1")
        if format_.name != "CSV":
            return scan
        spelt, notes = find_spellings(reader, scan.kept)
        if not spelt:
            return scan
        mended, _ = _kept(reader, scan, format_, {**options, **spelt}, Path(scratch) / "2")
        return replace(mended, notes=(*mended.notes, *notes))


def _kept(
    reader: Reader, scan: FileScan, format_: Format, options: Mapping[str, Any], scratch: Path
) -> tuple[FileScan, Mapping[str, Any]]:
    """Read all rows into the session, and say by which options."""
    from tidemill.sources.delimited.read import DelimitedRead

    paths = [(file, file.name) for file in scan.files]
    notes: tuple[str, ...] = ()
    try:
        read = open_files(format_, paths, options, reader, scratch=lambda: scratch, max_bad_rows=None, types={})
    except SourceError as error:
        # A title above the header: in a run a person says so, here we do.
        said = error.facts.get("options")
        if not said or len(paths) > 1:
            raise
        options = {**options, **said}
        notes = (f"what stands above the header is passed over: {error.message}",)
        read = open_files(format_, paths, options, reader, scratch=lambda: scratch, max_bad_rows=None, types={})
    assert read is not None  # noqa: S101 - None is for options that only the engine knows
    if format_.name == "PARQUET":  # is read in place, as often as needed
        return scan, options
    try:
        kept = keep_rows(reader, scan, f"({read.sql()})")
    except TidemillError as error:
        if not read.may_mend(error):
            raise
        read.look_closer()
        kept = keep_rows(reader, scan, f"({read.sql()})")
    bad = _bad_rows(read.bad_rows, read.bad_count)
    # Rows that come later are read as these were, where nothing but these would tell the day from the month.
    forms = read.forms if isinstance(read, DelimitedRead) else {}
    told = {name: _literal(value) for name, value in {**options, **forms}.items()}
    found = replace(kept, options=tuple(told.items()), notes=(*notes, *read.notes, *bad), bad_count=read.bad_count)
    return found, options


def _bad_rows(rows: Sequence[BadRow], count: int) -> tuple[str, ...]:
    if not count:
        return ()
    shown = "; ".join(f"line {row.line} of {row.file}: {row.reason}" for row in rows[:SHOWN])
    more = f"; and {count - SHOWN:,} more" if count > SHOWN else ""
    are = "bad rows are" if count > 1 else "bad row is"
    return (f"{count:,} {are} left out: {shown}{more}",)


def _literal(value: Any) -> str:
    """A value of an option, as SQL."""
    if isinstance(value, list):
        return f"[{', '.join(quote_text(one) for one in value)}]"
    return quote_text(value) if isinstance(value, str) else str(value)
