"""What an estimate of quality without labels is, with its interval, and what a check of it says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np  # noqa: TID253

from tidemill.core.chance import normal_quantile, wilson
from tidemill.evaluation.intervals import SHARES

MOST_CHECKED = 20_000
"""A check looks at this many rows at most: what more would show is too small to matter."""


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
    fewest
        How many rows the smallest class that it rests on is expected to have; infinite where it rests on all.
    """

    metric: str
    value: float
    low: float
    high: float
    error: float
    error_of_mean: float
    fewest: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Estimate and truth on rows with labels.

    Parameters
    ----------
    estimated, realised
        The metric.
    p_value
        How often chance gives as much, where rows turn out as the held-out ones did: of two tests, one of the metric
        and one of the labels along the scores, twice the smaller p-value. For classifiers it is that
        without the row whose label is least expected, where that shows that this one alone makes the difference.
    fewest
        How many rows the smallest class that the metric rests on has; infinite where it rests on all.
    """

    metric: str
    estimated: Estimated
    realised: float
    p_value: float
    rows: int
    fewest: float = math.inf


class Estimator(Protocol):
    """Learnt from held-out rows."""

    def metrics(self) -> tuple[str, ...]:
        """What it estimates."""

    def estimate(
        self,
        scores: np.ndarray,
        *,
        weights: np.ndarray | None = None,
        sides: np.ndarray | None = None,
        total: int | None = None,
        confidence: float = 0.95,
    ) -> dict[str, Estimated]:
        """Estimate the metrics of rows without labels; one that has no value is left out.

        Parameters
        ----------
        scores
            As `evaluation.judge.judge` takes them.
        weights
            How many rows each stands for, where rows of one score were counted.
        sides
            Columns beside the score (`evaluation.sides`), where it was learnt with them.
        total
            How many rows the estimate is for, where these are a sample of them.
        """

    def check(self, y: np.ndarray, scores: np.ndarray, *, metric: str, sides: np.ndarray | None = None) -> Check | None:
        """Compare an estimate with the truth; None where the metric has no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variances:
    """What makes a metric of some rows uncertain.

    Parameters
    ----------
    of_labels
        Which labels turn up, on these rows.
    of_rows
        Which rows came.
    of_curves
        How well the held-out rows are known.
    """

    of_labels: float
    of_rows: float
    of_curves: float


def with_interval(
    metric: str,
    value: float,
    variances: Variances,
    *,
    rows: float,
    total: float,
    confidence: float,
    fewest: float = math.inf,
) -> Estimated:
    """A metric with its interval.

    Parameters
    ----------
    rows
        How many were looked at.
    total
        Of how many the metric is estimated: labels of all of them turn up, and which were looked at is chance.
    fewest
        As `Estimated` has it.
    """
    sampled = min(1.0, rows / total)
    variance = variances.of_labels * sampled + variances.of_rows * (1.0 - sampled) + variances.of_curves
    if metric in SHARES:
        value = min(1.0, max(0.0, value))
        worth = value * (1.0 - value) / variance if variance > 0 else total
        low, high = wilson(value, worth if worth > 0 else total, confidence=confidence)
    else:
        reach = normal_quantile(confidence) * math.sqrt(variance)
        low, high = max(0.0, value - reach), value + reach
    return Estimated(
        metric=metric,
        value=value,
        low=low,
        high=high,
        error=math.sqrt(variance),
        error_of_mean=math.sqrt(variances.of_rows + variances.of_curves),
        fewest=fewest,
    )


def two_sided(z: float) -> float:
    """How often a normal variable is at least as far from 0."""
    return math.erfc(abs(z) / math.sqrt(2.0)) if math.isfinite(z) else 0.0
