"""Estimates for regressors: the loss of a row is estimated from its prediction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np  # noqa: TID253

from tidemill.core.chance import chi_squared_upper
from tidemill.evaluation.estimated import MOST_CHECKED, Check, Estimated, Variances, two_sided, with_interval
from tidemill.evaluation.intervals import overflow
from tidemill.evaluation.smooth import Curve, learn_size

_TOLD = 0.01
"""Of the mean spread of all directions, what one must have to be looked at."""

LOSSES = ("mean_absolute_error", "mean_squared_error", "mean_squared_log_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressorEstimator:
    """Estimates by losses.

    Parameters
    ----------
    curves
        By loss: its mean given the prediction, and its variance around that as a share of the mean's square.
    """

    curves: Mapping[str, tuple[Curve, float]]

    @classmethod
    def learn(cls, y: np.ndarray, scores: np.ndarray, sides: np.ndarray | None = None) -> RegressorEstimator:
        """Learn the losses of held-out rows."""
        found: dict[str, tuple[Curve, float]] = {}
        for metric in LOSSES if not overflow(y, scores) else ():
            losses = _row_losses(metric, y, scores)
            if losses is None or not len(losses) or not losses.any():
                continue
            curve = learn_size(scores, losses, sides)
            mean = curve.mean(scores, curve.columns(scores, sides))
            found[metric] = (curve, float(np.square(losses - mean).sum() / np.square(mean).sum()))
        return cls(curves=found)

    def metrics(self) -> tuple[str, ...]:
        """What it estimates."""
        return tuple(self.curves)

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
        scores = scores.astype(np.float64)
        count = np.ones(len(scores)) if weights is None else weights.astype(np.float64)
        found = {metric: self._one(metric, scores, count, sides) for metric in self.curves}
        rows = float(count.sum())
        return {
            metric: with_interval(metric, value, variances, rows=rows, total=total or rows, confidence=confidence)
            for metric, (value, variances) in found.items()
        }

    def _one(
        self, metric: str, scores: np.ndarray, weights: np.ndarray, sides: np.ndarray | None
    ) -> tuple[float, Variances]:
        curve, spread = self.curves[metric]
        columns = curve.columns(scores, sides)
        mean = curve.mean(scores, columns)
        n = float(weights.sum())
        value = float(weights @ mean) / n
        gradient = columns.T @ (weights * mean) / n
        return value, Variances(
            of_labels=float(weights @ np.square(mean)) * spread / n**2,
            of_rows=float(weights @ np.square(mean - value)) / n**2,
            of_curves=float(gradient @ curve.covariance @ gradient),
        )

    def check(self, y: np.ndarray, scores: np.ndarray, *, metric: str, sides: np.ndarray | None = None) -> Check | None:
        """See `Estimator`."""
        step = -(-len(y) // MOST_CHECKED) or 1
        y, scores, sides = y[::step], scores[::step], None if sides is None else sides[::step]
        with np.errstate(over="ignore", invalid="ignore"):
            losses = _row_losses(metric, y, scores) if metric in self.curves else None
            realised = math.nan if losses is None or not len(losses) else float(losses.mean())
        if losses is None or not math.isfinite(realised):
            return None
        estimated = self.estimate(scores, sides=sides)[metric]
        chances = [
            two_sided((realised - estimated.value) / estimated.error),
            self._chance(metric, losses, scores, sides),
        ]
        return Check(
            metric=metric, estimated=estimated, realised=realised, p_value=min(1.0, 2 * min(chances)), rows=len(y)
        )

    def _chance(self, metric: str, losses: np.ndarray, scores: np.ndarray, sides: np.ndarray | None) -> float:
        curve, _ = self.curves[metric]
        columns = curve.columns(scores.astype(np.float64), sides)
        mean = curve.mean(scores, columns)
        along = _told_apart(columns[:, : curve.basis.width])
        # In units of the mean each row tells as much as another; sums in the loss's own unit hang on a few. How far
        # losses spread around their mean is taken from these rows: it is seldom the same share everywhere.
        with np.errstate(over="ignore", invalid="ignore"):
            rows = along * (losses / mean - 1.0)[:, None]
            moved = along.T @ columns
            missed, covariance = rows.sum(axis=0), rows.T @ rows + moved @ curve.covariance @ moved.T
        if not (np.isfinite(missed).all() and np.isfinite(covariance).all()):
            return 1.0  # one row is all there is in the sums: that it is far off, the metric says
        statistic = float(missed @ np.linalg.pinv(covariance, hermitian=True) @ missed)
        return chi_squared_upper(statistic, len(missed))


def _told_apart(along: np.ndarray) -> np.ndarray:
    """The directions of a curve's columns that rows tell apart: shape (n, kept).

    A spline's columns are nearly one another's sums. In the directions that are left the curve stands where its prior
    holds it, with hardly any variance, and to be off there says nothing: half of all sound windows of the bikes failed.
    """
    spread, directions = np.linalg.eigh(along.T @ along / len(along))
    found: np.ndarray = along @ directions[:, spread > _TOLD * spread.mean()]
    return found


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
