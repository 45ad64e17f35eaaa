"""Estimates for classifiers, from calibrated probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np  # noqa: TID253

from tidemill.core.chance import chi_squared_upper
from tidemill.evaluation.confusion import called_classes
from tidemill.evaluation.estimated import MOST_CHECKED, Check, Estimated, Variances, two_sided, with_interval
from tidemill.evaluation.expected import BRIER, ESTIMATED, Rows, brier_losses, expected_metric
from tidemill.evaluation.few import LEAST_OF_CLASS, by_class, support
from tidemill.evaluation.judge import judge
from tidemill.evaluation.smooth import Curve, learn_share, logit
from tidemill.model_types.base import Labels

LEFT = 0.05
"""Rows that differ from an estimate by a larger p-value than this once one of them is left out do not contradict it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierEstimator:
    """Estimates by calibrated probabilities: a curve for each class; for two classes one of the second."""

    curves: tuple[Curve, ...]
    classes: int

    @classmethod
    def learn(cls, y: np.ndarray, scores: np.ndarray, sides: np.ndarray | None = None) -> ClassifierEstimator:
        """Calibrate on held-out rows."""
        classes = scores.shape[1]
        chosen = (1,) if classes == 2 else range(classes)
        curves = [learn_share(logit(scores[:, one]), (y == one).astype(np.float64), sides) for one in chosen]
        return cls(curves=tuple(curves), classes=classes)

    def metrics(self) -> tuple[str, ...]:
        """What it estimates."""
        return ESTIMATED

    def estimate(
        self,
        scores: np.ndarray,
        *,
        weights: np.ndarray | None = None,
        sides: np.ndarray | None = None,
        total: int | None = None,
        confidence: float = 0.95,
    ) -> dict[str, Estimated]:
        """See `Estimator`."""
        if not len(scores):
            return {}
        calibrated = self._calibrated(scores, weights, sides)
        found = [_estimated(metric, calibrated, confidence, total) for metric in ESTIMATED]
        return {one.metric: one for one in found if one is not None}

    def calibrated(self, scores: np.ndarray) -> np.ndarray:
        """What the held-out rows make of scores: probabilities, shape (n, classes)."""
        return self._calibrated(scores, None, None).rows.probabilities

    def chance(self, y: np.ndarray, scores: np.ndarray) -> float:
        """How often chance gives labels as far from what the held-out rows make of the scores."""
        return self._calibrated(scores, None, None).chance(y)

    def check(self, y: np.ndarray, scores: np.ndarray, *, metric: str, sides: np.ndarray | None = None) -> Check | None:
        """See `Estimator`. One label may be wrong: what rows say only together with that one is not believed."""
        step = -(-len(y) // MOST_CHECKED) or 1
        y, scores, sides = y[::step], scores[::step], None if sides is None else sides[::step]
        calibrated = self._calibrated(scores, None, sides)
        found = self._checked(metric, y, scores, calibrated)
        if found is None or len(y) < 2:
            return found
        odd = int(np.argmin(calibrated.rows.probabilities[np.arange(len(y)), y.astype(np.int64)]))
        y, scores = np.delete(y, odd), np.delete(scores, odd, axis=0)
        sides = None if sides is None else np.delete(sides, odd, axis=0)
        without = self._checked(metric, y, scores, self._calibrated(scores, None, sides))
        left = 1.0 if without is None else without.p_value
        return found if left < LEFT else replace(found, p_value=max(found.p_value, left))

    def _checked(self, metric: str, y: np.ndarray, scores: np.ndarray, calibrated: _Calibrated) -> Check | None:
        estimated = _estimated(metric, calibrated, 0.95)
        realised = _realised(metric, y, scores)
        if estimated is None or not math.isfinite(realised):
            return None
        gap = realised - estimated.value
        # Where no row is called, precision, recall and F1 are 0 whatever the labels are.
        by_metric = two_sided(gap / estimated.error) if estimated.error > 0 else float(gap == 0)
        chances = [by_metric, calibrated.chance(y)]
        return Check(
            metric=metric,
            estimated=estimated,
            realised=realised,
            p_value=min(1.0, 2 * min(chances)),
            rows=len(y),
            fewest=support(metric, *by_class(y, scores)).fewest,
        )

    def _calibrated(self, scores: np.ndarray, weights: np.ndarray | None, sides: np.ndarray | None) -> _Calibrated:
        scores = scores.astype(np.float64)
        chosen = (1,) if self.classes == 2 else range(self.classes)
        values = [logit(scores[:, one]) for one in chosen]
        columns = [curve.columns(one, sides) for curve, one in zip(self.curves, values, strict=True)]
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
        """How often chance gives labels as far from the curves: a score test in the directions of the basis.

        Classes that have few rows, and are expected to have few, say nothing: one label would be far from nearly none.
        """
        first = 1 if len(self.curves) == 1 else 0
        found = []
        for place, (curve, columns) in enumerate(zip(self.curves, self.columns, strict=True)):
            share = self.rows.probabilities[:, first + place]
            if _fewest(y == first + place) < LEAST_OF_CLASS and _fewest(share) < LEAST_OF_CLASS:
                continue
            # Along the score alone: so many directions as columns would hide what happens in one of them.
            along = columns[:, : curve.basis.width]
            missed = along.T @ ((y == first + place) - share)
            own = (along * (share * (1.0 - share))[:, None]).T @ along
            moved = (along * self.slopes[:, place][:, None]).T @ columns
            covariance = own + moved @ curve.covariance @ moved.T
            statistic = float(missed @ np.linalg.pinv(covariance, hermitian=True) @ missed)
            found.append(chi_squared_upper(statistic, len(missed)))
        return min(1.0, min(found) * len(found)) if found else 1.0


def _fewest(share: np.ndarray) -> float:
    """Rows of a class or of the rest, whichever are fewer."""
    of_class = float(share.sum())
    return min(of_class, len(share) - of_class)


def _estimated(metric: str, calibrated: _Calibrated, confidence: float, total: int | None = None) -> Estimated | None:
    rows = calibrated.rows
    found = expected_metric(metric, rows)
    if not math.isfinite(found.value):
        return None
    middle = (rows.probabilities * found.influence).sum(axis=1)
    square = (rows.probabilities * np.square(found.influence)).sum(axis=1)
    n = rows.count
    variances = Variances(
        of_labels=float(rows.weights @ np.maximum(square - np.square(middle), 0.0)) / n**2,
        of_rows=float(rows.weights @ np.square(middle)) / n**2,
        of_curves=calibrated.variance_of_curves(found.influence),
    )
    called = np.bincount(called_classes(rows.scores), weights=rows.weights, minlength=rows.scores.shape[1])
    fewest = support(metric, rows.weights @ rows.probabilities, called).fewest
    return with_interval(metric, found.value, variances, rows=n, total=total or n, confidence=confidence, fewest=fewest)


def realised_metrics(labels: Labels, y: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """The metrics of `evaluation.judge`, and the Brier score of classifiers."""
    found = judge(labels, y, scores)
    if labels.classes and len(y):
        found[BRIER] = float(np.take_along_axis(brier_losses(scores), y[:, None], axis=1).mean())
    return found


def _realised(metric: str, y: np.ndarray, scores: np.ndarray) -> float:
    labels = Labels(column="", classes=tuple(range(scores.shape[1])))
    return realised_metrics(labels, y, scores).get(metric, math.nan)
