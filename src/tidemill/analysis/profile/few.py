"""Columns of few different values: each value with its rows says all there is to say, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tidemill.analysis.bins import Bins
from tidemill.analysis.profile.result import Value
from tidemill.analysis.profile.statistics import exact
from tidemill.analysis.table import Column, Table

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST = 5000  # numbers with more different values are counted between edges instead
TOP = 10


def count_each(table: Table, column: Column) -> list[Value] | None:
    """Each finite value of a column with its rows, the most frequent first; None when there are too many."""
    found = table.rows_of(
        f"SELECT {column.finite} AS v, count(*) AS n FROM {table.relation} GROUP BY ALL"
        f" HAVING v IS NOT NULL ORDER BY n DESC, v LIMIT {MOST + 1}"
    )
    return [Value(value=exact(value), rows=int(rows)) for value, rows in found] if len(found) <= MOST else None


def quantiles(values: Array, counts: Array, shares: Sequence[float]) -> list[float]:
    """Quantiles of values with counts, on a straight line between two ranks (as numpy's default)."""
    import numpy as np

    order = np.argsort(values)
    values, ends = values[order], np.cumsum(counts[order])
    places = np.asarray(shares) * (int(ends[-1]) - 1)
    low = np.floor(places)
    left = values[np.searchsorted(ends, low, side="right")]
    right = values[np.searchsorted(ends, np.ceil(places), side="right")]
    return [float(value) for value in left + (right - left) * (places - low)]


def bins_of(values: Array, counts: Array, edges: Sequence[float]) -> Bins:
    """The counts between edges, as `bins.count_bins` has them."""
    import numpy as np

    places = np.searchsorted(np.asarray(edges), values, side="left")
    counted = np.bincount(places, weights=counts, minlength=len(edges) + 1)
    return Bins(edges=tuple(edges), counts=tuple(int(count) for count in counted))
