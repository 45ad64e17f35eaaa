"""The numbers ML.EVALUATE reports, for regression and for classifiers of two or more classes.

A metric that has no value on the given rows (the area under a ROC curve where only one class occurs, R2 of a constant
label) is NaN here; `evaluation.judge` leaves it out.

References
----------
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-evaluate
"""

from __future__ import annotations

import numpy as np  # noqa: TID253

from tidemill.evaluation.confusion import THRESHOLD, called_classes, confusion_matrix
from tidemill.evaluation.curves import roc_auc

# Probabilities of exactly 0 would make one row's loss infinite.
LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


def regression_metrics(y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Errors of numeric predictions. The median is the lower of the two middle values of an even number of rows."""
    error = y - predicted
    size = np.abs(error)
    spread = float(np.square(y - y.mean()).sum())
    left = float(np.square(error).sum())
    unexplained = float(np.square(error - error.mean()).sum())
    middle = (len(size) - 1) // 2
    return {
        "mean_absolute_error": float(size.mean()),
        "mean_squared_error": left / len(error),
        "mean_squared_log_error": _mean_squared_log_error(y, predicted),
        "median_absolute_error": float(np.partition(size, middle)[middle]),
        "r2_score": 1.0 - left / spread if spread > 0 else float("nan"),
        "explained_variance": 1.0 - unexplained / spread if spread > 0 else float("nan"),
    }


def binary_metrics(y: np.ndarray, scores: np.ndarray, threshold: float = THRESHOLD) -> dict[str, float]:
    """Metrics of the positive class, the last of two.

    Parameters
    ----------
    y
        Class ordinals, 0 or 1.
    scores
        Probabilities, shape (n, 2).
    """
    counts = confusion_matrix(y, called_classes(scores, threshold), 2)
    true_positives = float(counts[1, 1])
    precision = _part(true_positives, float(counts[:, 1].sum()))
    recall = _part(true_positives, float(counts[1].sum()))
    return {
        "precision": precision,
        "recall": recall,
        "accuracy": float(np.trace(counts)) / len(y),
        "f1_score": _part(2.0 * precision * recall, precision + recall),
        "log_loss": float(_row_losses(y, scores).mean()),
        "roc_auc": roc_auc(y == 1, scores[:, 1]),
    }


def multiclass_metrics(y: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Plain averages over the classes, except accuracy, which is over the rows.

    Precision, recall and F1 average over the classes that occur in the labels or in the calls; log_loss (the mean
    loss of each class's rows) and roc_auc (each class against the rest) over those that occur in the labels.
    """
    classes = scores.shape[1]
    counts = confusion_matrix(y, called_classes(scores), classes)
    hits = np.diag(counts).astype(np.float64)
    expected, called = counts.sum(axis=1), counts.sum(axis=0)
    seen = (expected > 0) | (called > 0)
    precision = _parts(hits, called)
    recall = _parts(hits, expected)
    f1 = _parts(2.0 * precision * recall, precision + recall)
    return {
        "precision": float(precision[seen].mean()),
        "recall": float(recall[seen].mean()),
        "accuracy": float(hits.sum()) / len(y),
        "f1_score": float(f1[seen].mean()),
        "log_loss": _macro_log_loss(y, scores, expected),
        "roc_auc": _macro_roc_auc(y, scores, expected),
    }


def _mean_squared_log_error(y: np.ndarray, predicted: np.ndarray) -> float:
    if float(y.min()) <= -1.0 or float(predicted.min()) <= -1.0:
        return float("nan")  # ln(1 + x) has no value there
    return float(np.square(np.log1p(y) - np.log1p(predicted)).mean())


def _row_losses(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    of_label = np.take_along_axis(scores, y[:, None], axis=1)[:, 0].astype(np.float64)
    losses: np.ndarray = -np.log(np.clip(of_label, LEAST_PROBABILITY, 1.0))
    return losses


def _macro_log_loss(y: np.ndarray, scores: np.ndarray, expected: np.ndarray) -> float:
    losses = np.bincount(y, weights=_row_losses(y, scores), minlength=len(expected))
    present = expected > 0
    return float((losses[present] / expected[present]).mean())


def _macro_roc_auc(y: np.ndarray, scores: np.ndarray, expected: np.ndarray) -> float:
    areas = [roc_auc(y == k, scores[:, k]) for k in np.flatnonzero((expected > 0) & (expected < len(y)))]
    return float(np.mean(areas)) if areas else float("nan")


def _part(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _parts(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    result = np.zeros(len(part))
    np.divide(part, whole, out=result, where=whole > 0)
    return result
