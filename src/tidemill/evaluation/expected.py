"""Metrics of a classifier whose labels are not known but for their probabilities, and what each row adds to them.

A confusion matrix of probabilities has expected counts in its cells; the metric of these is the expected metric but for
terms of order 1/n. What a row adds, given each label it may have, is its influence, as in `evaluation.influence`. From
these come the variance over the labels that may turn up, which for accuracy is the Poisson binomial one, the variance
over rows, and the slope of the metric in each probability.

References
----------
.. [1] J. Kivimäki, J. Białek, W. Kuberski, J. K. Nurminen, "Performance estimation in binary classification using
   calibrated confidence", 2025, https://arxiv.org/abs/2505.05295.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np  # noqa: TID253

from tidemill.evaluation.confusion import called_classes
from tidemill.evaluation.metric_names import CLASSIFIER_METRICS
from tidemill.evaluation.metrics import LEAST_PROBABILITY

BRIER = "brier_score"
ESTIMATED = (*CLASSIFIER_METRICS, BRIER)
LEAST_EXPECTED = 0.5
"""A class with fewer expected rows than this, which is never called either, is no part of a mean over classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An expected metric.

    Parameters
    ----------
    influence
        What a row adds if its label is that class, shape (n, classes).
    """

    value: float
    influence: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows without labels.

    Parameters
    ----------
    probabilities
        How likely each class is, shape (n, classes).
    scores
        What the model said, shape (n, classes).
    weights
        How many rows each stands for, shape (n,).
    """

    probabilities: np.ndarray
    scores: np.ndarray
    weights: np.ndarray

    @property
    def count(self) -> float:
        """How many rows there are."""
        return float(self.weights.sum())

    def mean(self, of_classes: np.ndarray) -> float:
        """The expected mean of something that depends on the label, given for each class."""
        return float(self.weights @ (self.probabilities * of_classes).sum(axis=1)) / self.count


def expected_metric(metric: str, rows: Rows) -> Expected:
    """A metric of `ESTIMATED`."""
    if metric == "accuracy":
        called = called_classes(rows.scores)
        return _mean(rows, np.equal.outer(called, np.arange(rows.scores.shape[1])).astype(np.float64))
    if metric == BRIER:
        return _mean(rows, brier_losses(rows.scores))
    if rows.scores.shape[1] == 2:
        if metric == "log_loss":
            return _mean(rows, _log_losses(rows.scores))
        return _of_class(metric, rows, 1)
    return _over_classes(metric, rows)


def brier_losses(scores: np.ndarray) -> np.ndarray:
    """The squared distance of probabilities from each label; of two classes, that of the second one's."""
    if scores.shape[1] == 2:
        return np.column_stack([scores[:, 1] ** 2, (1.0 - scores[:, 1]) ** 2])
    found: np.ndarray = np.square(scores).sum(axis=1)[:, None] + 1.0 - 2.0 * scores
    return found


def _log_losses(scores: np.ndarray) -> np.ndarray:
    found: np.ndarray = -np.log(np.clip(scores, LEAST_PROBABILITY, 1.0))
    return found


def _mean(rows: Rows, of_classes: np.ndarray) -> Expected:
    value = rows.mean(of_classes)
    return Expected(value=value, influence=of_classes - value)


def _of_class(metric: str, rows: Rows, one: int) -> Expected:
    """A metric of one class against the rest; where it has no value, that is NaN."""
    if metric == "roc_auc":
        value, mine, other = _area(rows, one)
    else:
        value, mine, other = _ratio(metric, rows, one)
    influence = np.repeat(other[:, None], rows.scores.shape[1], axis=1)
    influence[:, one] = mine
    return Expected(value=value, influence=influence)


def _ratio(metric: str, rows: Rows, one: int) -> tuple[float, np.ndarray, np.ndarray]:
    n = len(rows.weights)
    share = rows.probabilities[:, one]
    called = (called_classes(rows.scores) == one).astype(np.float64)
    none, all_ = np.zeros(n), np.ones(n)
    above_mine, below_mine, below_other = {
        "precision": (called, called, called),
        "recall": (called, all_, none),
        "f1_score": (2.0 * called, all_ + called, called),
        "log_loss": (_log_losses(rows.scores)[:, one], all_, none),
    }[metric]
    below = float(rows.weights @ (share * below_mine + (1.0 - share) * below_other))
    if below <= 0:
        return 0.0, none, none
    value = float(rows.weights @ (share * above_mine)) / below
    scale = rows.count / below
    return value, (above_mine - value * below_mine) * scale, -value * below_other * scale


def _area(rows: Rows, one: int) -> tuple[float, np.ndarray, np.ndarray]:
    """The chance that a row of the class scores above one of the rest, ties half; a row is not paired with itself."""
    share, scores = rows.probabilities[:, one], rows.scores[:, one]
    mine, rest = rows.weights * share, rows.weights * (1.0 - share)
    _, place = np.unique(scores, return_inverse=True)
    by_mine, by_rest = np.bincount(place, weights=mine), np.bincount(place, weights=rest)
    itself = float(rest @ share)
    all_mine, all_rest = float(mine.sum()), float(rest.sum())
    pairs = all_mine * all_rest - itself
    if pairs <= 0 or all_mine <= 0 or all_rest <= 0:
        return float("nan"), np.full(len(share), np.nan), np.full(len(share), np.nan)
    beaten = (np.cumsum(by_rest) - by_rest / 2.0)[place]
    beating = (all_mine - np.cumsum(by_mine) + by_mine / 2.0)[place]
    value = (float(mine @ beaten) - itself / 2.0) / pairs
    n = rows.count
    return value, (beaten / all_rest - value) * n / all_mine, (beating / all_mine - value) * n / all_rest


def _over_classes(metric: str, rows: Rows) -> Expected:
    """A plain mean over the classes, as `metrics.multiclass_metrics` takes it."""
    called = np.bincount(called_classes(rows.scores), weights=rows.weights, minlength=rows.scores.shape[1])
    true = rows.weights @ rows.probabilities
    present = true >= LEAST_EXPECTED
    if metric in ("precision", "recall", "f1_score"):
        present |= called > 0
    parts = [_of_class(metric, rows, int(one)) for one in np.flatnonzero(present)]
    parts = [part for part in parts if np.isfinite(part.value)]
    if not parts:
        return Expected(value=float("nan"), influence=np.full(rows.scores.shape, np.nan))
    influence = np.zeros(rows.scores.shape)
    for part in parts:
        influence += part.influence / len(parts)
    return Expected(value=float(np.mean([part.value for part in parts])), influence=influence)
