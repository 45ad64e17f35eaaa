"""How good answers were whose labels have come, beside the rows that were held out of training.

A metric's loss is turned so that more is worse: the difference for scores in [0, 1], the share by which an error grew.
Its interval and p-value come from the influence of each row on the metric; both samples are independent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.chance import normal_quantile
from tidemill.evaluation.influence import Influence, influence
from tidemill.evaluation.intervals import SHARES, metric_intervals
from tidemill.evaluation.judge import metric_names
from tidemill.monitoring.measurement import Measurement

if TYPE_CHECKING:
    from tidemill.model_types.base import Labels

CONFIDENCE = 0.95
HIGHER_IS_BETTER = SHARES | {"r2_score", "explained_variance"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Labels and scores of some rows, as `evaluation.judge` takes them."""

    y: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


def measure_quality(
    labels: Labels, held: Scored, window: Scored, *, metric: str, margin: float, least: int, base: Measurement
) -> Iterator[Measurement]:
    """Every metric of a window with its interval, and how much worse the one that is judged became.

    Parameters
    ----------
    held
        The rows held out of training.
    metric
        The metric that is judged.
    margin
        How much worse is no worse.
    least
        Fewer rows than this are shown, not judged.
    base
        What all figures share: version, slice.
    """
    base = replace(base, family="quality", rows=len(window))
    if not len(window):
        return
    for one in metric_intervals(labels, window.y, window.scores, confidence=CONFIDENCE):
        yield replace(base, subject=one.metric, test="value", reference="", value=one.value, low=one.low, high=one.high)
    judged = replace(base, subject=metric, test="loss", limit=margin, reference_rows=len(held))
    if len(window) < least:
        yield replace(judged, value=None, note=f"fewer than {least:,} labelled answers")
        return
    yield loss(labels, held, window, metric=metric, base=judged)


def loss(labels: Labels, held: Scored, window: Scored, *, metric: str, base: Measurement) -> Measurement:
    """How much worse a metric is than on the held-out rows; without a value where one side has none."""
    then, now = (influence(metric, labels, one.y, one.scores) for one in (held, window))
    found = _loss(then, now, higher_is_better=metric in HIGHER_IS_BETTER)
    if found is None:
        return replace(base, value=None, note=f"{metric} has no value on these rows")
    value, error = found
    reach = normal_quantile(CONFIDENCE) * error
    return replace(base, value=value, low=value - reach, high=value + reach, p_value=NormalDist().cdf(-value / error))


def _loss(then: Influence, now: Influence, *, higher_is_better: bool) -> tuple[float, float] | None:
    """The loss and its standard error; None where they cannot be told."""
    if higher_is_better:
        value, variance = then.value - now.value, then.variance + now.variance
    elif then.value > 0:
        ratio = now.value / then.value
        value, variance = ratio - 1, (now.variance + ratio * ratio * then.variance) / then.value**2
    else:
        return None
    if not (math.isfinite(value) and math.isfinite(variance) and variance > 0):
        return None
    return value, math.sqrt(variance)


def known_metric(metric: str, labels: Labels) -> bool:
    """Whether a metric is one of this task."""
    return metric in metric_names(labels)
