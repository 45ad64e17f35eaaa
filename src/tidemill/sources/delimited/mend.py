"""A copy of a text file that the engine reads as it was meant: UTF-8, one kind of line ends, no bad rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidemill.sources.bad_rows import BadRow
from tidemill.sources.delimited.records import Record, Shape, read_records
from tidemill.sources.delimited.survey import Survey
from tidemill.sources.delimited.text_lines import text_lines

RAW_CHARACTERS = 1_000_000  # of a bad row are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class BadCell:
    """A cell that is none of its column's declared type."""

    column: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What came of writing a copy."""

    rows: int
    bad: tuple[BadRow, ...]
    bad_count: int
    longest: int


def mend(
    path: Path,
    copy: Path,
    survey: Survey,
    shape: Shape,
    *,
    shown: str,
    cells: Mapping[int, BadCell],
    keep: int,
) -> Mended:
    """Write the rows that fit, and the header, into a copy; tell of the others.

    Parameters
    ----------
    shown
        The file's name as a person knows it.
    cells
        Rows that are bad because of a cell, by their number among the rows that fit, from 0.
    keep
        How many bad rows are told one by one; the others are counted.
    """
    copy.parent.mkdir(parents=True, exist_ok=True)
    bad: list[BadRow] = []
    count = rows = fitting = longest = 0
    lines = text_lines(path, survey, skip=shape.skip)
    with copy.open("w", encoding="utf-8", newline="") as out:
        header = shape.header
        for record in read_records(lines, shape):
            reason, column = record.reason or _unreadable(record, survey), ""
            if header:
                header = False
                out.write(printable(record.text) + "\n")  # the engine is told the names
                continue
            if not reason:
                cell = cells.get(fitting)
                fitting += 1
                if cell is None:
                    longest = max(longest, len(record.text))
                    out.write(record.text + "\n")
                    rows += 1
                    continue
                reason, column = cell.reason, cell.column
            count += 1
            if len(bad) < keep:
                raw = record.text[:RAW_CHARACTERS].replace("\0", "\\0")
                line = record.line + shape.skip
                bad.append(BadRow(file=shown, line=line, column=column, reason=reason, raw=printable(raw)))
    return Mended(rows=rows, bad=tuple(bad), bad_count=count, longest=longest * 4)


def printable(text: str) -> str:
    r"""Text with its unreadable bytes as ``\xe9``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _unreadable(record: Record, survey: Survey) -> str:
    """What is wrong with the characters of a row."""
    text = record.text
    if "\0" in text:
        return "it has a NUL byte"
    if text.isascii():
        return ""
    stray = next((char for char in text if "\udc80" <= char <= "\udcff"), "")
    if stray:
        byte = ord(stray) & 0xFF
        return f"its byte {byte:#04x} is not {survey.encoding.upper()}: the file has two encodings"
    if survey.also == "utf-8" and _was_utf8(text, survey.encoding):
        return f"it is UTF-8 in a file that is {survey.encoding}: the file has two encodings"
    return ""


def _was_utf8(text: str, encoding: str) -> bool:
    try:
        return bool(text.encode(encoding).decode("utf-8"))
    except UnicodeError:
        return False
