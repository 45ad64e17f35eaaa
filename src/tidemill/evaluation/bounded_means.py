"""Evidence that one mean is above another, for values in [0, 1] of any distribution, from sums and sums of squares.

A normal mixture with the variance put in from the data, as is usual, breaks its promise just where it matters: ten
answers without a wrong one have a variance of nothing, so that any difference to them seems certain. These
supermartingales need no variance: for X in [0, 1] with mean at most m, and each fixed a,

- exp(a X) / (1 - m + m exp(a)) has mean at most 1, as exp is below its chord [1, 2]: sharp for losses that are 0 or 1;
- exp(a (X - m) - psi(a) (X - m)^2), psi(a) = -log(1 - a) - a, has mean at most 1 [3, lemma 4.1; 4]: it adapts to losses
  that vary less.

Products of them over rows, mixed over several a, and the product of both versions' are supermartingales again, so the
chance that they ever exceed 1 / alpha is at most alpha (Ville). The true mean of the second version is not known: the
evidence is the least over all values it could have.

References
----------
.. [1] W. Hoeffding, JASA 58, 1963, doi 10.1080/01621459.1963.10500830 (the chord).
.. [2] S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform Chernoff bounds via nonnegative
   supermartingales", Probability Surveys 17, 2020, doi 10.1214/18-PS321.
.. [3] X. Fan, I. Grama, Q. Liu, "Exponential inequalities for martingales with applications", Electronic Journal of
   Probability 20, 2015, doi 10.1214/EJP.v20-3496.
.. [4] S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
   sequences", Annals of Statistics 49(2), 2021, doi 10.1214/20-AOS1991.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# The weights of: no bet, which keeps what is lost on the version whose mean is well known small; the first kind of
# supermartingale and the second.
_IDLE, _CHORD, _SQUARE = 0.4, 0.35, 0.25
_CHORDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
# While 2 psi(a) <= a, up to 0.58, more distance between the mean supposed and the mean seen is always more evidence.
_SQUARES = tuple((a, -math.log1p(-a) - a) for a in (0.05, 0.15, 0.35, 0.57))
_CELLS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Independent values in [0, 1]: how many, their sum, and that of their squares."""

    n: int
    total: float
    squares: float


def evidence_of_higher_mean(first: Sums, second: Sums, *, margin: float) -> float:
    """Log evidence against: the mean of ``second`` is at most that of ``first`` plus a margin.

    With that true, the chance that it is ever above ``-log(alpha)``, at any size of either, is at most alpha.
    """
    if not first.n or not second.n:
        return 0.0
    low, high = first.total / first.n, second.total / second.n - margin
    if high <= low:
        return 0.0
    # The first version's part grows with the mean supposed, the second's falls: the ends of a cell bound it from below.
    means = [0.0, *(low + (high - low) * step / _CELLS for step in range(_CELLS + 1)), 1.0 - margin]
    return min(_evidence(first, start, below=True) + _evidence(second, end + margin) for start, end in pairwise(means))


def log_sum(logs: Sequence[float]) -> float:
    """Logarithm of a sum, of the logarithms of its parts."""
    top = max(logs)
    return top + math.log(sum(math.exp(value - top) for value in logs))


def _evidence(sums: Sums, mean: float, *, below: bool = False) -> float:
    """Log evidence that the true mean is above ``mean``, or below it; monotone in ``mean``."""
    sign = -1.0 if below else 1.0
    away = sign * (sums.total - sums.n * mean)
    squares = max(sums.squares - 2.0 * mean * sums.total + sums.n * mean * mean, 0.0)
    logs = [math.log(_IDLE)]
    for a in _CHORDS:
        chord = sign * a * sums.total - sums.n * math.log1p(mean * math.expm1(sign * a))
        logs.append(math.log(_CHORD / len(_CHORDS)) + chord)
    for a, psi in _SQUARES:
        logs.append(math.log(_SQUARE / len(_SQUARES)) + a * away - psi * squares)
    return log_sum(logs)
