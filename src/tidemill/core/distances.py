"""How far apart two distributions of a column are: one row of a table for each measure.

A measure's value is an effect in a unit of its own; its p-value says how often chance alone gives as much. The two
answer different questions: with millions of rows any difference is no chance, with a hundred nearly all are.

References
----------
.. [1] W. G. Cochran, Some methods for strengthening the common chi-squared tests, Biometrics 10 (4), 1954,
   doi:10.2307/3001616 (bins of at least five expected rows).
.. [2] I. J. Good, The population frequencies of species and the estimation of population parameters, Biometrika 40,
   1953, doi:10.1093/biomet/40.3-4.237 (values seen once say how many were not seen).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

from tidemill.core.chance import (
    area_chance,
    binomial_upper,
    difference_of_shares,
    greatest_gap_chance,
    homogeneity_chance,
    share_chance,
    wilson,
)
from tidemill.core.distribution import Distribution, DistributionKind, comparable
from tidemill.core.divergences import (
    Counts,
    chi_square,
    jensen_shannon,
    jensen_shannon_divergence,
    kolmogorov_smirnov,
    l_infinity,
    population_stability,
    shares,
    total_variation,
)

Interval = tuple[float, float]

LEAST_EXPECTED = 5.0
TAIL = 3.0
CONFIDENCE = 0.95
ORDERED: frozenset[DistributionKind] = frozenset({"number", "time"})
ALL: frozenset[DistributionKind] = frozenset({"number", "time", "text"})
TEXTS: frozenset[DistributionKind] = frozenset({"text"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """One way to compare two distributions.

    Parameters
    ----------
    unit
        What its value is in, in words.
    kinds
        The kinds of columns it is for.
    limit
        The least value that matters in practice, unless somebody says otherwise.
    measure
        Its value from a reference and what is compared with it; None when they cannot tell.
    p_value
        How often chance alone gives as much.
    interval
        Bounds of the value, at a confidence of 95 %.
    """

    name: str
    doc: str
    unit: str
    kinds: frozenset[DistributionKind]
    limit: float
    measure: Callable[[Distribution, Distribution], float | None]
    p_value: Callable[[Distribution, Distribution], float]
    interval: Callable[[Distribution, Distribution], Interval] | None = None


class Measured(NamedTuple):
    """What a distance says of two distributions."""

    distance: Distance
    value: float
    p_value: float
    low: float | None
    high: float | None

    @property
    def matters(self) -> bool:
        """Whether the value is at least the limit."""
        return abs(self.value) >= self.distance.limit


def compare(reference: Distribution, current: Distribution, names: Sequence[str] = ()) -> tuple[Measured, ...]:
    """Every distance for this kind of column that the rows can tell, in the order of `DISTANCES`.

    Parameters
    ----------
    names
        Only these distances.

    Raises
    ------
    ValueError
        The distributions count in different bins: count the newer rows as the reference was counted.
    """
    if not comparable(reference, current):
        raise ValueError(f"{reference.column} and {current.column} are counted in different bins")
    found = []
    for distance in DISTANCES:
        if reference.kind not in distance.kinds or (names and distance.name not in names):
            continue
        value = distance.measure(reference, current)
        if value is not None:
            low, high = distance.interval(reference, current) if distance.interval else (None, None)
            p_value = distance.p_value(reference, current)
            found.append(Measured(distance=distance, value=value, p_value=p_value, low=low, high=high))
    return tuple(found)


def merged(reference: Distribution, current: Distribution) -> tuple[list[int], list[int]]:
    """Both counts in bins of which each side is expected to have at least five rows [1]_.

    Which bins are merged hangs on their sums only, so that a test on them stays a test. Numbers are merged with their
    neighbours, rare texts with one another, and with those that the reference does not list: it has none of them
    because of what it lists, so that they would look new in a column of keys, whose values are all new.
    """
    smaller = min(reference.filled, current.filled)
    least = LEAST_EXPECTED * (reference.filled + current.filled) / smaller if smaller else 0.0
    pairs = list(zip(reference.counts, current.counts, strict=True))
    if reference.kind in ORDERED:
        groups = _neighbours(pairs, least)
    else:
        groups = _rare(pairs, (reference.other, current.other), least)
    return [a for a, _ in groups], [b for _, b in groups]


def _neighbours(pairs: Sequence[tuple[int, int]], least: float) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    a = b = 0
    for old, new in pairs:
        a, b = a + old, b + new
        if a + b >= max(least, 1):
            found.append((a, b))
            a = b = 0
    if a + b and found:
        last = found.pop()
        found.append((last[0] + a, last[1] + b))
    return found or [(a, b)]


def _rare(pairs: Sequence[tuple[int, int]], others: tuple[int, int], least: float) -> list[tuple[int, int]]:
    ordered = sorted(pairs, key=sum, reverse=True)
    kept = [pair for pair in ordered if sum(pair) >= max(least, 1)]
    rest = [*ordered[len(kept) :], others]
    a, b = sum(old for old, _ in rest), sum(new for _, new in rest)
    if a + b and a + b < least and kept:
        last = kept.pop()
        a, b = a + last[0], b + last[1]
    return [*kept, (a, b)] if a + b or not kept else kept


def _of_counts(measure: Callable[[Counts, Counts], float]) -> Callable[[Distribution, Distribution], float | None]:
    def measured(reference: Distribution, current: Distribution) -> float | None:
        return measure(*merged(reference, current)) if reference.filled and current.filled else None

    return measured


def _of_edges(reference: Distribution, current: Distribution) -> float | None:
    both = reference.filled and current.filled
    return kolmogorov_smirnov(reference.bins, current.bins) if both else None


def _alike(reference: Distribution, current: Distribution) -> float:
    return homogeneity_chance(*merged(reference, current))


def _gap(reference: Distribution, current: Distribution) -> float:
    value = kolmogorov_smirnov(reference.bins, current.bins)
    return greatest_gap_chance(value, reference.bins, current.bins)


def _moved(reference: Distribution, current: Distribution) -> float | None:
    """The area between both distribution functions, in deviations.

    Where one is above the other, less where it is below, the area is by how much the means differ, which is known
    exactly; only what cancels out there, nothing when all values moved one way, is read off straight lines between the
    edges.
    """
    if not (reference.filled and current.filled and reference.deviation):
        return None
    if reference.mean is None or current.mean is None:
        return None
    widths = _widths(reference.edges)
    gaps = _gaps(reference, current)
    above = below = 0.0
    for wide, before, after in zip(widths, [0.0, *gaps], [*gaps, 0.0], strict=True):
        if before * after < 0:
            crossed = wide / (abs(before) + abs(after)) / 2
            above += crossed * max(before, after) ** 2
            below += crossed * min(before, after) ** 2
        else:
            above += wide * max(0.0, before + after) / 2
            below += wide * max(0.0, -before - after) / 2
    moved = (abs(current.mean - reference.mean) + 2 * min(above, below)) / reference.deviation
    return moved if math.isfinite(moved) else None  # numbers as large as a double holds


def _gaps(reference: Distribution, current: Distribution) -> list[float]:
    """The difference of the cumulative shares at each edge."""
    steps = [b - a for a, b in zip(shares(reference.bins)[:-1], shares(current.bins)[:-1], strict=True)]
    return list(accumulate(steps))


def _widths(edges: Sequence[float]) -> list[float]:
    """How wide each bin is taken to be: the outermost not much wider than their neighbours.

    Beyond the 95th percentile an exponential distribution reaches on average 1.4 times as far as from the 90th to it,
    so that values spread evenly over 3 times that width have the right mean; a lognormal's last bin ends a hundred
    times as far.
    """
    inner = [right - left for left, right in pairwise(edges)] or [0.0]
    if len(inner) > 2:
        inner[0] = min(inner[0], TAIL * inner[1])
        inner[-1] = min(inner[-1], TAIL * inner[-2])
    return [inner[0], *inner, inner[-1]]


def _area(reference: Distribution, current: Distribution) -> float:
    """The chance of the area between the edges, whose widths hang on the reference only."""
    if len(reference.edges) < 2:
        return _gap(reference, current)
    widths = [left / 2 + right / 2 for left, right in pairwise(_widths(reference.edges))]
    widest = max(widths)
    if not 0 < widest < math.inf:
        return _gap(reference, current)
    widths = [width / widest for width in widths]
    area = sum(width * abs(gap) for width, gap in zip(widths, _gaps(reference, current), strict=True))
    return area_chance(area, widths, reference.bins, current.bins)


def _missing(one: Distribution) -> tuple[int, int]:
    return one.missing, one.rows


def _missing_value(reference: Distribution, current: Distribution) -> float | None:
    if not reference.rows or not current.rows:
        return None
    return current.missing / current.rows - reference.missing / reference.rows


def _new_value(reference: Distribution, current: Distribution) -> float | None:
    """None where the reference does not list all its values, so that others are not new."""
    if not reference.complete or reference.other or not reference.filled or not current.filled:
        return None
    return current.other / current.filled


def _new_chance(reference: Distribution, current: Distribution) -> float:
    """Values that the reference has once stand for those it missed [2]_: more rows only would have shown them.

    Of the values that one row of both samples together has, each is as likely in one row as in any other.
    """
    once = sum(1 for count in reference.counts if count == 1)
    share = current.filled / (reference.filled + current.filled)
    return binomial_upper(current.other, current.other + once, share)


DISTANCES: tuple[Distance, ...] = (
    Distance(
        name="psi",
        doc="Population stability index: how much likelier each bin became, weighted by how much it changed.",
        unit="nats",
        kinds=ALL,
        limit=0.1,
        measure=_of_counts(population_stability),
        p_value=_alike,
    ),
    Distance(
        name="jensen_shannon",
        doc="Jensen-Shannon distance to base 2: how well one row tells which sample it is from.",
        unit="0 to 1",
        kinds=ALL,
        limit=0.1,
        measure=_of_counts(jensen_shannon),
        p_value=_alike,
    ),
    Distance(
        name="jensen_shannon_divergence",
        doc="The square of the Jensen-Shannon distance, in bits.",
        unit="bits",
        kinds=ALL,
        limit=0.01,
        measure=_of_counts(jensen_shannon_divergence),
        p_value=_alike,
    ),
    Distance(
        name="chi_square",
        doc="The chi-squared test of both samples having one distribution; the value is Cramér's phi.",
        unit="0 to 1",
        kinds=ALL,
        limit=0.1,
        measure=_of_counts(chi_square),
        p_value=_alike,
    ),
    Distance(
        name="kolmogorov_smirnov",
        doc="The greatest difference between the shares of rows up to a value, at the edges of the bins.",
        unit="share of rows",
        kinds=ORDERED,
        limit=0.1,
        measure=_of_edges,
        p_value=_gap,
    ),
    Distance(
        name="wasserstein",
        doc="How far values moved on average, in deviations of the reference.",
        unit="deviations",
        kinds=ORDERED,
        limit=0.1,
        measure=_moved,
        p_value=_area,
    ),
    Distance(
        name="l_infinity",
        doc="The greatest change of the share of one bin or value.",
        unit="share of rows",
        kinds=ALL,
        limit=0.05,
        measure=_of_counts(l_infinity),
        p_value=_alike,
    ),
    Distance(
        name="total_variation",
        doc="The share of rows that would have to change their bin or value to make both alike.",
        unit="share of rows",
        kinds=ALL,
        limit=0.1,
        measure=_of_counts(total_variation),
        p_value=_alike,
    ),
    Distance(
        name="missing",
        doc="By how much the share of rows without a (finite) value rose or fell; Fisher's exact test.",
        unit="share of rows",
        kinds=ALL,
        limit=0.02,
        measure=_missing_value,
        p_value=lambda old, new: share_chance(_missing(old), _missing(new)),
        interval=lambda old, new: difference_of_shares(_missing(old), _missing(new), confidence=CONFIDENCE)[1:],
    ),
    Distance(
        name="new_values",
        doc="The share of rows whose text the reference never had.",
        unit="share of rows",
        kinds=TEXTS,
        limit=0.01,
        measure=_new_value,
        p_value=_new_chance,
        interval=lambda _, new: wilson(new.other / new.filled, new.filled, confidence=CONFIDENCE),
    ),
)
