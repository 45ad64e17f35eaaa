"""What a query or LOAD DATA says of the files it reads, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """A place of a query that reads files: ``FROM 'x.csv'``, or ``FROM read_csv('x.csv', delim = ';')``.

    Parameters
    ----------
    reader
        The function, lower-case; '' where a file's name stands alone.
    options
        What the function is told, as plain values by lower-case name.
    alias
        The name under which the engine knows the rows when the query gives them none.
    start, stop
        Its place in the statement's text; None where that is not known.
    """

    reader: str
    patterns: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    alias: str = ""
    start: int | None = None
    stop: int | None = None


ReadFiles = Callable[[FileRead], "str | None"]
"""Says in engine SQL how files are read; None leaves them to the engine."""
