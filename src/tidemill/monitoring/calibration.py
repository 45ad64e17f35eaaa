"""Whether probabilities still say what comes true, for a window whose labels have come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np  # noqa: TID253

from tidemill.core.chance import normal_quantile
from tidemill.evaluation.calibration import calibration_of, said_and_came
from tidemill.evaluation.class_estimate import ClassifierEstimator
from tidemill.evaluation.expected import BRIER, brier_losses
from tidemill.monitoring.measurement import Measurement
from tidemill.monitoring.quality import CONFIDENCE

PROBABILITY = "probability"


def measure_calibration(
    estimator: ClassifierEstimator | None,
    y: np.ndarray,
    scores: np.ndarray,
    *,
    margin: float,
    least: int,
    base: Measurement,
) -> Iterator[Measurement]:
    """How far a window's probabilities are from what came true, and what came true from what was to be expected.

    Parameters
    ----------
    estimator
        Learnt from the held-out rows; without it nothing is judged.
    y, scores
        Of the window, as `evaluation.judge.judge` takes them.
    margin
        The least distance that matters.
    least
        Fewer rows than this are shown, not judged.
    base
        What all figures share: version, slice.
    """
    found = calibration_of(y, scores)
    if found is None:
        return
    base = replace(base, family="calibration", rows=len(y))
    shown = replace(base, test="value", reference="")
    yield replace(shown, subject="expected_calibration_error", value=found.error, low=found.low, high=found.high)
    losses = np.take_along_axis(brier_losses(scores.astype(np.float64)), y[:, None], axis=1)
    value, reach = float(losses.mean()), normal_quantile(CONFIDENCE) * float(losses.std()) / len(y) ** 0.5
    yield replace(shown, subject=BRIER, value=value, low=max(0.0, value - reach), high=value + reach)
    judged = replace(base, subject=PROBABILITY, test="calibration_shift", limit=margin)
    moved = calibration_of(y, estimator.calibrated(scores)) if estimator is not None else None
    if len(y) < least or estimator is None or moved is None:
        few = f"fewer than {least:,} labelled answers" if len(y) < least else "too few held-out rows"
        yield replace(judged, value=None, note=f"not enough data: {few}")
        return
    said, came = said_and_came(y, scores)
    note = f"said {said.mean():.1%} on average, {came.mean():.1%} came true"
    yield replace(
        judged, value=moved.error, low=moved.low, high=moved.high, p_value=estimator.chance(y, scores), note=note
    )
