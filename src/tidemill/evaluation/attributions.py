"""Attributions: from what each encoded column adds to a prediction to what each feature adds.

References
----------
https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-explain-predict
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np  # noqa: TID253


def by_feature(contributions: np.ndarray, groups: Sequence[int], features: int) -> tuple[np.ndarray, np.ndarray]:
    """Add the contributions of encoded columns up per feature.

    Parameters
    ----------
    contributions
        Shape (n, width + 1), or (n, classes, width + 1); the last number is the baseline.
    groups
        For each encoded column, the ordinal of its feature.
    features
        How many features there are.

    Returns
    -------
    tuple
        Attributions, shape (n, outputs, features), and baselines, shape (n, outputs); float64.
    """
    values = contributions.astype(np.float64)
    if values.ndim == 2:
        values = values[:, None, :]
    summed = np.zeros((*values.shape[:2], features))
    for column, feature in enumerate(groups):
        summed[:, :, feature] += values[:, :, column]
    return summed, values[:, :, -1]


def strongest(attributions: np.ndarray, count: int) -> np.ndarray:
    """Ordinals of the features with the greatest absolute attribution per row, in descending order.

    Ties keep the features' own order, so that equal rows are explained alike.

    Parameters
    ----------
    attributions
        Shape (n, features).
    """
    order: np.ndarray = np.argsort(-np.abs(attributions), axis=1, kind="stable")
    return order[:, :count]
