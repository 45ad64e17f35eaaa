"""How columns go together: numbers with numbers, categories with categories, and one with the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from tidemill.analysis.arrays import values_of
from tidemill.analysis.profile.result import Association
from tidemill.analysis.table import Sample, Table
from tidemill.core.names import quote_name

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_COLUMNS = 40
MOST_CATEGORIES = 100
RANKED_ROWS = 20_000
LEAST_ROWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure of how two columns go together."""

    name: str
    word: str
    doc: str
    between: tuple[str, str]
    low: float = 0.0


MEASURES = (
    Measure(
        name="pearson",
        word="correlation",
        between=("number", "number"),
        low=-1.0,
        doc="Correlation: how near the pairs of numbers are to a straight line.",
    ),
    Measure(
        name="spearman",
        word="rank correlation",
        between=("number", "number"),
        low=-1.0,
        doc="Correlation of the ranks: how near one is to rising (or falling) with the other.",
    ),
    Measure(
        name="cramers_v",
        word="Cramer's V",
        between=("category", "category"),
        doc="Cramer's V, corrected for its bias (Bergsma 2013): 1 when each tells the other.",
    ),
    Measure(
        name="correlation_ratio",
        word="correlation ratio",
        between=("category", "number"),
        doc="Correlation ratio, corrected for its bias (Kelley 1935): the root of the share of the number's variance "
        "that the category explains.",
    ),
)
"""Every measure; all but `pearson` are computed from the sample, `spearman` from at most `RANKED_ROWS` of its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The columns of the sample that can be compared.

    Parameters
    ----------
    numbers
        Values with NaN for NULL.
    categories
        Small integers, -1 for NULL.
    square
        Pearson's correlation of the numbers over all rows, in their order, and the rows it is of, as an array of shape
        (2, numbers, numbers); None when it was not counted.
    """

    numbers: Mapping[str, Array]
    categories: Mapping[str, Array]
    square: Array | None = None


def read_categories(table: Table, sample: Sample, names: Sequence[str]) -> dict[str, Array]:
    """Columns of the sample as small integers, -1 for NULL, where they have from 2 to 100 different values.

    Values are told apart by their 64-bit hashes: Arrow's own encoding of texts imports all of its functions (0.1 s).
    """
    import numpy as np

    if not names:
        return {}
    texts = [f"CAST({quote_name(name)} AS VARCHAR)" for name in names]
    counts = table.first([f"count(DISTINCT {text})" for text in texts], sample.relation)
    able = {name: text for name, text, count in zip(names, texts, counts, strict=True) if 2 <= count <= MOST_CATEGORIES}
    if not able:
        return {}
    hashes = ", ".join(f"CASE WHEN {text} IS NOT NULL THEN hash({text}) END" for text in able.values())
    found: dict[str, Array] = {}
    for name, column in zip(able, table.read(f"SELECT {hashes} FROM {sample.relation}").columns, strict=True):
        parts = [values_of(chunk) for chunk in column.chunks]
        values = np.concatenate([values for values, _ in parts])
        there = np.concatenate([np.ones(values.size, bool) if there is None else there for values, there in parts])
        found[name] = np.full(values.size, -1, dtype="int64")
        found[name][there] = np.unique(values[there], return_inverse=True)[1]
    return found


def associate(sides: Sides, *, whole: bool) -> list[Association]:
    """Every pair of columns by every measure that fits them."""
    import numpy as np

    found: list[Association] = []
    with np.errstate(all="ignore"):
        found += _between_numbers(sides, whole=whole)
        for left, right in combinations(sides.categories, 2):
            found += _one(left, right, "cramers_v", *cramers_v(sides.categories[left], sides.categories[right]), whole)
        for category, codes in sides.categories.items():
            for name, values in sides.numbers.items():
                found += _one(category, name, "correlation_ratio", *correlation_ratio(codes, values), whole)
    return found


def _one(left: str, right: str, measure: str, value: float, rows: int, whole: bool) -> list[Association]:
    if rows < LEAST_ROWS or math.isnan(value):
        return []
    return [Association(left=left, right=right, measure=measure, value=value, rows=rows, sampled=not whole)]


def _between_numbers(sides: Sides, *, whole: bool) -> list[Association]:
    names = list(sides.numbers)
    first = {name: values[:: max(1, -(-values.size // RANKED_ROWS))] for name, values in sides.numbers.items()}
    order = {name: order_of(values) for name, values in first.items()}
    found: list[Association] = []
    for (at, left), (other, right) in combinations(enumerate(names), 2):
        if sides.square is None:
            found += _one(left, right, "pearson", *pearson(sides.numbers[left], sides.numbers[right]), whole)
        else:
            value, counted = sides.square[:, at, other]
            found += _one(left, right, "pearson", float(value), int(counted), True)
        all_ranked = whole and first[left].size == sides.numbers[left].size
        found += _one(left, right, "spearman", *spearman(order[left], order[right]), all_ranked)
    return found


def _missing(values: Array) -> Array:
    import numpy as np

    missing: Array = np.isnan(values)
    return missing


def pearson(left: Array, right: Array) -> tuple[float, int]:
    """Pearson's correlation over the rows where both have a value, and how many those are."""
    import numpy as np

    both = ~(_missing(left) | _missing(right))
    x, y = left[both], right[both]
    if x.size < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan"), int(x.size)
    return float(np.corrcoef(x, y)[0, 1]), int(x.size)


def order_of(values: Array) -> Array:
    """The place of each value among the different ones, from 0; -1 for NaN."""
    import numpy as np

    missing = _missing(values)
    places = np.full(values.size, -1, dtype="int64")
    places[~missing] = np.unique(values[~missing], return_inverse=True)[1]
    return places


def spearman(left: Array, right: Array) -> tuple[float, int]:
    """Spearman's rank correlation of two columns by the `order_of` their values, over the rows where both have one.

    Values are sorted once a column: the ranks among the rows of a pair are sums of counts.
    """
    both = (left >= 0) & (right >= 0)
    if both.sum() < 2:
        return float("nan"), int(both.sum())
    return pearson(_ranks(left[both]), _ranks(right[both]))


def _ranks(places: Array) -> Array:
    """Ranks with ties at their mean."""
    import numpy as np

    counts = np.bincount(places)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks


def cramers_v(left: Array, right: Array) -> tuple[float, int]:
    """Cramer's V with the correction for its bias.

    References
    ----------
    W. Bergsma, A bias-correction for Cramer's V and Tschuprow's T, Journal of the Korean Statistical Society 42 (2013),
    323-328, doi:10.1016/j.jkss.2012.10.002.
    """
    import numpy as np

    both = (left >= 0) & (right >= 0)
    x, y = left[both], right[both]
    n = int(x.size)
    if n < 2:
        return float("nan"), n
    counts = np.bincount(x * (int(y.max()) + 1) + y, minlength=(int(x.max()) + 1) * (int(y.max()) + 1))
    counts = counts.reshape(int(x.max()) + 1, -1)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    r, c = counts.shape
    if min(r, c) < 2:
        return float("nan"), n
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / n
    phi2 = float(((counts - expected) ** 2 / expected).sum()) / n
    phi2 = max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1))
    least = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return (min(1.0, (phi2 / least) ** 0.5) if least > 0 else float("nan")), n


def correlation_ratio(codes: Array, values: Array) -> tuple[float, int]:
    """The correlation ratio with the correction for its bias (epsilon).

    References
    ----------
    T. L. Kelley, An unbiased correlation ratio measure, Proceedings of the National Academy of Sciences 21 (1935),
    554-559, doi:10.1073/pnas.21.9.554.
    """
    import numpy as np

    both = (codes >= 0) & ~_missing(values)
    x, y = codes[both], values[both]
    n = int(x.size)
    if n < 3 or np.ptp(y) == 0:
        return float("nan"), n
    y = y - y.mean()
    sizes = np.bincount(x)
    sums = np.bincount(x, weights=y)[sizes > 0]
    sizes = sizes[sizes > 0]
    k = sizes.size
    total = float((y**2).sum())
    if k < 2 or k >= n or not total:
        return float("nan"), n
    within = max(0.0, total - float((sums**2 / sizes).sum()))
    return max(0.0, 1 - within / (n - k) / (total / (n - 1))) ** 0.5, n
