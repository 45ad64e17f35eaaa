"""What chance makes of samples: p-values and intervals of counts, in plain Python or a few lines of numpy.

SciPy has most of these; importing it costs a second, which neither a small window nor a check of a table has.

References
----------
.. [1] NIST Digital Library of Mathematical Functions, 8.11(i) and 8.9.2 (incomplete gamma), https://dlmf.nist.gov/8.
.. [2] J. B. S. Haldane, The mean and variance of chi-squared, Biometrika 31, 1940; R. B. Dawson, A simplified
   expression for the variance of the chi-squared function on a contingency table, Biometrika 41 (1/2), 1954,
   doi:10.2307/2333026.
.. [3] E. B. Wilson, Probable inference, Journal of the American Statistical Association 22, 1927,
   doi:10.1080/01621459.1927.10502953.
.. [4] R. G. Newcombe, Interval estimation for the difference between independent proportions (method 10), Statistics in
   Medicine 17, 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
.. [5] R. A. Fisher, The logic of inductive inference, Journal of the Royal Statistical Society 98 (1), 1935.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Counts = Sequence[int]

TINY = 1e-300
ENOUGH = 1e-17  # terms below this share of the sum change no digit
MOST_TERMS = 20_000
NODES = 64  # of the quadrature of a bridge: a step's deviation must reach over about two of them
FAR = 2.5  # deviations beyond which Kolmogorov's first term is used, 2 exp(-2 x x), below 1e-5


def normal_quantile(confidence: float) -> float:
    """How many standard errors an interval of this confidence reaches to each side."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(share: float, n: float, *, confidence: float) -> tuple[float, float]:
    """The interval [3]_ of a share of ``n`` rows."""
    if n <= 0:
        return 0.0, 1.0
    z = normal_quantile(confidence)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def difference_of_shares(
    old: tuple[int, int], new: tuple[int, int], *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """By how much a share rose, with Newcombe's interval [4]_.

    Parameters
    ----------
    old, new
        Rows that count, and all rows; at least one row each.

    Returns
    -------
    tuple
        The difference, and the bounds of its interval.
    """
    (a, n), (b, m) = old, new
    before, after = a / n, b / m
    low_before, high_before = wilson(before, n, confidence=confidence)
    low_after, high_after = wilson(after, m, confidence=confidence)
    value = after - before
    low = value - math.hypot(after - low_after, high_before - before)
    high = value + math.hypot(high_after - after, before - low_before)
    return value, low, high


def gamma_upper(shape: float, x: float) -> float:
    """The regularised upper incomplete gamma function Q(shape, x) [1]_."""
    if x <= 0:
        return 1.0
    front = math.exp(-x + shape * math.log(x) - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        step = shape
        while abs(term) > total * ENOUGH:
            step += 1
            term *= x / step
            total += term
        return max(0.0, 1 - front * total)
    # Lentz's way of summing the continued fraction 8.9.2.
    b = x + 1 - shape
    c, d = 1 / TINY, 1 / b
    value = d
    for i in range(1, MOST_TERMS):
        a = -i * (i - shape)
        b += 2
        d = 1 / _away_from_zero(a * d + b)
        c = _away_from_zero(b + a / c)
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * value


def chi_squared_upper(x: float, degrees: float) -> float:
    """How often a chi-squared variable is at least x."""
    return gamma_upper(degrees / 2, x / 2)


def homogeneity(old: Sequence[float], new: Sequence[float]) -> float:
    """The chi-squared statistic of two samples having one distribution."""
    n, m = sum(old), sum(new)
    ratio = math.sqrt(m / n)
    return sum((a * ratio - b / ratio) ** 2 / (a + b) for a, b in zip(old, new, strict=True) if a + b)


def homogeneity_chance(old: Counts, new: Counts) -> float:
    """How often two samples of one distribution differ at least as much as these do, by chi-squared.

    Where bins are small, the statistic is not spread as the chi-squared distribution says: p-values of 0.001 come four
    times as often where one sample is small and some bins are rare, and too seldom where both samples are small. So the
    p-value is that of the gamma distribution with the mean and variance that the statistic has among all tables with
    the same margins [2]_, which halves the first and mends the second.
    """
    totals = [a + b for a, b in zip(old, new, strict=True) if a + b]
    n, m, k = sum(old), sum(new), len(totals)
    rows = n + m
    if k < 2 or not n or not m:
        return 1.0
    statistic = homogeneity(old, new)
    mean = rows * (k - 1) / (rows - 1)
    variance = 2 * mean
    if rows > 3:
        v1, v2 = (rows - 2) / (rows - 1), (k - 1) * (rows - k) / (rows - 1)
        w1 = (rows / n + rows / m - 4) / (rows - 2)
        w2 = (sum(rows / total for total in totals) - k * k) / (rows - 2)
        variance = 2 * rows / (rows - 3) * (v1 - w1) * (v2 - w2) + rows * rows / (rows - 1) * w1 * w2
    if variance <= 0:
        return 1.0
    return gamma_upper(mean * mean / variance, statistic * mean / variance)


def share_chance(old: tuple[int, int], new: tuple[int, int]) -> float:
    """How often two samples with one share differ at least as much: Fisher's exact test [5]_, twice the smaller side.

    Parameters
    ----------
    old, new
        Rows that count, and all rows.
    """
    (a, n), (b, m) = old, new
    if not n or not m:
        return 1.0
    upper = _hypergeometric_upper(b, m, a + b, n + m)
    # At most a of the others is at least m - b of ours among those that do not count.
    lower = _hypergeometric_upper(m - b, m, n + m - a - b, n + m)
    return min(1.0, 2 * min(upper, lower))


def _hypergeometric_upper(k: int, draws: int, marked: int, rows: int) -> float:
    """P(at least k marked rows in so many draws)."""
    least, most = max(0, draws + marked - rows), min(draws, marked)
    if k <= least:
        return 1.0
    if k > most:
        return 0.0
    centre = draws * marked / rows
    if k <= centre:  # the other side is the shorter sum, and the larger number is exact there
        return min(1.0, 1.0 - _sum_down(k - 1, least, draws, marked, rows))
    term = total = math.exp(_log_hypergeometric(k, draws, marked, rows))
    while k < most and term > total * ENOUGH:
        term *= (marked - k) * (draws - k) / ((k + 1) * (rows - marked - draws + k + 1))
        total += term
        k += 1
    return min(1.0, total)


def _sum_down(k: int, least: int, draws: int, marked: int, rows: int) -> float:
    term = total = math.exp(_log_hypergeometric(k, draws, marked, rows))
    while k > least and term > total * ENOUGH:
        term *= k * (rows - marked - draws + k) / ((marked - k + 1) * (draws - k + 1))
        total += term
        k -= 1
    return total


def _log_hypergeometric(k: int, draws: int, marked: int, rows: int) -> float:
    return _log_choose(marked, k) + _log_choose(rows - marked, draws - k) - _log_choose(rows, draws)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def binomial_upper(k: int, n: int, share: float) -> float:
    """How often at least k of n independent rows count, each with this chance."""
    if k <= 0 or share >= 1:
        return 1.0
    if k > n or share <= 0:
        return 0.0
    if k <= n * share:
        return min(1.0, 1.0 - binomial_upper(n - k + 1, n, 1 - share))
    term = total = math.exp(_log_choose(n, k) + k * math.log(share) + (n - k) * math.log1p(-share))
    odds = share / (1 - share)
    while k < n and term > total * ENOUGH:
        term *= (n - k) / (k + 1) * odds
        total += term
        k += 1
    return min(1.0, total)


def greatest_gap_chance(gap: float, old: Counts, new: Counts) -> float:
    """How often the cumulative shares of two samples of one distribution differ by this much at one of the edges.

    Kolmogorov's series is for all values; at twenty edges it gives up to twice the p-value. The difference is a
    Brownian bridge, at the edges a Markov chain, so its chance to stay within bounds is a product of kernels.
    """
    import numpy as np

    n, m = sum(old), sum(new)
    if not n or not m:
        return 1.0
    rows = n + m
    lattice = (1 / n + 1 / m) / 2  # cumulative shares come in steps: half of one is the continuity correction
    bound = max(0.0, gap - lattice) * math.sqrt(n * m / rows)
    if bound <= 0:
        return 1.0
    if bound > FAR:
        return 2 * math.exp(-2 * bound * bound)
    places = _places_apart([a + b for a, b in zip(old, new, strict=True)], rows, least=(bound * 4 / NODES) ** 2)
    if not places:
        return min(1.0, 2 * math.exp(-2 * bound * bound))
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    nodes, weights = nodes * bound, weights * bound
    at = places[0]
    density = _normal(nodes, 0.0, at * (1 - at))
    for place in places[1:]:
        kept = (1 - place) / (1 - at)
        kernel = _normal(nodes[:, None], nodes[None, :] * kept, (place - at) * kept)
        density = kernel @ (weights * density)
        at = place
    return min(1.0, max(0.0, 1.0 - float(weights @ density)))


def _places_apart(totals: Counts, rows: int, *, least: float) -> list[float]:
    """The cumulative shares at the edges, without those nearer to the one before, or to the ends, than the least."""
    found, seen, last = [], 0, 0.0
    for total in totals[:-1]:
        seen += total
        place = seen / rows
        if place - last >= least and 1 - place >= least:
            found.append(place)
            last = place
    return found


def _normal(x: Array, mean: Array | float, variance: float) -> Array:
    import numpy as np

    density: Array = np.exp(-((x - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    return density


def area_chance(area: float, widths: Sequence[float], old: Counts, new: Counts) -> float:
    """How often the area between the cumulative shares of two samples of one distribution is at least as large.

    The area is a sum of ``width x |difference|``, one for each edge. Its mean and mean square are those of absolute
    values of a Brownian bridge at the edges, and the gamma distribution with both gives the p-value; far out, where the
    differences all have one sign, it is at least that of their plain sum, which is normal.
    """
    n, m = sum(old), sum(new)
    if not n or not m or area <= 0:
        return 1.0
    rows, seen = n + m, 0
    places = []
    for a, b in zip(old[:-1], new[:-1], strict=True):
        seen += a + b
        places.append(seen / rows)
    spread = rows / (n * m)
    deviations = [math.sqrt(place * (1 - place) * spread) for place in places]
    mean = math.sqrt(2 / math.pi) * sum(w * s for w, s in zip(widths, deviations, strict=True))
    square = signed = 0.0
    for i, (wide, s) in enumerate(zip(widths, deviations, strict=True)):
        square += (wide * s) ** 2
        signed += (wide * s) ** 2
        for j in range(i):
            if s and deviations[j]:
                shared = places[j] * (1 - places[i]) * spread
                r = min(1.0, shared / (s * deviations[j]))
                both = s * deviations[j] * 2 / math.pi * (math.sqrt(1 - r * r) + r * math.asin(r))
                square += 2 * wide * widths[j] * both
                signed += 2 * wide * widths[j] * shared
    variance = square - mean * mean
    if variance <= 0 or signed <= 0:
        return 1.0
    fitted = gamma_upper(mean * mean / variance, area * mean / variance)
    return min(1.0, max(fitted, math.erfc(area / math.sqrt(2 * signed))))


def _away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
