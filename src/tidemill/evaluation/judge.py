"""Judge a model's scores against the labels: the one function that training and ML.EVALUATE share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.evaluation.confusion import THRESHOLD
from tidemill.evaluation.metric_names import CLASSIFIER_METRICS, REGRESSOR_METRICS
from tidemill.evaluation.metrics import (
    binary_metrics,
    multiclass_metrics,
    regression_metrics,
)

if TYPE_CHECKING:
    from tidemill.model_types.base import Labels


def metric_names(labels: Labels) -> tuple[str, ...]:
    """Name the metrics of a task, in the order of ML.EVALUATE's columns."""
    return CLASSIFIER_METRICS if labels.classes else REGRESSOR_METRICS


def judge(labels: Labels, y: np.ndarray, scores: np.ndarray, *, threshold: float = THRESHOLD) -> dict[str, float]:
    """Metrics of some rows; one that has no value on these rows, or overflows, is left out; all without rows.

    Parameters
    ----------
    labels
        The classes, or none of them for regression.
    y
        Regression: the label, shape (n,). Classification: the class ordinal, shape (n,).
    scores
        Regression: the prediction, shape (n,). Classification: probabilities, shape (n, classes).
    threshold
        From which probability on the positive class of a binary classifier is called.
    """
    if not len(y):
        return {}
    if not labels.classes:
        with np.errstate(over="ignore", invalid="ignore"):
            metrics = regression_metrics(y.astype(np.float64), scores.astype(np.float64))
    elif len(labels.classes) == 2:
        metrics = binary_metrics(y.astype(np.int64), scores, threshold)
    else:
        metrics = multiclass_metrics(y.astype(np.int64), scores)
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
