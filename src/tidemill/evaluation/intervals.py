"""Metrics with intervals: a number without its uncertainty is a bare point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from tidemill.evaluation.influence import Influence, influence
from tidemill.evaluation.judge import metric_names

if TYPE_CHECKING:
    import numpy as np

    from tidemill.model_types.base import Labels

SHARES = frozenset({"precision", "recall", "accuracy", "f1_score", "roc_auc"})
"""Metrics that lie in [0, 1], and so do their intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A metric on some rows, with the interval it lies in at a confidence."""

    metric: str
    value: float
    low: float
    high: float


def metric_intervals(labels: Labels, y: np.ndarray, scores: np.ndarray, *, confidence: float) -> tuple[Interval, ...]:
    """Every metric of ML.EVALUATE that has a value on these rows, with its interval.

    Parameters
    ----------
    y, scores
        As `judge` takes them.
    confidence
        In (0, 1).

    References
    ----------
    Shares have Wilson's interval, at the number of rows that gives the metric's own variance: Wilson, Journal of the
    American Statistical Association 22, 1927, doi 10.1080/01621459.1927.10502953.
    """
    found = []
    for metric in metric_names(labels):
        one = influence(metric, labels, y, scores)
        if math.isfinite(one.value):
            low, high = _interval(metric, one, confidence)
            found.append(Interval(metric=metric, value=one.value, low=low, high=high))
    return tuple(found)


def wilson(share: float, n: float, *, confidence: float) -> tuple[float, float]:
    """The interval of a share of ``n`` rows."""
    if n <= 0:
        return 0.0, 1.0
    z = normal_quantile(confidence)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def normal_quantile(confidence: float) -> float:
    """How many standard errors an interval of this confidence reaches to each side."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _interval(metric: str, one: Influence, confidence: float) -> tuple[float, float]:
    variance = one.variance
    if metric in SHARES:
        return wilson(one.value, _rows_behind(one.value, variance, len(one.rows)), confidence=confidence)
    if not math.isfinite(variance):
        return -math.inf, math.inf
    reach = normal_quantile(confidence) * math.sqrt(variance)
    return one.value - reach, one.value + reach


def _rows_behind(share: float, variance: float, n: int) -> float:
    """How many independent rows a share with this variance is worth: never more than there are."""
    if not math.isfinite(variance) or variance <= 0:
        return n
    return min(float(n), share * (1 - share) / variance)
