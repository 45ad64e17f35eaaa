"""How much each row moves a metric: from these values come intervals, and paired differences on the same rows.

Every metric of ML.EVALUATE is a smooth function of averages over rows, so its estimate is, but for smaller terms, the
true value plus the mean of one number a row, its influence. The variance of that mean is the metric's variance; for two
models on the same rows the influences are subtracted row by row, which keeps what the rows have in common out of it.
For the area under a ROC curve this is DeLong's method; for ratios it is the delta method.

References
----------
.. [1] E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44(3), 1988, doi 10.2307/2531595.
.. [2] X. Sun, W. Xu, "Fast implementation of DeLong's algorithm", IEEE Signal Processing Letters 21(11), 2014,
   doi 10.1109/LSP.2014.2337313 (midranks).
.. [3] A. W. van der Vaart, Asymptotic Statistics, 1998, doi 10.1017/CBO9780511802256, chapters 20 and 21 (influence,
   quantiles).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.errors import InternalError
from tidemill.evaluation.confusion import called_classes
from tidemill.evaluation.metrics import LEAST_PROBABILITY

if TYPE_CHECKING:
    from tidemill.model_types.base import Labels


@dataclass(frozen=True, slots=True)
class Influence:
    """A metric on some rows, and what each row adds to it; NaN where the metric has no value."""

    value: float
    rows: np.ndarray

    @property
    def variance(self) -> float:
        """Variance of the metric; infinite or NaN where it overflows."""
        n = len(self.rows)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.square(self.rows - self.rows.mean()).sum() / (n - 1) / n) if n > 1 else float("nan")


def influence(metric: str, labels: Labels, y: np.ndarray, scores: np.ndarray) -> Influence:
    """A metric of `evaluation.judge` with the influence of each row.

    Parameters
    ----------
    y, scores
        As `judge` takes them: class ordinals and probabilities, or numbers and predictions.
    """
    kinds = _REGRESSION if not labels.classes else _BINARY if len(labels.classes) == 2 else _MULTICLASS
    if metric not in kinds:
        raise InternalError(f"{metric} is no metric of {labels.column}")
    if not len(y):
        return Influence(float("nan"), np.empty(0))
    # Squares of absurd labels overflow: what comes of them is no number, which callers ask for.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return kinds[metric](y, scores)


def _mean(values: np.ndarray) -> Influence:
    mean = float(values.mean())
    return Influence(mean, values - mean)


def _ratio(above: np.ndarray, below: np.ndarray) -> Influence:
    """A ratio of two means: the delta method."""
    whole = float(below.mean())
    if whole == 0:
        return Influence(0.0, np.zeros(len(above)))
    value = float(above.mean()) / whole
    return Influence(value, (above - value * below) / whole)


def _average(parts: list[Influence], n: int) -> Influence:
    if not parts:
        return Influence(float("nan"), np.full(n, np.nan))
    return Influence(float(np.mean([part.value for part in parts])), np.mean([part.rows for part in parts], axis=0))


def _area(positive: np.ndarray, scores: np.ndarray) -> Influence:
    """Area under the ROC curve by midranks: [2]."""
    n = len(scores)
    above, below = int(positive.sum()), int(n - positive.sum())
    if not above or not below:
        return Influence(float("nan"), np.full(n, np.nan))
    ranks = _midranks(scores)
    mine = np.empty(n)
    mine[positive] = (ranks[positive] - _midranks(scores[positive])) / below
    mine[~positive] = 1.0 - (ranks[~positive] - _midranks(scores[~positive])) / above
    value = float(mine[positive].mean())
    share = np.where(positive, n / above, n / below)
    return Influence(value, (mine - value) * share)


def _midranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: np.ndarray = (last - (counts - 1) / 2.0)[place]
    return ranks


def _losses(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    of_label = np.take_along_axis(scores, y[:, None], axis=1)[:, 0].astype(np.float64)
    losses: np.ndarray = -np.log(np.clip(of_label, LEAST_PROBABILITY, 1.0))
    return losses


def _hits(y: np.ndarray, called: np.ndarray, one: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    label, call = y == one, called == one
    return (label & call).astype(np.float64), label.astype(np.float64), call.astype(np.float64)


def _binary_f1(y: np.ndarray, scores: np.ndarray) -> Influence:
    hit, label, call = _hits(y, called_classes(scores), 1)
    return _ratio(2.0 * hit, label + call)


def _binary_part(of_calls: bool) -> Callable[[np.ndarray, np.ndarray], Influence]:
    def work(y: np.ndarray, scores: np.ndarray) -> Influence:
        hit, label, call = _hits(y, called_classes(scores), 1)
        return _ratio(hit, call if of_calls else label)

    return work


def _accuracy(y: np.ndarray, scores: np.ndarray) -> Influence:
    return _mean((called_classes(scores) == y).astype(np.float64))


def _macro(of: str) -> Callable[[np.ndarray, np.ndarray], Influence]:
    """Averages over the classes, as `metrics.multiclass_metrics` takes them."""

    def work(y: np.ndarray, scores: np.ndarray) -> Influence:
        called = called_classes(scores)
        parts = []
        for one in range(scores.shape[1]):
            hit, label, call = _hits(y, called, one)
            if not label.any() and not call.any():
                continue
            below = {"precision": call, "recall": label, "f1_score": label + call}[of]
            parts.append(_ratio(2.0 * hit if of == "f1_score" else hit, below))
        return _average(parts, len(y))

    return work


def _macro_loss(y: np.ndarray, scores: np.ndarray) -> Influence:
    losses = _losses(y, scores)
    parts = [_ratio(losses * (y == one), (y == one).astype(np.float64)) for one in np.unique(y)]
    return _average(parts, len(y))


def _macro_area(y: np.ndarray, scores: np.ndarray) -> Influence:
    present = np.flatnonzero((counts := np.bincount(y, minlength=scores.shape[1])) > 0)
    parts = [_area(y == one, scores[:, one]) for one in present if counts[one] < len(y)]
    return _average(parts, len(y))


def _log_error(y: np.ndarray, scores: np.ndarray) -> Influence:
    if float(y.min()) <= -1.0 or float(scores.min()) <= -1.0:
        return Influence(float("nan"), np.full(len(y), np.nan))
    return _mean(np.square(np.log1p(y) - np.log1p(scores)))


def _median(y: np.ndarray, scores: np.ndarray) -> Influence:
    """The lower median; its influence needs the density there, which the spacing of nearby values gives: [3]."""
    size = np.sort(np.abs(y - scores))
    n = len(size)
    value = float(size[(n - 1) // 2])
    reach = max(1, int(n ** (2 / 3) / 2))
    low, high = max(0, (n - 1) // 2 - reach), min(n - 1, (n - 1) // 2 + reach)
    if low == high:  # one row: nothing says how far others would be
        return Influence(value, np.zeros(n))
    density = (high - low) / n / max(float(size[high] - size[low]), 1e-300)
    rows = ((np.abs(y - scores) > value).astype(np.float64) - 0.5) / density
    return Influence(value, rows - rows.mean())


def _explained(*, centred: bool) -> Callable[[np.ndarray, np.ndarray], Influence]:
    """R2, and with ``centred`` errors the explained variance."""

    def work(y: np.ndarray, scores: np.ndarray) -> Influence:
        error = y - scores
        left = np.square(error - error.mean()) if centred else np.square(error)
        spread = np.square(y - y.mean())
        if not spread.any():
            return Influence(float("nan"), np.full(len(y), np.nan))
        part = _ratio(left, spread)
        return Influence(1.0 - part.value, -part.rows)

    return work


_REGRESSION: dict[str, Callable[[np.ndarray, np.ndarray], Influence]] = {
    "mean_absolute_error": lambda y, scores: _mean(np.abs(y - scores)),
    "mean_squared_error": lambda y, scores: _mean(np.square(y - scores)),
    "mean_squared_log_error": _log_error,
    "median_absolute_error": _median,
    "r2_score": _explained(centred=False),
    "explained_variance": _explained(centred=True),
}
_BINARY: dict[str, Callable[[np.ndarray, np.ndarray], Influence]] = {
    "precision": _binary_part(of_calls=True),
    "recall": _binary_part(of_calls=False),
    "accuracy": _accuracy,
    "f1_score": _binary_f1,
    "log_loss": lambda y, scores: _mean(_losses(y, scores)),
    "roc_auc": lambda y, scores: _area(y == 1, scores[:, 1]),
}
_MULTICLASS: dict[str, Callable[[np.ndarray, np.ndarray], Influence]] = {
    "precision": _macro("precision"),
    "recall": _macro("recall"),
    "accuracy": _accuracy,
    "f1_score": _macro("f1_score"),
    "log_loss": _macro_loss,
    "roc_auc": _macro_area,
}
