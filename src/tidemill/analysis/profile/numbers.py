"""Columns of numbers: edges from the sample, then moments, products and counts of all rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tidemill.analysis.arrays import different, floats, quantiles, values_of
from tidemill.analysis.bins import Bins
from tidemill.analysis.profile.result import Histogram
from tidemill.analysis.profile.scales import round_step
from tidemill.analysis.table import Column, Sample, Table

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_PRODUCTS = 16  # columns whose correlations are counted in all rows: the products grow with their square
ONE_THREAD = 2**18  # multiplications that OpenBLAS does without other threads
SHARES = (0.0005, 0.001, 0.005, *(number / 100 for number in range(1, 100)), 0.995, 0.999, 0.9995)
BARS = 24
FAR = 2.0  # a histogram leaves out what stands so many times the range of 99 % of the values away from it


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Moments of one column over all its finite values."""

    count: int
    mean: float | None = None
    sd: float | None = None
    skew: float | None = None
    kurtosis: float | None = None


def read_sample(table: Table, sample: Sample, columns: Sequence[Column]) -> dict[str, Array]:
    """The finite values of some columns in the sample, as float64 with NaN for all others."""
    if not columns:
        return {}
    items = ", ".join(f"CAST({column.finite} AS DOUBLE)" for column in columns)
    found = table.read(f"SELECT {items} FROM {sample.relation}")
    return {column.name: floats(values) for column, values in zip(columns, found.columns, strict=True)}


def count_moments(
    table: Table, columns: Sequence[Column], guesses: Sequence[Array]
) -> tuple[list[Moments], Array | None]:
    """Moments of each column and Pearson's correlation of each pair, over all rows, in one pass.

    The engine hands out z-scores by the sample's mean and deviation, so that nothing cancels; one matrix product a
    batch adds up z, z squared and "is there" against each other, which holds all sums that moments up to the fourth
    and pairwise correlations are made of. At 10 columns it costs half of the engine's own 45 `corr` (0.35 against
    0.64 s of work for 1 M rows), and mean, deviation and skewness come with it.

    Returns
    -------
    tuple
        The moments; the correlations as a square (NaN where there is none) and the rows they are of, as an array of
        shape (2, columns, columns), or None when there are too many columns.
    """
    import numpy as np

    found: list[Moments] = []
    square = None
    for start in range(0, len(columns), MOST_PRODUCTS):
        part = columns[start : start + MOST_PRODUCTS]
        scales = [_scale(values) for values in guesses[start : start + MOST_PRODUCTS]]
        with np.errstate(all="ignore"):
            sums = _products(table, part, scales)
            found += [_moments(sums, at, len(part), scale) for at, scale in enumerate(scales)]
            if len(columns) <= MOST_PRODUCTS:
                square = _correlations(sums, len(part))
    return found, square


def _scale(values: Array) -> tuple[float, float]:
    """A first guess of the mean and the deviation."""
    import numpy as np

    kept = values[~np.isnan(values)]
    if not kept.size:
        return 0.0, 1.0
    with np.errstate(all="ignore"):
        mean, sd = float(kept.mean()), float(kept.std())
    if not np.isfinite(mean) or not np.isfinite(sd):
        return 0.0, float(np.abs(kept).max())
    return mean, sd or abs(mean) or 1.0


def _products(table: Table, columns: Sequence[Column], scales: Sequence[tuple[float, float]]) -> Array:
    import numpy as np

    width = len(columns)
    items = ", ".join(
        f"(CAST({column.finite} AS DOUBLE) - CAST({mean!r} AS DOUBLE)) / CAST({sd!r} AS DOUBLE)"
        for column, (mean, sd) in zip(columns, scales, strict=True)
    )
    sums = np.zeros((3 * width, 3 * width))
    for batch in table.session.query(f"SELECT {items} FROM {table.relation}", table.relations):
        block = np.empty((3 * width, batch.num_rows))
        for at, column in enumerate(batch.columns):
            z, there = values_of(column)
            block[at] = z if there is None else np.where(there, z, 0.0)
            block[2 * width + at] = 1.0 if there is None else there
        np.multiply(block[:width], block[:width], out=block[width : 2 * width])
        sums += _product(block)
    return sums


def _product(block: Array) -> Array:
    """A block times its transpose, in slices that BLAS multiplies in this thread.

    Its other threads wait by spinning: with the engine's threads at work one large product took 13 times as much time.
    """
    width, rows = block.shape
    step = max(8, ONE_THREAD // width**2)
    whole = rows // step * step
    slices = block[:, :whole].reshape(width, rows // step, step).transpose(1, 0, 2)
    rest = block[:, whole:]
    found: Array = (slices @ slices.transpose(0, 2, 1)).sum(axis=0) + rest @ rest.T
    return found


def _moments(sums: Array, at: int, width: int, scale: tuple[float, float]) -> Moments:
    import numpy as np

    n = float(sums[2 * width + at, 2 * width + at])
    if not n:
        return Moments(count=0)
    first, second = sums[at, 2 * width + at] / n, sums[at, at] / n
    third, fourth = sums[at, width + at] / n, sums[width + at, width + at] / n
    mean, variance = scale[0] + scale[1] * first, second - first**2
    spread = variance > 1e-15 * second
    sd = scale[1] * np.sqrt(max(variance, 0.0) * n / (n - 1)) if n > 1 else None
    skew = (third - 3 * first * second + 2 * first**3) / variance**1.5 if spread else None
    fourth_central = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    kurtosis = fourth_central / variance**2 - 3 if spread else None
    return Moments(
        count=int(n), mean=_plain(mean), sd=_plain(sd) if spread or sd is None else 0.0, skew=_plain(skew),
        kurtosis=_plain(kurtosis),
    )  # fmt: skip


def _correlations(sums: Array, width: int) -> Array:
    """Pearson's correlation of each pair, over the rows where both have a value, and how many those are."""
    import numpy as np

    n, x, xx = sums[2 * width :, 2 * width :], sums[:width, 2 * width :], sums[width : 2 * width, 2 * width :]
    covariance = sums[:width, :width] / n - x * x.T / n**2
    variance = xx / n - (x / n) ** 2
    variance[variance <= 1e-15 * xx / n] = np.nan
    return np.stack([np.clip(covariance / np.sqrt(variance * variance.T), -1, 1), n])


def edges_of(column: Column, ordered: Array, low: float, high: float) -> tuple[list[float], list[float]]:
    """Where to count: edges of the histogram, and those together with quantiles of the sorted sample."""
    import numpy as np

    shares = quantiles(ordered if ordered.size else np.array([low, high]), SHARES)
    bars = bar_edges(low, high, near=(float(shares[2]), float(shares[-3])), whole=column.is_whole)
    spikes = shares[1:][np.diff(shares) == 0]  # values with more than a row in a hundred get a bin of their own
    spikes = np.append(spikes, 0.0)  # so do zeros
    inner = np.concatenate([shares, spikes, np.nextafter(spikes, -np.inf), bars])
    return bars, [float(edge) for edge in different(np.sort(inner))[0]]


def bar_edges(low: float, high: float, *, near: tuple[float, float], whole: bool) -> list[float]:
    """Round edges between which a histogram's bars stand; what is very far away stands outside."""
    span = near[1] - near[0]
    left = max(low, near[0] - span / 10) if span > 0 and low < near[0] - FAR * span else low
    right = min(high, near[1] + span / 10) if span > 0 and high > near[1] + FAR * span else high
    if whole and right - left < BARS:
        return [math.ceil(left) - 0.5 + number for number in range(int(right) - math.ceil(left) + 2)]
    if not right > left or not math.isfinite(right - left):
        return [left, right] if right > left else [left - 0.5, left + 0.5]
    step = round_step((right - left) / BARS)
    if whole:
        step = max(1.0, round(step))
    first, last = math.floor(left / step), math.ceil(right / step)
    digits = 2 - math.floor(math.log10(step))
    return [round(number * step, digits) for number in range(first, last + 1)]


def signs_of(bins: Bins) -> dict[str, int]:
    """How many values are 0, and how many are below it."""
    below = math.nextafter(0.0, -math.inf)
    return {"zeros": bins.between(below, 0.0), "negatives": bins.between(-math.inf, below)}


def histogram_of(bins: Bins, bars: Sequence[float], low: float) -> Histogram:
    """A histogram from finer bins, whose edges have those of the bars among them."""
    counts = [bins.between(left, right) for left, right in pairwise(bars)]
    below = bins.between(float("-inf"), bars[0])
    if bars[0] == low:  # the smallest value stands at the first edge
        counts[0] += below
        below = 0
    above = bins.between(bars[-1], float("inf"))
    return Histogram(edges=tuple(bars), counts=tuple(counts), below=below, above=above)


def _plain(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
