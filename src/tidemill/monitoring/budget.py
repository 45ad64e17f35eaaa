"""How many false alarms a deployment may have, and the level of a test that follows from it. Pure, no I/O.

A person says how many alerts a month they accept although nothing is wrong. Windows a month, families of trouble and
the tests of a family divide that figure. "k of m windows" is counted in exactly: the rarer chance alone repeats a
breach, the larger the level of one window may be.

References
----------
.. [1] Benjamini, Hochberg, "Controlling the false discovery rate: a practical and powerful approach to multiple
   testing", JRSS B 57(1), 1995, doi 10.1111/j.2517-6161.1995.tb02031.x.
.. [2] Benjamini, Yekutieli, "The control of the false discovery rate in multiple testing under dependency", Annals of
   Statistics 29(4), 2001, doi 10.1214/aos/1013699998 (positive dependence is allowed).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import NormalDist
from types import MappingProxyType

from tidemill.monitoring.measurement import Window

MONTH = timedelta(days=365.25 / 12)

SHARES: Mapping[str, float] = MappingProxyType(
    {
        "prediction": 0.30,
        "quality": 0.25,
        "estimate": 0.10,
        "missing": 0.10,
        "new_category": 0.10,
        "contract": 0.05,
        "errors": 0.04,
        "latency": 0.03,
        "traffic": 0.03,
        # Diagnosis wakes nobody up: it has a budget of the same size for itself.
        "feature": 0.80,
        "calibration": 0.15,
        "staleness": 0.05,
    }
)
"""The share of the budget that each family has, so that fifty columns do not drown the one test of the predictions."""

AT_ONCE = frozenset({"contract", "errors", "traffic"})
"""Families that do not wait for a second window: a break of a contract is no matter of chance, silence none of time."""

_NORMAL = NormalDist()
_NODES = 48
# Midpoints of equal shares of the normal distribution, finer in the tail that matters: see `_mixed`.
_TAIL = tuple(-7.0 + 14.0 * (node + 0.5) / _NODES for node in range(_NODES))
_WEIGHTS = tuple(_NORMAL.pdf(z) * 14.0 / _NODES for z in _TAIL)
_MOST_SHARED = 0.6
_LARGEST = 0.25
"""Above this, repeats are so common that their chance no longer grows with the level: nothing there is evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How alarms are decided for one deployment.

    Parameters
    ----------
    false_alarms_per_month
        Alerts a month that are accepted although nothing is wrong.
    breaches, of_windows
        An alarm needs this many windows beyond the threshold, among this many.
    quiet_windows
        Windows without a breach after which an alert is resolved.
    cool_down
        An alert that comes back within this time is the same one.
    season
        How far back the same period before is. What differs from training through a whole season is no season.
    """

    false_alarms_per_month: float = 1.0
    breaches: int = 2
    of_windows: int = 3
    quiet_windows: int = 3
    cool_down: timedelta = timedelta(hours=24)
    season: timedelta = timedelta(days=7)

    def rule(self, family: str) -> tuple[int, int]:
        """How many windows of how many an alarm of a family needs."""
        return (1, 1) if family in AT_ONCE else (self.breaches, self.of_windows)

    def late_windows(self) -> int:
        """Of how many windows the middle one is what is usual of late: a fall must not be usual before it is told."""
        return 2 * self.breaches + 1

    def quiet(self, reopened: int = 0) -> int:
        """After how many windows without a breach an alert is over; what keeps coming back has to be quiet longer."""
        return self.quiet_windows << min(reopened, 3)

    def allowance(self, family: str, window: Window) -> float:
        """How often chance may open an alert of a family in one window."""
        return self.false_alarms_per_month * SHARES.get(family, 0.0) / windows_per_month(window)


def windows_per_month(window: Window) -> float:
    """How many windows of this length a month has; at least one."""
    return max(1.0, MONTH / (window.end - window.start))


def openings(level: float, *, k: int, m: int, shared: float = 0.0) -> float:
    """How often one test opens an alarm in a window by chance alone.

    An alarm opens where at least k of the newest m windows have a p-value up to the level, and one window earlier they
    had not.

    Parameters
    ----------
    level
        The level of one window, in (0, 1).
    shared
        How much of the statistics' variance comes from a reference that all windows share: n / (n + reference rows).
        Windows are then not independent of each other; the dependence is that of normal statistics.

    Returns
    -------
    float
        A rate per window: exact with nothing shared, else the most that this dependence or less of it gives.
    """
    if level <= 0.0:
        return 0.0
    alone = _openings(min(level, 1.0), k, m)
    if shared <= 0.0 or m == 1:
        return alone
    # Beyond that, alarms last longer and open less often; tests of squares depend less than their parts do.
    return max(alone, _mixed(level, k, m, min(shared, _MOST_SHARED)))


def chance(p_values: Sequence[float], *, k: int, m: int, shared: float = 0.0) -> float:
    """A p-value for the newest m windows together: the rate of openings at the k-th smallest of their p-values.

    Parameters
    ----------
    p_values
        Of the newest windows that have one, newest first; more than m are not looked at.

    Returns
    -------
    float
        In (0, 1]; 1 when there are fewer than k windows, or nothing in them is evidence.
    """
    newest = sorted(p_values[:m])
    if len(newest) < k or newest[k - 1] > _LARGEST:
        return 1.0
    return openings(newest[k - 1], k=k, m=m, shared=shared)


def level_of(allowance: float, *, tests: int, k: int, m: int, shared: float = 0.0) -> float:
    """The level of one window at which that many tests together open as many alarms as are allowed."""
    low, high = 0.0, _LARGEST
    if tests * openings(high, k=k, m=m, shared=shared) <= allowance:
        return high
    for _ in range(40):
        middle = (low + high) / 2
        if tests * openings(middle, k=k, m=m, shared=shared) <= allowance:
            low = middle
        else:
            high = middle
    return low


def benjamini_hochberg(p_values: Sequence[float], level: float) -> frozenset[int]:
    """Which hypotheses are rejected, as indices.

    Parameters
    ----------
    level
        The false discovery rate. Where nothing is true it bounds the chance that anything is rejected.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    count = 0
    for rank, index in enumerate(order, start=1):
        if p_values[index] <= level * rank / len(order):
            count = rank
    return frozenset(order[:count])


def _openings(level: float, k: int, m: int) -> float:
    return sum(
        number * level**ones * (1.0 - level) ** (m + 1 - ones) for ones, number in enumerate(_patterns(k, m)) if number
    )


@functools.cache
def _patterns(k: int, m: int) -> tuple[int, ...]:
    """Among the patterns of m + 1 windows, newest first, how many with 0, 1, ... breaches open an alarm."""
    counts = [0] * (m + 2)
    for pattern in itertools.product((0, 1), repeat=m + 1):
        if sum(pattern[:m]) >= k > sum(pattern[1:]):
            counts[sum(pattern)] += 1
    return tuple(counts)


@functools.lru_cache(maxsize=4096)
def _mixed(level: float, k: int, m: int, shared: float) -> float:
    """The rate where windows share a reference: given the reference's error they are independent."""
    threshold, own = -_NORMAL.inv_cdf(min(level, 1.0 - 1e-12)), math.sqrt(1.0 - shared)
    total = 0.0
    for z, weight in zip(_TAIL, _WEIGHTS, strict=True):
        total += weight * _openings(_NORMAL.cdf((math.sqrt(shared) * z - threshold) / own), k, m)
    return total
