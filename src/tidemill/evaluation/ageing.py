"""What a model's age costs, from its scores on the periods after each training. Pure: values in, figures out.

Every comparison is within a period: the rows are the same, only the age of the model differs. Its interval is over
periods (Student's t, with fewer degrees of freedom where neighbouring periods resemble each other): rows of a period
are alike, and an interval over rows would be too narrow.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidemill.core.chance import normal_quantile

LEAST_PERIODS = 4
"""With fewer periods there is no interval worth the name."""

NEVER = 0
"""The pace of a model that is trained once."""


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
    """Figures by age and by pace; ``enough`` is how often is often enough, None when that cannot be told."""

    ages: tuple[Aged, ...]
    paces: tuple[Paced, ...]
    enough: int | None


def ageing(
    scores: Mapping[tuple[int, int], float],
    never: Mapping[int, float],
    *,
    higher_is_better: bool,
    confidence: float = 0.95,
) -> Ageing:
    """Compare ages and paces.

    Parameters
    ----------
    scores
        The metric by (period, age): the model trained ``age`` periods before the period begins.
    never
        The metric by period of the first model, whatever its age.
    """
    oldest = max((age for _, age in scores), default=0)
    periods = sorted({period for period, _ in scores})
    whole = [period for period in periods if all((period, age) in scores for age in range(oldest + 1))]
    sign = 1.0 if higher_is_better else -1.0
    fresh = {period: scores[period, 0] for period in periods if (period, 0) in scores}

    ages = []
    for age in range(oldest + 1):
        found = [period for period in whole if period in fresh]
        values = [scores[period, age] for period in found]
        losses = [sign * (fresh[period] - scores[period, age]) for period in found]
        if values:
            loss = estimate(losses, confidence) if age else None
            ages.append(Aged(age=age, value=estimate(values, confidence), loss=loss))

    paces = []
    for every in _paces(oldest):
        values = [math.fsum(scores[period, age] for age in range(every)) / every for period in whole]
        losses = [sign * (fresh[period] - value) for period, value in zip(whole, values, strict=True)]
        if values:
            paces.append(Paced(every=every, value=estimate(values, confidence), loss=estimate(losses, confidence)))
    later = [period for period in whole or periods[1:] if period in never and period in fresh and period > periods[0]]
    if later:
        losses = [sign * (fresh[period] - never[period]) for period in later]
        value = estimate([never[period] for period in later], confidence)
        paces.append(Paced(every=NEVER, value=value, loss=estimate(losses, confidence, trend=True)))
    return Ageing(ages=tuple(ages), paces=tuple(paces), enough=_enough(paces))


def _paces(oldest: int) -> list[int]:
    found, every = [], 1
    while every <= oldest + 1:
        found.append(every)
        every *= 2
    return found


def _enough(paces: Sequence[Paced]) -> int | None:
    """The rarest pace before the first that loses something measurable.

    What is rarer still may look better again: training once is a single model, whose luck has no average.
    """
    if len(paces) < 2 or any(pace.loss.low is None for pace in paces):
        return None
    found = paces[0].every
    for pace in paces[1:]:
        if pace.loss.measurable:
            break
        found = pace.every
    return found


def estimate(values: Sequence[float], confidence: float, *, trend: bool = False) -> Estimate:
    """The mean of values that follow each other in time, with an interval.

    Parameters
    ----------
    trend
        The values are expected to grow with time, as the loss of a model that only gets older: what counts as chance
        is how they scatter around a line.
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
    # Periods that resemble their neighbours tell less: the variance of a mean of a first-order autoregression.
    told = n * (1 - along) / (1 + along) if along > 0 else float(n)
    told = max(told, fitted + 1.0)
    half = t_quantile(confidence, told - fitted) * math.sqrt(variance / told)
    return Estimate(value=mean, low=mean - half, high=mean + half, periods=n)


def t_quantile(confidence: float, degrees: float) -> float:
    """The two-sided quantile of Student's t, by Hill's expansion around the normal one.

    Within 1 % from three degrees of freedom on; below that it is wide enough to say nothing, which is right.

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
