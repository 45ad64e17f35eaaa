"""Quality of a window as it is to be expected without its labels, as long as that can be believed.

The estimate supposes that rows with one score turn out as the held-out ones did. The newest window whose labels are
there tells whether they do: `measure_check` puts both figures side by side, and where they differ by more than chance
gives, `measure_estimate` says nothing until a later window agrees again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.chance import normal_quantile
from tidemill.evaluation.estimate import learn_estimator
from tidemill.evaluation.estimated import Estimated, Estimator
from tidemill.evaluation.few import LEAST_OF_CLASS
from tidemill.evaluation.influence import influence
from tidemill.evaluation.intervals import overflow
from tidemill.evaluation.metric_names import HIGHER_IS_BETTER
from tidemill.monitoring.measurement import Measurement
from tidemill.monitoring.quality import CONFIDENCE, loss_of, with_loss

if TYPE_CHECKING:
    from tidemill.model_types.base import Labels

CHECK = "check"
CHECK_LEVEL = 0.01
"""How often a check switches a sound estimate off, for a window."""

LEAST_HELD = 200
"""With fewer held-out rows than this nothing is estimated; nor with fewer than `LEAST_OF_CLASS` of a class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What held-out rows say of a metric.

    Parameters
    ----------
    value, variance
        The metric on the held-out rows.
    rows
        How many there are.
    note
        What people should know of the estimator.
    """

    metric: str
    estimator: Estimator
    value: float
    variance: float
    rows: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """What the newest check said.

    Parameters
    ----------
    p_value
        Of the check; None where there was none yet.
    note
        What is added to the estimate, or why there is none.
    """

    p_value: float | None = None
    note: str = "not checked: no window before has enough labels"

    @property
    def off(self) -> bool:
        """Whether there is to be no estimate."""
        return self.p_value is not None and self.p_value < CHECK_LEVEL


def too_few_held(labels: Labels, y: np.ndarray) -> str:
    """Why there are not held-out rows enough to estimate anything; '' where there are."""
    if len(y) < LEAST_HELD:
        return f"not enough data: {len(y):,} rows were held out, {LEAST_HELD:,} are needed"
    if labels.classes:
        rarest = int(np.bincount(y.astype(np.int64), minlength=len(labels.classes)).min())
        if rarest < LEAST_OF_CLASS:
            return f"not enough data: a class has {rarest} of the held-out rows, {LEAST_OF_CLASS} are needed"
    return ""


def learn_expectation(
    labels: Labels,
    y: np.ndarray,
    scores: np.ndarray,
    *,
    metric: str,
    estimator: Estimator | None = None,
    note: str = "",
) -> Expectation | str:
    """What held-out rows lead to expect of a metric; where they do not suffice, why.

    Parameters
    ----------
    y, scores
        As `evaluation.judge.judge` takes them.
    estimator
        Learnt from these rows; without it one is learnt from the scores alone.
    note
        What people should know of the estimator.
    """
    if few := too_few_held(labels, y):
        return few
    if not labels.classes and (why := overflow(y, scores)):
        return f"{metric} cannot be estimated from the held-out rows: {why}"
    estimator = estimator or learn_estimator(labels, y, scores)
    if metric not in estimator.metrics():
        return f"{metric} cannot be estimated without labels; {', '.join(estimator.metrics())} can"
    then = influence(metric, labels, y, scores)
    return Expectation(
        metric=metric, estimator=estimator, value=then.value, variance=then.variance, rows=len(y), note=note
    )


def measure_estimate(
    expected: Expectation | str,
    scores: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    sides: np.ndarray | None = None,
    total: int | None = None,
    believed: Believed,
    margin: float,
    least: int,
    base: Measurement,
) -> Iterator[Measurement]:
    """Every metric of a window as it is to be expected, and how much worse the judged one is than on held-out rows.

    Parameters
    ----------
    scores
        Of the window, as `evaluation.judge.judge` takes them.
    weights
        How many rows each stands for, where rows of one score were counted.
    sides
        Columns beside the score, where held-out rows were learnt from with them.
    total
        How many rows the window has, where these are a sample of them.
    believed
        The newest check.
    margin
        How much worse is no worse.
    least
        Fewer rows than this are not judged, nor those of which too few of a class are to be expected.
    base
        What all figures share: version, slice; its subject is the judged metric.
    """
    looked_at = round(float(weights.sum())) if weights is not None else len(scores)
    rows = looked_at if total is None else total
    base = replace(base, family="estimate", rows=rows)
    if not looked_at:
        return
    judged = replace(base, test="loss", limit=margin)
    if isinstance(expected, str):
        yield replace(judged, value=None, note=expected)
        return
    judged = replace(judged, subject=expected.metric, reference_rows=expected.rows)
    if believed.off:
        yield replace(judged, value=None, note=f"off: {believed.note}")
        return
    if rows < least:
        yield replace(judged, value=None, note=f"not enough data: fewer than {least:,} answers")
        return
    found = expected.estimator.estimate(scores, weights=weights, sides=sides, total=total, confidence=CONFIDENCE)
    note = "; ".join(filter(None, [believed.note, expected.note]))
    for one in found.values():
        yield replace(
            base, subject=one.metric, test="value", reference="", value=one.value, low=one.low, high=one.high,
            note=note,
        )  # fmt: skip
    if expected.metric not in found:
        yield replace(judged, value=None, note=f"{expected.metric} has no value on these rows")
        return
    now = found[expected.metric]
    if now.fewest < LEAST_OF_CLASS:
        few = f"{now.metric} rests on a class with {now.fewest:.2g} rows to be expected"
        yield replace(judged, value=None, note=f"not enough data: {few}, {LEAST_OF_CLASS} are needed")
    else:
        yield loss(expected, now, base=replace(judged, note=note))


def loss(expected: Expectation, now: Estimated, *, base: Measurement) -> Measurement:
    """How much worse the metric of all rows like these is expected to be than on the held-out rows.

    The held-out rows are in both figures, which would make their difference surer than it is taken to be here.
    """
    if expected.metric not in HIGHER_IS_BETTER and expected.value <= 0:
        return replace(base, value=None, note=f"{expected.metric} is 0 on the held-out rows")
    found = loss_of(expected.metric, (expected.value, expected.variance), (now.value, now.error_of_mean**2))
    if found is None:
        return replace(base, value=None, note=f"{expected.metric} has no value on these rows")
    return with_loss(base, *found)


def measure_check(
    expected: Expectation | str,
    y: np.ndarray,
    scores: np.ndarray,
    *,
    sides: np.ndarray | None = None,
    least: int,
    base: Measurement,
) -> Iterator[Measurement]:
    """On rows with labels: how far the truth is from the estimate. It is shown and kept, and opens no alert itself."""
    if isinstance(expected, str) or not len(y):
        return
    base = replace(base, family="estimate", subject=expected.metric, test=CHECK, reference="", rows=len(y))
    base = replace(base, reference_rows=expected.rows)
    found = expected.estimator.check(y, scores, metric=expected.metric, sides=sides) if len(y) >= least else None
    if found is None or found.fewest < LEAST_OF_CLASS:
        few = f"{len(y):,} labelled answers"
        if found is not None:
            few += f"; {found.metric} rests on a class with {int(found.fewest)} of them, {LEAST_OF_CLASS} are needed"
        beyond = overflow(y, scores) if found is None and len(y) >= least else ""
        yield replace(base, value=None, note=beyond or f"not enough data: {few}")
        return
    gap, reach = found.realised - found.estimated.value, normal_quantile(CONFIDENCE) * found.estimated.error
    verdict = "labels do not follow the scores as they did" if found.p_value < CHECK_LEVEL else "they agree"
    yield replace(
        base, value=gap, low=gap - reach, high=gap + reach, p_value=found.p_value,
        note=f"{expected.metric} estimated {found.estimated.value:.4g}, realised {found.realised:.4g}: {verdict}",
    )  # fmt: skip
