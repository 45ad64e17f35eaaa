"""What a profile says: facts of each column by the names of `statistics.STATISTICS`, and facts of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.analysis.table import Kind

FORMAT = 1
"""The version of the JSON shape: it changes when a key changes its meaning or goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value with the number of rows that have it."""

    value: Any
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Rows between neighbouring edges, and how many stand outside of them.

    ``counts[i]`` is of the values in ``(edges[i], edges[i + 1]]``; the first also has those at its left edge.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A kind of personal data that a column may hold, and the share of its values that look so."""

    kind: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A warning in words; ``name`` is its row in `notices.NOTICES`, ``column`` is '' when it is of the table."""

    name: str
    text: str
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column.

    Parameters
    ----------
    facts
        By the names of `statistics.STATISTICS`; only those its kind has.
    sampled
        Names of the facts that were read from the sample.
    approximate
        Names of the facts that are estimates over all rows.
    declared
        The kind of personal data that the project declares of it; its values are hidden then.
    description
        What the project says that it is.
    """

    name: str
    type: str
    kind: Kind
    rows: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    sampled: frozenset[str] = frozenset()
    approximate: frozenset[str] = frozenset()
    declared: str = ""
    description: str = ""

    @property
    def nulls(self) -> int:
        """Rows without a value."""
        return int(self.facts.get("nulls", 0))

    @property
    def filled(self) -> int:
        """Rows with a value."""
        return self.rows - self.nulls

    @property
    def distinct(self) -> int:
        """Different values, perhaps an estimate."""
        return int(self.facts.get("distinct", 0))

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """Kinds of personal data it may hold."""
        found: tuple[Suspect, ...] = self.facts.get("personal", ())
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """How two columns go together; ``measure`` is a row of `associations.MEASURES`."""

    left: str
    right: str
    measure: str
    value: float
    rows: int
    sampled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Columns that give the label away, and how."""

    columns: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile of a table.

    Parameters
    ----------
    sample
        What facts marked as sampled were read from, in words.
    duplicates
        Rows that repeat another one; None when it was not counted.
    keys
        Columns, alone or in pairs, whose values tell each row from all others.
    notes
        How the rows were read, and what was left out for want of room.
    """

    name: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    sample: str
    sample_rows: int
    duplicates: int | None = None
    keys: tuple[tuple[str, ...], ...] = ()
    associations: tuple[Association, ...] = ()
    label: str = ""
    leaks: tuple[Leak, ...] = ()
    notices: tuple[Notice, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def column(self, name: str) -> ColumnProfile:
        """The column of a name."""
        return next(column for column in self.columns if column.name == name)
