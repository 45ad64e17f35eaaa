"""Quality without labels: what metrics of some rows are to be expected, how sure that is, and whether it can be believed.

Confidence-based performance estimation [1]_ [2]_: what the model says of its held-out rows is calibrated, and with the
calibrated probabilities of new rows every metric has an expected value. The interval that is given is that of the
metric which the labels will show when they come: it has the chance of the labels in it, and how well the calibration is
known. For regressors, the loss of a row is estimated from its prediction [3]_.

All of it supposes that rows with one score turn out as they did among the held-out rows. Other scores than before are
no matter; another relation of scores and labels is, and cannot be seen without labels. ``check`` looks for it where
there are some.

References
----------
.. [1] J. Kivimäki, J. Białek, W. Kuberski, J. K. Nurminen, "Performance estimation in binary classification using
   calibrated confidence", 2025, https://arxiv.org/abs/2505.05295.
.. [2] NannyML, "Performance estimation",
   https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html.
.. [3] NannyML, "Direct loss estimation", the same page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np  # noqa: TID253

from tidemill.core.chance import chi_squared_upper, normal_quantile, wilson
from tidemill.evaluation.expected import BRIER, ESTIMATED, Expected, Rows, brier_losses, expected_metric
from tidemill.evaluation.intervals import SHARES
from tidemill.evaluation.judge import judge
from tidemill.evaluation.smooth import Curve, learn_share, learn_size, logit

if TYPE_CHECKING:
    from tidemill.model_types.base import Labels

MOST_HELD = 100_000
"""Of more held-out rows than this, every n-th calibrates: the curve gets no surer worth the time."""

MOST_CHECKED = 20_000
"""A check looks at this many rows at most: what more would show is too small to matter."""

LOSSES = ("mean_absolute_error", "mean_squared_error", "mean_squared_log_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A metric as it is to be expected.

    Parameters
    ----------
    low, high
        Where the metric is going to be once the rows have labels, at the confidence asked for.
    error
        Standard error of that metric around the value.
    error_of_mean
        Standard error of the value as the metric of all rows like these.
    """

    metric: str
    value: float
    low: float
    high: float
    error: float
    error_of_mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Estimate and truth on rows with labels.

    Parameters
    ----------
    estimated, realised
        The metric.
    p_value
        How often chance gives as much, where rows turn out as the held-out ones did: of two tests, one of the metric
        and one of the labels along the scores, twice the smaller p-value.
    """

    metric: str
    estimated: Estimated
    realised: float
    p_value: float
    rows: int


class Estimator(Protocol):
    """Learnt from held-out rows."""

    def metrics(self) -> tuple[str, ...]:
        """What it estimates."""

    def estimate(
        self, scores: np.ndarray, *, weights: np.ndarray | None = None, confidence: float = 0.95
    ) -> dict[str, Estimated]:
        """Estimate the metrics of rows without labels; one that has no value is left out.

        Parameters
        ----------
        scores
            As `evaluation.judge.judge` takes them.
        weights
            How many rows each stands for, where rows of one score were counted.
        """

    def check(self, y: np.ndarray, scores: np.ndarray, *, metric: str) -> Check | None:
        """Compare an estimate with the truth; None where the metric has no value."""


def learn_estimator(labels: Labels, y: np.ndarray, scores: np.ndarray) -> Estimator:
    """Learn from held-out rows, as `evaluation.judge.judge` takes them."""
    step = -(-len(y) // MOST_HELD) or 1
    y, scores = y[::step], scores[::step].astype(np.float64)
    return _Classifier.learn(y.astype(np.int64), scores) if labels.classes else _Regressor.learn(y, scores)


def realised_metrics(labels: Labels, y: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """The metrics of `evaluation.judge`, and the Brier score of classifiers."""
    found = judge(labels, y, scores)
    if labels.classes and len(y):
        found[BRIER] = float(np.take_along_axis(brier_losses(scores), y[:, None], axis=1).mean())
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Classifier:
    """A curve for each class; for two classes one of the second."""

    curves: tuple[Curve, ...]
    classes: int

    @classmethod
    def learn(cls, y: np.ndarray, scores: np.ndarray) -> _Classifier:
        classes = scores.shape[1]
        chosen = (1,) if classes == 2 else range(classes)
        curves = [learn_share(logit(scores[:, one]), (y == one).astype(np.float64)) for one in chosen]
        return cls(curves=tuple(curves), classes=classes)

    def metrics(self) -> tuple[str, ...]:
        return ESTIMATED

    def estimate(
        self, scores: np.ndarray, *, weights: np.ndarray | None = None, confidence: float = 0.95
    ) -> dict[str, Estimated]:
        if not len(scores):
            return {}
        calibrated = self._calibrated(scores, weights)
        found = [_estimated(metric, calibrated, confidence) for metric in ESTIMATED]
        return {one.metric: one for one in found if one is not None}

    def check(self, y: np.ndarray, scores: np.ndarray, *, metric: str) -> Check | None:
        step = -(-len(y) // MOST_CHECKED) or 1
        y, scores = y[::step], scores[::step]
        calibrated = self._calibrated(scores, None)
        estimated = _estimated(metric, calibrated, 0.95)
        realised = _realised(metric, y, scores)
        if estimated is None or not math.isfinite(realised):
            return None
        chances = [_two_sided((realised - estimated.value) / estimated.error), calibrated.chance(y)]
        return Check(
            metric=metric, estimated=estimated, realised=realised, p_value=min(1.0, 2 * min(chances)), rows=len(y)
        )

    def _calibrated(self, scores: np.ndarray, weights: np.ndarray | None) -> _Calibrated:
        scores = scores.astype(np.float64)
        chosen = (1,) if self.classes == 2 else range(self.classes)
        values = [logit(scores[:, one]) for one in chosen]
        columns = [curve.columns(one) for curve, one in zip(self.curves, values, strict=True)]
        means = np.column_stack(
            [curve.mean(one, wide) for curve, one, wide in zip(self.curves, values, columns, strict=True)]
        )
        slopes = means * (1.0 - means)
        if self.classes == 2:
            probabilities = np.column_stack([1.0 - means[:, 0], means[:, 0]])
        else:
            total = means.sum(axis=1, keepdims=True)
            probabilities, slopes = means / total, slopes / total
        rows = Rows(
            probabilities=probabilities,
            scores=scores,
            weights=np.ones(len(scores)) if weights is None else weights.astype(np.float64),
        )
        return _Calibrated(rows=rows, columns=tuple(columns), slopes=slopes, curves=self.curves)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calibrated:
    """Rows with calibrated probabilities, and how these move with the curves' weights.

    Parameters
    ----------
    columns
        Of each curve's basis.
    slopes
        By curve: how far its class's probability moves with the line, before all are made to add up to 1.
    """

    rows: Rows
    columns: tuple[np.ndarray, ...]
    slopes: np.ndarray
    curves: tuple[Curve, ...]

    def variance_of_curves(self, influence: np.ndarray) -> float:
        """The variance that a mean of influences has because the curves are known only so well."""
        rows = self.rows
        if len(self.curves) == 1:
            by_curve = (influence[:, 1] - influence[:, 0])[:, None]
        else:
            by_curve = influence - (rows.probabilities * influence).sum(axis=1, keepdims=True)
        moved = by_curve * self.slopes * rows.weights[:, None] / rows.count
        total = 0.0
        for place, (curve, columns) in enumerate(zip(self.curves, self.columns, strict=True)):
            gradient = columns.T @ moved[:, place]
            total += float(gradient @ curve.covariance @ gradient)
        return total

    def chance(self, y: np.ndarray) -> float:
        """How often chance gives labels as far from the curves: a score test in the directions of the basis."""
        first = 1 if len(self.curves) == 1 else 0
        found = []
        for place, (curve, columns) in enumerate(zip(self.curves, self.columns, strict=True)):
            share = self.rows.probabilities[:, first + place]
            missed = columns.T @ ((y == first + place) - share)
            own = (columns * (share * (1.0 - share))[:, None]).T @ columns
            moved = (columns * self.slopes[:, place][:, None]).T @ columns
            covariance = own + moved @ curve.covariance @ moved.T
            statistic = float(missed @ np.linalg.pinv(covariance, hermitian=True) @ missed)
            found.append(chi_squared_upper(statistic, len(missed)))
        return min(1.0, min(found) * len(found))


def _estimated(metric: str, calibrated: _Calibrated, confidence: float) -> Estimated | None:
    rows = calibrated.rows
    found: Expected = expected_metric(metric, rows)
    if not math.isfinite(found.value):
        return None
    middle = (rows.probabilities * found.influence).sum(axis=1)
    square = (rows.probabilities * np.square(found.influence)).sum(axis=1)
    n = rows.count
    of_labels = float(rows.weights @ np.maximum(square - np.square(middle), 0.0)) / n**2
    of_rows = float(rows.weights @ np.square(middle)) / n**2
    of_curves = calibrated.variance_of_curves(found.influence)
    return _with_interval(metric, found.value, of_labels, of_rows, of_curves, rows=n, confidence=confidence)


def _with_interval(
    metric: str, value: float, of_labels: float, of_rows: float, of_curves: float, *, rows: float, confidence: float
) -> Estimated:
    variance = of_labels + of_curves
    if metric in SHARES:
        value = min(1.0, max(0.0, value))
        worth = value * (1.0 - value) / variance if variance > 0 else rows
        low, high = wilson(value, worth if worth > 0 else rows, confidence=confidence)
    else:
        reach = normal_quantile(confidence) * math.sqrt(variance)
        low, high = max(0.0, value - reach), value + reach
    return Estimated(
        metric=metric,
        value=value,
        low=low,
        high=high,
        error=math.sqrt(variance),
        error_of_mean=math.sqrt(of_rows + of_curves),
    )


def _realised(metric: str, y: np.ndarray, scores: np.ndarray) -> float:
    from tidemill.model_types.base import Labels

    classes = tuple(range(scores.shape[1])) if scores.ndim == 2 else ()
    return realised_metrics(Labels(column="", classes=classes), y, scores).get(metric, math.nan)


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2.0)) if math.isfinite(z) else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Regressor:
    """By loss: its mean given the prediction, and how much it varies around it, as a share of its mean's square."""

    curves: Mapping[str, tuple[Curve, float]]

    @classmethod
    def learn(cls, y: np.ndarray, scores: np.ndarray) -> _Regressor:
        found = {}
        for metric in LOSSES:
            losses = _row_losses(metric, y, scores)
            if losses is None or not len(losses) or not losses.any():
                continue
            curve = learn_size(scores, losses)
            mean = curve.mean(scores, curve.columns(scores))
            found[metric] = (curve, float(np.square(losses - mean).sum() / np.square(mean).sum()))
        return cls(curves=found)

    def metrics(self) -> tuple[str, ...]:
        return tuple(self.curves)

    def estimate(
        self, scores: np.ndarray, *, weights: np.ndarray | None = None, confidence: float = 0.95
    ) -> dict[str, Estimated]:
        if not len(scores):
            return {}
        scores = scores.astype(np.float64)
        count = np.ones(len(scores)) if weights is None else weights.astype(np.float64)
        return {metric: self._one(metric, scores, count, confidence) for metric in self.curves}

    def _one(self, metric: str, scores: np.ndarray, weights: np.ndarray, confidence: float) -> Estimated:
        curve, spread = self.curves[metric]
        columns = curve.columns(scores)
        mean = curve.mean(scores, columns)
        n = float(weights.sum())
        value = float(weights @ mean) / n
        gradient = columns.T @ (weights * mean) / n
        return _with_interval(
            metric,
            value,
            float(weights @ np.square(mean)) * spread / n**2,
            float(weights @ np.square(mean - value)) / n**2,
            float(gradient @ curve.covariance @ gradient),
            rows=n,
            confidence=confidence,
        )

    def check(self, y: np.ndarray, scores: np.ndarray, *, metric: str) -> Check | None:
        step = -(-len(y) // MOST_CHECKED) or 1
        y, scores = y[::step], scores[::step]
        losses = _row_losses(metric, y, scores) if metric in self.curves else None
        if losses is None or not len(losses):
            return None
        estimated = self.estimate(scores)[metric]
        realised = float(losses.mean())
        chances = [_two_sided((realised - estimated.value) / estimated.error), self._chance(metric, losses, scores)]
        return Check(
            metric=metric, estimated=estimated, realised=realised, p_value=min(1.0, 2 * min(chances)), rows=len(y)
        )

    def _chance(self, metric: str, losses: np.ndarray, scores: np.ndarray) -> float:
        curve, spread = self.curves[metric]
        columns = curve.columns(scores.astype(np.float64))
        mean = curve.mean(scores, columns)
        # In units of the mean each row tells as much as another; sums in the loss's own unit hang on a few.
        missed = columns.T @ (losses / mean - 1.0)
        own = columns.T @ columns
        statistic = float(missed @ np.linalg.pinv(own * spread + own @ curve.covariance @ own, hermitian=True) @ missed)
        return chi_squared_upper(statistic, len(missed))


def _row_losses(metric: str, y: np.ndarray, scores: np.ndarray) -> np.ndarray | None:
    """The loss of each row; None where it has none."""
    error = np.abs(y.astype(np.float64) - scores.astype(np.float64))
    if metric == "mean_absolute_error":
        return error
    if metric == "mean_squared_error":
        found: np.ndarray = np.square(error)
        return found
    if len(y) and (float(y.min()) <= -1.0 or float(scores.min()) <= -1.0):
        return None
    logs: np.ndarray = np.square(np.log1p(y) - np.log1p(scores))
    return logs
