"""The rows of a delimited text, one by one: those that fit, and those that do not, with the reason."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# A quoted value may go over many lines; one that goes over more, or has more characters, was never closed.
MOST_LINES = 10_000
MOST_CHARACTERS = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How fields and rows are told apart.

    Parameters
    ----------
    quote, escape
        '' when no character quotes.
    width
        Fields of a row.
    short
        Whether a row may end early: what is lacking is NULL.
    """

    delimiter: str
    quote: str = '"'
    escape: str = '"'
    header: bool = True
    width: int = 1
    skip: int = 0
    short: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file: the number of its first line, its text without the line's end, and what is wrong with it."""

    line: int
    text: str
    reason: str = ""
    fields: int = 0


def read_records(lines: Iterable[str], shape: Shape) -> Iterator[Record]:
    """Split lines into rows. Empty lines are no rows, unless there is one column.

    A row with a quote that is opened and never properly closed is bad alone: the lines after it are read as if it
    were not there.
    """
    source = _Lines(lines)
    while (line := source.next()) is not None:
        number = source.number
        text = line.removesuffix("\r")
        if not text and shape.width > 1:
            continue
        if not shape.quote or shape.quote not in text:
            yield _judged(number, text, text.count(shape.delimiter) + 1, shape)
            continue
        yield _quoted(number, line, source, shape)


def fields_of(text: str, shape: Shape) -> list[str] | None:
    """The fields of one row; None when its quotes are not in order."""
    if not shape.quote or shape.quote not in text:
        return text.split(shape.delimiter)
    doubled = shape.escape in ("", shape.quote)
    try:
        return next(
            csv.reader(
                [text],
                delimiter=shape.delimiter,
                quotechar=shape.quote,
                doublequote=doubled,
                escapechar=None if doubled else shape.escape,
                skipinitialspace=True,  # the engine takes a quote after blanks for a quote
                strict=True,
            )
        )
    except csv.Error:
        return None


def fits(fields: int, text: str, shape: Shape) -> bool:
    """Whether a row has as many fields as the shape says."""
    # One delimiter at the end of a row is a habit of some writers, and hides no value.
    trailing = fields == shape.width + 1 and text.endswith(shape.delimiter)
    return fields == shape.width or trailing or (shape.short and fields < shape.width)


class _Lines:
    """Lines with their numbers, some of which may be put back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: list[str] = []
        self.number = 0

    def next(self) -> str | None:
        line = self._again.pop() if self._again else next(self._lines, None)
        self.number += line is not None
        return line

    def back(self, lines: list[str]) -> None:
        self._again += reversed(lines)
        self.number -= len(lines)


def _judged(number: int, text: str, fields: int, shape: Shape) -> Record:
    if len(text) > MOST_CHARACTERS:
        return Record(number, text, f"it has {len(text):,} characters, more than the {MOST_CHARACTERS:,} a row may")
    if "\r" in text and (not shape.quote or shape.quote not in text):
        return Record(number, text, "it has a carriage return that ends no line")
    if fits(fields, text, shape):
        return Record(number, text, "", fields)
    reason = f"it has {fields} field{'s' * (fields != 1)}, the header has {shape.width}"
    return Record(number, text, reason, fields)


def _quoted(number: int, line: str, source: _Lines, shape: Shape) -> Record:
    """A row that begins with a line that has a quote; it may go on over the next ones."""
    text = line.removesuffix("\r")
    if not _is_open(line, shape):
        fields = fields_of(text, shape)
        if fields is None:
            return Record(number, text, "a quoted value goes on after its closing quote")
        return _judged(number, text, len(fields), shape)
    parts, size = [line], len(line)
    while len(parts) < MOST_LINES and size < MOST_CHARACTERS:
        more = source.next()
        if more is None:
            break
        parts.append(more)
        size += len(more)
        if shape.quote not in more or _is_open("\n".join(parts), shape):
            continue
        joined = "\n".join(parts).removesuffix("\r")
        fields = fields_of(joined, shape)
        if fields is None:
            break
        if len(fields) == shape.width and shape.width > 1 and all(_is_row(part, shape) for part in parts):
            reason = f"a quote opened here is closed on line {source.number}: {len(parts)} rows would become one"
            return Record(number, joined, reason)
        return _judged(number, joined, len(fields), shape)
    source.back(parts[1:])
    return Record(number, text, "a quote is opened here and not closed where a value ends")


def _is_row(line: str, shape: Shape) -> bool:
    return line.count(shape.delimiter) == shape.width - 1


def _is_open(text: str, shape: Shape) -> bool:
    """Whether a text ends inside of quotes."""
    quote, escape, delimiter = shape.quote, shape.escape, shape.delimiter
    position, inside, start = 0, False, True
    doubled = escape in ("", quote)
    while position < len(text):
        if inside:
            end = text.find(quote, position)
            if end < 0:
                return True
            if not doubled and _escaped(text, end, escape):
                position = end + 1
                continue
            if doubled and text.startswith(quote, end + 1):
                position = end + 2
                continue
            inside, position, start = False, end + 1, False
            continue
        while start and position < len(text) and text[position] == " ":
            position += 1
        if start and text.startswith(quote, position):
            inside, position = True, position + 1
            continue
        following = text.find(delimiter, position)
        if following < 0:
            return False
        position, start = following + 1, True
    return inside


def _escaped(text: str, position: int, escape: str) -> bool:
    count = 0
    while position - count - 1 >= 0 and text[position - count - 1] == escape:
        count += 1
    return count % 2 == 1
