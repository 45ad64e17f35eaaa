"""Binned distributions: how many values stand between given edges, for many columns in one scan.

A profile draws its histograms and reads its quantiles from them; whoever compares two sets of rows asks both for the
same edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemill.analysis.table import Table

COLUMNS_PER_SCAN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Counts between edges.

    Parameters
    ----------
    edges
        Rising edges, n of them.
    counts
        n + 1 counts: values up to the first edge (inclusive), between neighbours ``(low, high]``, above the last one.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    def between(self, low: float, high: float) -> int:
        """How many values are in ``(low, high]``; both must be edges, or infinite."""
        return sum(
            count
            for count, left, right in zip(
                self.counts, (float("-inf"), *self.edges), (*self.edges, float("inf")), strict=True
            )
            if left >= low and right <= high
        )

    def quantile(self, share: float, *, low: float, high: float) -> float:
        """The value below which a share of the values stands, on a straight line between two edges.

        Parameters
        ----------
        low, high
            Smallest and largest value.
        """
        target, seen = share * self.total, 0
        left = low
        for count, edge in zip(self.counts, (*self.edges, high), strict=True):
            right = min(max(edge, low), high)
            if count and seen + count >= target:
                return left + (right - left) * max(0.0, target - seen) / count
            seen, left = seen + count, right
        return high


def count_bins(table: Table, edges: Mapping[str, Sequence[float]]) -> dict[str, Bins]:
    """Count the finite values of some columns between edges.

    Parameters
    ----------
    edges
        Rising edges by the column's name; at least one a column.
    """
    known = {column.name: column for column in table.columns}
    found: dict[str, Bins] = {}
    names = list(edges)
    for start in range(0, len(names), COLUMNS_PER_SCAN):
        part = names[start : start + COLUMNS_PER_SCAN]
        items = [
            f"histogram(CAST({known[name].finite} AS DOUBLE), [{', '.join(map(_literal, edges[name]))}])"
            for name in part
        ]
        for name, counted in zip(part, table.first(items), strict=True):
            found[name] = _bins(edges[name], counted)
    return found


def _bins(edges: Sequence[float], counted: Any) -> Bins:
    """The engine leaves out the last count when it is 0, and gives nothing for no values."""
    counts = [int(count) for _, count in counted or ()]
    counts += [0] * (len(edges) + 1 - len(counts))
    return Bins(edges=tuple(edges), counts=tuple(counts))


def _literal(value: float) -> str:
    return f"CAST({value!r} AS DOUBLE)"
