"""A text and its places: from character offsets to file, line, column and the line itself."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, Self

from tidemill.core.errors import Where
from tidemill.sql.statements import Source


@dataclass(frozen=True, slots=True)
class Text:
    """What a person wrote in one file, with the offset of each line's first character.

    Parameters
    ----------
    file
        The name that messages give it.
    text
        All of it.
    dialect
        The SQL dialect it is written in.
    """

    file: str
    text: str
    dialect: str
    starts: tuple[int, ...] = field(default=(), compare=False, repr=False)
    first_line: int = 1

    @classmethod
    def of(cls, text: str, *, file: str, dialect: str, first_line: int = 1) -> Self:
        """Index the lines of a text, whose first line has this number in its file."""
        starts = [0]
        position = text.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = text.find("\n", position + 1)
        return cls(file, text, dialect, tuple(starts), first_line)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Trees carry their text in `meta`, and sqlglot copies that with every copy of a tree.
        return self

    def line_column(self, offset: int) -> tuple[int, int]:
        """1-based line and column of a character."""
        index = bisect_right(self.starts, offset) - 1
        return index + self.first_line, offset - self.starts[index] + 1

    def where(self, start: int, stop: int) -> Where:
        """The place of the characters from ``start`` up to, not including, ``stop``; carets stay on the first line."""
        start = max(0, min(start, len(self.text)))
        line, column = self.line_column(start)
        first = start - column + 1
        following = line - self.first_line + 1
        last = self.starts[following] - 1 if following < len(self.starts) else len(self.text)
        shown = self.text[first:last].rstrip("\r")
        length = max(1, min(stop, first + len(shown)) - start)
        return Where(file=self.file, line=line, column=column, length=length, text=shown)

    def source(self, start: int, stop: int) -> Source:
        """A part of the text as a `Source` of its own."""
        line, column = self.line_column(start)
        return Source(file=self.file, line=line, column=column, text=self.text[start:stop], dialect=self.dialect)
