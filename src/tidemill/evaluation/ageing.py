"""What a model's age costs, from its scores on the periods after each training. Pure: values in, figures out.

Every comparison is within a period: the rows are the same, only the age of the model differs. Its interval is over
periods (Student's t, with fewer degrees of freedom where neighbouring periods resemble each other): rows of a period
are alike, and an interval over rows would be too narrow.

Of 4,000 simulated first-order autoregressions each, the share of 95 % intervals that held the mean, around a mean and
(second) around a line; an interval by Newey and West with Student's t beside them:

=======  ===========  ===========  ===========  ============
periods  alike by 0   by 0.3       by 0.6       by 0.9
=======  ===========  ===========  ===========  ============
20       96.4, 96.0   93.0, 93.6   92.0, 91.3   80.7, 68.6
24       96.5, 96.4   93.2, 93.9   92.5, 92.5   83.6, 74.9
40       95.9, 95.7   94.6, 94.3   93.6, 93.4   89.0, 85.4
60       96.2, 95.7   95.0, 94.5   94.4, 94.3   91.7, 89.1
24, N-W  91.8, 89.4   87.1, 84.8   79.3, 73.9   46.9, 35.6
=======  ===========  ===========  ===========  ============

Without the correction of the correlation's bias, 24 periods alike by 0.6 gave 88.0 and 84.0. Half the intervals of 24
periods are at most 1.1 times as wide as with a known variance where periods are not alike, and 1.4 times at 0.6.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidemill.core.chance import normal_quantile

SMALL_SHARE = 0.03
"""A loss that is surely no more than this share of the metric is none that matters."""

LEAST_PERIODS = 4
"""With fewer periods there is no interval worth the name."""

NEVER = 0
"""The pace of a model that is trained once."""

_MOST_ALONG = 0.99
_LEAST_TOLD = 3.0
"""What few periods say is no less than this many say: below, the interval grows without telling more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over periods, with its interval; None where there are too few."""

    value: float
    low: float | None
    high: float | None
    periods: int

    @property
    def measurable(self) -> bool:
        """Whether it is above zero by more than chance."""
        return self.low is not None and self.low > 0

    def small_beside(self, metric: float) -> bool:
        """Whether it is surely no more than a small share of a metric."""
        return self.high is not None and self.high <= SMALL_SHARE * abs(metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """How good a model is at an age, in periods, and what it loses against a fresh one on the same periods."""

    age: int
    value: Estimate
    loss: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """How good the answers are with a training every so many periods, and what that loses against one in each.

    ``every`` is NEVER where there is one training, at the start.
    """

    every: int
    value: Estimate
    loss: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """Figures by age and by pace.

    Parameters
    ----------
    enough
        The rarest pace up to which nothing that matters is lost; None when that cannot be told.
    """

    ages: tuple[Aged, ...]
    paces: tuple[Paced, ...]
    enough: int | None


def ageing(
    scores: Mapping[tuple[int, int], float],
    never: Mapping[int, float],
    *,
    higher_is_better: bool,
    most_ages: int | None = None,
    confidence: float = 0.95,
) -> Ageing:
    """Compare ages and paces.

    Parameters
    ----------
    scores
        The metric by (period, age): the model trained ``age`` periods before the period begins.
    never
        The metric by period of the first model, whatever its age.
    most_ages
        So many ages are compared; older scores serve the paces that need them (see `reach`).
    """
    oldest = min(max((age for _, age in scores), default=0), (most_ages or len(scores) or 1) - 1)
    periods = sorted({period for period, _ in scores})
    whole = [period for period in periods if all((period, age) in scores for age in range(oldest + 1))]
    sign = 1.0 if higher_is_better else -1.0
    fresh = {period: scores[period, 0] for period in periods if (period, 0) in scores}

    ages = []
    for age in range(oldest + 1):
        compared = [period for period in whole if period in fresh]
        values = [scores[period, age] for period in compared]
        losses = [sign * (fresh[period] - scores[period, age]) for period in compared]
        if values:
            loss = estimate(losses, confidence) if age else None
            ages.append(Aged(age=age, value=estimate(values, confidence), loss=loss))

    tried = {
        every: {period: math.fsum(scores[period, age] for age in range(every)) / every for period in whole}
        for every in _paces(oldest)
    }
    for every in _rarer(oldest, len(periods)):
        places = {period: (period, period % every) for period in whole if period in fresh}
        tried[every] = {period: scores[place] for period, place in places.items() if place in scores}
    later = [period for period in whole or periods[1:] if period in never and period in fresh and period > periods[0]]
    tried[NEVER] = {period: never[period] for period in later}
    paces = []
    for every, found in tried.items():
        losses = [sign * (fresh[period] - value) for period, value in found.items()]
        if losses:
            loss = estimate(losses, confidence, trend=every == NEVER)
            paces.append(Paced(every=every, value=estimate(list(found.values()), confidence), loss=loss))
    return Ageing(ages=tuple(ages), paces=tuple(paces), enough=_enough(paces))


def _paces(oldest: int) -> list[int]:
    found, every = [], 1
    while every <= oldest + 1:
        found.append(every)
        every *= 2
    return found


def _rarer(oldest: int, periods: int) -> list[int]:
    """Paces beyond the ages compared at which there is a second training, with half its time to be tested in."""
    return [every for every in (2**power for power in range(1, 12)) if oldest + 1 < every <= periods * 2 // 3]


def reach(cut: int, ages: int) -> int:
    """On how many periods the training of a cut is tested: those of a rarer pace, which is tried once, on more."""
    return max(ages, cut & -cut)


def _enough(paces: Sequence[Paced]) -> int | None:
    """The rarest pace before the first that loses something that matters, or may.

    What is rarer still may look better again: training once is a single model, whose luck has no average.
    """
    if len(paces) < 2 or any(pace.loss.low is None for pace in paces):
        return None
    metric = paces[0].value.value
    found = paces[0].every
    for pace in paces[1:]:
        if pace.loss.measurable:
            return found
        if not pace.loss.small_beside(metric):
            return found if found != paces[0].every else None
        found = pace.every
    return found


def estimate(values: Sequence[float], confidence: float, *, trend: bool = False) -> Estimate:
    """The mean of values that follow each other in time, with an interval.

    Parameters
    ----------
    trend
        The values are expected to grow with time, as the loss of a model that only gets older: what counts as chance
        is how they scatter around a line.

    References
    ----------
    Kendall (1954), Note on bias in the estimation of autocorrelation, and Marriott and Pope (1954), Bias in the
    estimation of autocorrelations, both Biometrika 41: what follows each other looks less alike than it is, the less
    of it there is.
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n < LEAST_PERIODS:
        return Estimate(value=mean, low=None, high=None, periods=n)
    off = [value - mean for value in values]
    fitted = 1
    if trend:
        steps = [at - (n - 1) / 2 for at in range(n)]
        slope = math.fsum(a * b for a, b in zip(steps, off, strict=True)) / math.fsum(a * a for a in steps)
        off = [one - slope * at for at, one in zip(steps, off, strict=True)]
        fitted = 2
    variance = math.fsum(one * one for one in off) / (n - fitted)
    if not variance:
        return Estimate(value=mean, low=mean, high=mean, periods=n)
    along = math.fsum(a * b for a, b in itertools.pairwise(off)) / math.fsum(one * one for one in off)
    # Of few periods it comes out too small, by about (1 + 4 along) / n around a mean and (2 + 6 along) / n on a line.
    along = min((n * along + fitted) / max(n - 2 * (fitted + 1), 1), _MOST_ALONG)
    # Periods that resemble their neighbours tell less: the variance of a mean of a first-order autoregression.
    told = n * (1 - along) / (1 + along) if along > 0 else float(n)
    told = max(told, _LEAST_TOLD)
    half = t_quantile(confidence, max(told - fitted, _LEAST_TOLD)) * math.sqrt(variance / told)
    return Estimate(value=mean, low=mean - half, high=mean + half, periods=n)


def t_quantile(confidence: float, degrees: float) -> float:
    """The two-sided quantile of Student's t, by Hill's expansion around the normal one.

    Within 1 % from three degrees of freedom on; fewer are not asked for.

    References
    ----------
    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z = normal_quantile(confidence)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + math.fsum(term / degrees ** (power + 1) for power, term in enumerate(terms))
