"""Curves over a binary classifier's scores: the ROC curve at given thresholds and the area under it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np  # noqa: TID253

POINTS = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class RocCurve:
    """Counts at each threshold: a row is called positive when its score is at least the threshold."""

    thresholds: np.ndarray
    true_positives: np.ndarray
    false_positives: np.ndarray
    true_negatives: np.ndarray
    false_negatives: np.ndarray

    @property
    def recall(self) -> np.ndarray:
        """True positives over all positive rows; NaN where there are none."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def false_positive_rate(self) -> np.ndarray:
        """False positives over all negative rows; NaN where there are none."""
        return _ratio(self.false_positives, self.false_positives + self.true_negatives)


def roc_auc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve; NaN when only one class is present.

    It is the chance that a positive row scores above a negative one, a tie counting half.

    Parameters
    ----------
    positive
        Whether each row is positive, bool.
    scores
        The score of each row, without NaN.

    References
    ----------
    Hanley, J. A. and McNeil, B. J. (1982). The meaning and use of the area under a receiver operating characteristic
    (ROC) curve. Radiology 143(1).
    """
    above, below = _sorted_by_class(positive, scores)
    if not len(above) or not len(below):
        return float("nan")
    # Search the rarer class in the other one. Both are sorted, so that the search walks memory forwards.
    few, many = (above, below) if len(above) <= len(below) else (below, above)
    under = int(np.searchsorted(many, few, side="left").sum(dtype=np.int64))
    under_or_tied = int(np.searchsorted(many, few, side="right").sum(dtype=np.int64))
    area = (under + under_or_tied) / (2 * len(above) * len(below))
    return area if few is above else 1.0 - area


def roc_curve(positive: np.ndarray, scores: np.ndarray, thresholds: np.ndarray) -> RocCurve:
    """Count true and false positives and negatives at each threshold, in the order of the thresholds."""
    above, below = _sorted_by_class(positive, scores)
    true_positives = len(above) - np.searchsorted(above, thresholds, side="left")
    false_positives = len(below) - np.searchsorted(below, thresholds, side="left")
    return RocCurve(
        thresholds=thresholds,
        true_positives=true_positives,
        false_positives=false_positives,
        true_negatives=len(below) - false_positives,
        false_negatives=len(above) - true_positives,
    )


def default_thresholds(scores: np.ndarray) -> np.ndarray:
    """Percentiles 0 to 100 of the scores, each one a score that occurs, ascending and without repeats.

    References
    ----------
    https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-roc : "default values are chosen
    automatically based on percentile values of the prediction output".
    """
    if not len(scores):
        return np.empty(0)
    return np.unique(np.quantile(scores, np.linspace(0.0, 1.0, POINTS), method="inverted_cdf"))


def _sorted_by_class(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.sort(scores[positive]), np.sort(scores[~positive])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    result = np.full(len(part), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result
