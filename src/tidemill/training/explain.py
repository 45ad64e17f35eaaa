"""ENABLE_GLOBAL_EXPLAIN: how much each feature moves predictions, over the evaluated rows.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-global-explain
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np  # noqa: TID253

_ROWS = 8_192
# Attributions of trees cost about as much as a thousand predictions each.
_MOST_ROWS = 100_000


class Explained(Protocol):
    """A fitted model that says what each encoded column adds to its margin."""

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """Shape (n, width + 1) or (n, classes, width + 1); the baseline comes last."""


def explain_globally(fitted: Explained, x: np.ndarray, groups: Sequence[int], names: Sequence[str]) -> dict[str, Any]:
    """Mean absolute attribution of each feature: overall, and per class where there are more than two.

    Parameters
    ----------
    groups
        For each encoded column, the ordinal of its feature in ``names``.
    """
    belongs = np.zeros((len(groups), len(names)))
    belongs[np.arange(len(groups)), list(groups)] = 1.0
    rows = x[:_MOST_ROWS]
    total: np.ndarray | None = None
    for start in range(0, len(rows), _ROWS):
        # Attributions of a feature's columns add up before the absolute value is taken.
        found = np.abs(fitted.contributions(rows[start : start + _ROWS])[..., :-1] @ belongs).sum(axis=0)
        total = found if total is None else total + found
    mean = (np.zeros(len(names)) if total is None else total) / max(len(rows), 1)
    if mean.ndim == 1:
        return {"features": list(names), "overall": mean.tolist(), "classes": None}
    return {"features": list(names), "overall": mean.mean(axis=0).tolist(), "classes": mean.tolist()}
