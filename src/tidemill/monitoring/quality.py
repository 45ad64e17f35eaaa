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
from tidemill.evaluation.few import support_of, too_few
from tidemill.evaluation.influence import influence
from tidemill.evaluation.intervals import metric_intervals, overflow, variance_told
from tidemill.evaluation.judge import metric_names
from tidemill.evaluation.metric_names import HIGHER_IS_BETTER
from tidemill.monitoring.measurement import Measurement

if TYPE_CHECKING:
    from tidemill.model_types.base import Labels

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Labels and scores of some rows, as `evaluation.judge` takes them."""

    y: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """A metric on the rows held out of training: windows are compared with it.

    Parameters
    ----------
    few
        Why they are no measure for other rows; '' where they are.
    """

    metric: str
    value: float
    variance: float
    rows: int
    few: str = ""


def held_out(metric: str, labels: Labels, held: Scored) -> HeldOut:
    """Judge the held-out rows, once for all windows of a version."""
    value, variance = _value_and_variance(metric, labels, held)
    few = too_few(metric, labels, held.y, held.scores, where="held-out ") if len(held) else ""
    return HeldOut(metric=metric, value=value, variance=variance, rows=len(held), few=few)


def measure_quality(
    labels: Labels,
    held: HeldOut,
    window: Scored,
    *,
    margin: float,
    least: int,
    doubt: str = "",
    base: Measurement,
) -> Iterator[Measurement]:
    """Every metric of a window with its interval, and how much worse the one that is judged became.

    Parameters
    ----------
    held
        The metric that is judged, on the rows held out of training.
    margin
        How much worse is no worse.
    least
        Fewer rows than this are shown, not judged; nor are rows with too few of a class (`evaluation.few`).
    doubt
        Why these rows say nothing of the others; then they are shown, not judged.
    base
        What all figures share: version, slice.
    """
    base = replace(base, family="quality", rows=len(window))
    if not len(window):
        return
    overflows = "" if labels.classes else overflow(window.y, window.scores)
    found = {one.metric: one for one in metric_intervals(labels, window.y, window.scores, confidence=CONFIDENCE)}
    for metric in metric_names(labels):
        shown, one = replace(base, subject=metric, test="value", reference=""), found.get(metric)
        if overflows and (one is None or (len(window) > 1 and not math.isfinite(one.low))):
            yield replace(shown, value=None, note=overflows)
        elif one is not None:
            yield replace(shown, value=one.value, low=one.low, high=one.high)
    judged = replace(base, subject=held.metric, test="loss", limit=margin, reference_rows=held.rows)
    if len(window) < least or doubt:
        yield replace(judged, value=None, note=doubt or f"fewer than {least:,} labelled answers")
        return
    rests_on = support_of(held.metric, labels, window.y, window.scores)
    if few := held.few or (rests_on.few(labels.classes) if rests_on is not None else ""):
        yield replace(judged, value=None, note=few)
        return
    now = _value_and_variance(held.metric, labels, window)
    loss = loss_of(held.metric, (held.value, held.variance), now)
    if loss is None:
        yield replace(judged, value=None, note=overflows or f"{held.metric} has no value on these rows")
    else:
        note = "" if rests_on is None else rests_on.told(labels.classes)
        yield with_loss(replace(judged, note=note), *loss)


def _value_and_variance(metric: str, labels: Labels, rows: Scored) -> tuple[float, float]:
    found = influence(metric, labels, rows.y, rows.scores)
    if not labels.classes:
        return found.value, found.variance
    return found.value, variance_told(metric, labels, rows.y, rows.scores, found)


def loss_of(metric: str, then: tuple[float, float], now: tuple[float, float]) -> tuple[float, float] | None:
    """How much worse a metric became, and the standard error of that; None where it cannot be told.

    Parameters
    ----------
    then, now
        The metric's value and its variance, on rows that are independent of each other.
    """
    (before, before_variance), (after, after_variance) = then, now
    if metric in HIGHER_IS_BETTER:
        value, variance = before - after, before_variance + after_variance
    elif before > 0:
        ratio = after / before
        value, variance = ratio - 1, (after_variance + ratio * ratio * before_variance) / before / before
    else:
        return None
    if not (math.isfinite(value) and math.isfinite(variance) and variance > 0):
        return None
    return value, math.sqrt(variance)


def with_loss(base: Measurement, value: float, error: float) -> Measurement:
    """A loss with its interval, and how often chance gives as much."""
    reach = normal_quantile(CONFIDENCE) * error
    return replace(base, value=value, low=value - reach, high=value + reach, p_value=NormalDist().cdf(-value / error))
