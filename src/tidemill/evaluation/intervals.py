"""Metrics with intervals: a number without its uncertainty is a bare point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.chance import normal_quantile, wilson
from tidemill.evaluation.confusion import called_classes
from tidemill.evaluation.few import LEAST_OF_CLASS, Support, by_class, support
from tidemill.evaluation.influence import Influence, influence
from tidemill.evaluation.judge import metric_names

if TYPE_CHECKING:
    from tidemill.model_types.base import Labels

SHARES = frozenset({"precision", "recall", "accuracy", "f1_score", "roc_auc"})
"""Metrics that lie in [0, 1], and so do their intervals."""

_CONFIDENCE = 0.95

ROOM = 1e60
"""Of numbers up to this every metric and its variance, which has their fourth powers in it, is a number."""


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
    Shares have Wilson's interval, at the number of rows that gives the metric's own variance, or that of the class with
    too few rows (`evaluation.few`): Wilson, Journal of the American Statistical Association 22, 1927,
    doi 10.1080/01621459.1927.10502953.
    """
    found = []
    counts = by_class(y, scores) if labels.classes and len(y) else None
    for metric in metric_names(labels):
        one = influence(metric, labels, y, scores)
        if math.isfinite(one.value):
            rests_on = support(metric, *counts) if counts is not None and metric in SHARES else None
            rows = _rows_told(metric, labels, y, scores) if _says_little(one, rests_on) else len(y)
            low, high = _interval(metric, one, rows, confidence)
            found.append(Interval(metric=metric, value=one.value, low=low, high=high))
    return tuple(found)


def overflow(y: np.ndarray, scores: np.ndarray) -> str:
    """Why metrics of numbers, or their intervals, may be no number; '' where there is room for all of them."""
    most = {name: float(np.abs(rows).max(initial=0.0)) for name, rows in (("label", y), ("prediction", scores))}
    name = max(most, key=most.__getitem__)
    return f"it overflows: the largest {name} is {most[name]:.3g}" if most[name] > ROOM else ""


def variance_told(metric: str, labels: Labels, y: np.ndarray, scores: np.ndarray, one: Influence) -> float:
    """The variance of a metric, also of a share of 0 or 1: as its rows all agree, they show none."""
    if metric not in SHARES or one.variance > 0 or not math.isfinite(one.value):
        return one.variance
    low, high = wilson(one.value, _rows_told(metric, labels, y, scores), confidence=_CONFIDENCE)
    return ((high - low) / normal_quantile(_CONFIDENCE)) ** 2


def _says_little(share: Influence, rests_on: Support | None) -> bool:
    """Whether the variance that the rows of a share show is not to be trusted."""
    return rests_on is not None and (not share.variance > 0 or rests_on.fewest < LEAST_OF_CLASS)


def _interval(metric: str, one: Influence, rows: float, confidence: float) -> tuple[float, float]:
    variance = one.variance
    if metric in SHARES:
        return wilson(one.value, _rows_behind(one.value, variance, rows), confidence=confidence)
    if not math.isfinite(variance):
        return -math.inf, math.inf
    reach = normal_quantile(confidence) * math.sqrt(variance)
    return one.value - reach, one.value + reach


def _rows_behind(share: float, variance: float, n: float) -> float:
    """How many independent rows a share with this variance is worth: never more than there are."""
    if not math.isfinite(variance) or variance <= 0:
        return n
    return min(n, share * (1 - share) / variance)


def _rows_told(metric: str, labels: Labels, y: np.ndarray, scores: np.ndarray) -> float:
    """How many rows a share rests on whose variance says little: three right calls of three are few, of however many.

    The variance of a mean over classes is that of a share of the harmonic mean of their rows, times the classes.
    """
    if metric == "accuracy":
        return len(y)
    classes = len(labels.classes)
    true = np.bincount(y, minlength=classes).astype(np.float64)
    if metric == "roc_auc":
        rows = np.minimum(true, len(y) - true)[true > 0]
    else:
        calls = called_classes(scores)
        called = np.bincount(calls, minlength=classes).astype(np.float64)
        either = called + true - np.bincount(y[calls == y], minlength=classes)
        rows = {"precision": called, "recall": true, "f1_score": either}[metric]
        rows = rows[1:] if classes == 2 else rows[either > 0]
    if not len(rows) or not rows.all():
        return 0.0
    return float(len(rows) ** 2 / (1.0 / rows).sum() if classes > 2 else rows.min())
