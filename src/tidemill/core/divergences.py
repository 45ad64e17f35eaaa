"""How far apart two samples are that were counted in the same bins, as a figure. Pure arithmetic on counts.

References
----------
.. [1] B. Yurdakul, J. Naranjo, Statistical properties of the population stability index, Journal of Risk Model
   Validation 14 (4), 2020, doi:10.21314/JRMV.2020.227.
.. [2] J. Lin, Divergence measures based on the Shannon entropy, IEEE Transactions on Information Theory 37 (1), 1991,
   doi:10.1109/18.61115.
.. [3] H. Cramér, Mathematical methods of statistics, Princeton 1946 (chi-squared's phi for two rows).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from tidemill.core.chance import homogeneity

Counts = Sequence[float]

FLOOR = 1e-4  # the least share of a bin, so that an empty one does not make PSI infinite


def shares(counts: Counts) -> list[float]:
    """Each count's part of their sum."""
    total = sum(counts)
    return [count / total for count in counts]


def population_stability(old: Counts, new: Counts) -> float:
    """Population stability index [1]_, in nats."""
    floored = [(max(a, FLOOR), max(b, FLOOR)) for a, b in zip(shares(old), shares(new), strict=True) if a or b]
    return sum((a - b) * math.log(a / b) for a, b in floored)


def jensen_shannon_divergence(old: Counts, new: Counts) -> float:
    """Jensen-Shannon divergence [2]_ to base 2, from 0 to 1."""
    halves = [(a, b, (a + b) / 2) for a, b in zip(shares(old), shares(new), strict=True)]
    terms = [share * math.log2(share / middle) for a, b, middle in halves for share in (a, b) if share]
    return max(0.0, sum(terms) / 2)


def jensen_shannon(old: Counts, new: Counts) -> float:
    """Jensen-Shannon distance to base 2, from 0 to 1: the root of the divergence."""
    return math.sqrt(jensen_shannon_divergence(old, new))


def kolmogorov_smirnov(old: Counts, new: Counts) -> float:
    """The greatest difference of the cumulative shares, at the edges of the bins."""
    gap, most = 0.0, 0.0
    for a, b in zip(shares(old), shares(new), strict=True):
        gap += a - b
        most = max(most, abs(gap))
    return most


def l_infinity(old: Counts, new: Counts) -> float:
    """The greatest difference of one share."""
    return max(abs(a - b) for a, b in zip(shares(old), shares(new), strict=True))


def total_variation(old: Counts, new: Counts) -> float:
    """Half the sum of the differences of the shares."""
    return sum(abs(a - b) for a, b in zip(shares(old), shares(new), strict=True)) / 2


def chi_square(old: Counts, new: Counts) -> float:
    """Cramér's phi [3]_, the root of chi-squared over the rows when both samples are as large; from 0 to 1.

    Chi-squared itself grows with the rows. Over ``4 n m / (n + m)`` instead of the rows, it does not fall when one of
    the samples is much larger than the other.
    """
    n, m = sum(old), sum(new)
    return min(1.0, math.sqrt(homogeneity(old, new) * (n + m) / (4 * n * m)))


COUNT_MEASURES: Mapping[str, Callable[[Counts, Counts], float]] = {
    "PSI": population_stability,
    "JENSEN_SHANNON": jensen_shannon,
    "KOLMOGOROV_SMIRNOV": kolmogorov_smirnov,
    "L_INFINITY": l_infinity,
    "TOTAL_VARIATION": total_variation,
}
"""What DRIFT_MEASURE of a table's contract may be."""
