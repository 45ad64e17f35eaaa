"""Small words and shapes the commands share: durations, columns of text, colour."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence

from tidemill.core.words import count


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def columns_of_text(rows: Sequence[Sequence[str]], *, widest: int = 60) -> list[str]:
    """Rows as lines with aligned columns; a column wider than ``widest`` does not push the next."""
    widths = [min(widest, max(map(len, column))) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def wrapped(rows: Sequence[Sequence[object]], column: int, width: int) -> list[Sequence[object]]:
    """Rows of which one column is text of any length: what is longer goes on in rows that have nothing else."""
    found: list[Sequence[object]] = []
    for row in rows:
        first, *more = textwrap.wrap(str(row[column]), width, subsequent_indent="  ") or [""]
        found.append([*row[:column], first, *row[column + 1 :]])
        found += [[*[""] * column, line, *[""] * (len(row) - column - 1)] for line in more]
    return found


def wants_colour(stream: object = None) -> bool:
    """Whether a stream is a terminal and nobody asked for plain text."""
    stream = stream or sys.stdout
    return (
        bool(getattr(stream, "isatty", bool)()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def paint(text: str, code: str, *, when: bool) -> str:
    """Text in a colour (an SGR code), when wanted."""
    return f"\x1b[{code}m{text}\x1b[0m" if when else text


def erased_again(erasures: int) -> str:
    """What is said before anything is built or served, when a backup had brought people back."""
    return f"a backup was put back: {count(erasures, 'erasure')} of the ledger carried out again"
