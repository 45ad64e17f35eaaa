"""Comparisons of two sets of scores on the same rows, turned so that more is better, and what they say of a margin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np  # noqa: TID253

from tidemill.evaluation.few import too_few
from tidemill.evaluation.judge import metric_names
from tidemill.evaluation.metric_names import ERRORS, wrong_metric
from tidemill.evaluation.paired import paired_difference
from tidemill.model_types.base import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """How much better the new scores are than the old ones, in the metric's own unit or, for errors, as a share.

    Parameters
    ----------
    new, old
        The metric itself.
    gain, low, high
        Positive: the new scores are better. For errors: (old - new) / old.
    relative
        Whether it is a share of the old value.
    few
        Why the rows tell nothing; '' where they do.
    """

    metric: str
    rows: int
    new: float
    old: float
    gain: float
    low: float
    high: float
    relative: bool
    few: str = ""

    def against(self, margin: float) -> Literal["pass", "fail", "not enough evidence"]:
        """Whether the new scores are better, or worse by less than the margin; beyond chance."""
        if not (np.isfinite(self.low) and np.isfinite(self.high)):
            return "not enough evidence"
        if self.low >= -margin:
            return "pass"
        return "fail" if self.high < -margin else "not enough evidence"

    def told(self, confidence: float) -> str:
        """The gain with its interval, in words."""
        if self.few:
            return f"{self.gain:+.4f} ({self.few})"
        if self.relative:
            return f"{self.gain:+.2%} ({confidence:.0%} interval {self.low:+.2%} to {self.high:+.2%})"
        return f"{self.gain:+.4f} ({confidence:.0%} interval {self.low:+.4f} to {self.high:+.4f})"

    @property
    def evidence(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "metric": self.metric,
            "rows": self.rows,
            "new": self.new,
            "old": self.old,
            "gain": self.gain,
            "low": self.low,
            "high": self.high,
            "relative": self.relative,
        }


def compare(metric: str, labels: Labels, y: np.ndarray, new: np.ndarray, old: np.ndarray, *, confidence: float) -> Gain:
    """Hold new scores against old ones on the same rows.

    Rows that have too few of a class (`evaluation.few`) leave the interval open: by one label, one of two versions that
    are as good as each other is shown to be worse in a third of all cases.

    Raises
    ------
    SettingsError
        The metric is not one of this task.
    """
    require_metric(metric, labels)
    found = paired_difference(metric, labels, y, new, old, confidence=confidence)
    difference, low, high = found.difference, found.low, found.high
    relative = metric in ERRORS
    few = too_few(metric, labels, y, new) or too_few(metric, labels, y, old)
    if few:
        low, high = -math.inf, math.inf
    if relative:
        unit = abs(found.old) or 1.0
        difference, low, high = -difference / unit, -high / unit, -low / unit
    return Gain(
        metric=metric,
        rows=len(y),
        new=found.new,
        old=found.old,
        gain=difference,
        low=low,
        high=high,
        relative=relative,
        few=few,
    )


def require_metric(metric: str, labels: Labels, *, setting: str = "gates.metric") -> None:
    """Refuse a metric that says nothing of these labels.

    Parameters
    ----------
    setting
        What names it.

    Raises
    ------
    SettingsError
        The metric is not one of this task.
    """
    error = wrong_metric(setting, metric, labels.column, metric_names(labels))
    if error is not None:
        raise error
