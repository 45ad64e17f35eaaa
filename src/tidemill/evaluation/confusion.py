"""From class probabilities to called classes, and the table of expected against called."""

from __future__ import annotations

import numpy as np  # noqa: TID253

THRESHOLD = 0.5


def called_classes(scores: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """Ordinal of the class that is called for each row.

    With two classes the last one is called when its probability is at least the threshold; with more, the most
    probable one (the first of several that tie).

    Parameters
    ----------
    scores
        Probabilities, shape (n, classes).
    """
    if scores.shape[1] == 2:
        positive: np.ndarray = scores[:, 1] >= threshold
        return positive.astype(np.int64)
    most_probable: np.ndarray = np.argmax(scores, axis=1)
    return most_probable


def confusion_matrix(expected: np.ndarray, called: np.ndarray, classes: int) -> np.ndarray:
    """Count rows by expected class (first axis) and called class (second axis), int64."""
    counts: np.ndarray = np.bincount(expected * classes + called, minlength=classes * classes)
    return counts.reshape(classes, classes)
