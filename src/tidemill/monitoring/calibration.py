"""Whether probabilities still say what comes true, for a window whose labels have come."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np  # noqa: TID253

from tidemill.evaluation.calibration import calibration_of, said_and_came
from tidemill.evaluation.estimate import Estimator
from tidemill.evaluation.expected import BRIER
from tidemill.monitoring.measurement import Measurement

PROBABILITY = "probability"


def measure_calibration(
    estimator: Estimator | None,
    held: tuple[np.ndarray, np.ndarray],
    y: np.ndarray,
    scores: np.ndarray,
    *,
    margin: float,
    least: int,
    base: Measurement,
) -> Iterator[Measurement]:
    """The expected calibration error and the Brier score of a window, and how far off they are beside held-out rows.

    Parameters
    ----------
    estimator
        Learnt from the held-out rows; without it nothing is judged.
    held
        Labels and scores of the held-out rows.
    y, scores
        Of the window, as `evaluation.judge.judge` takes them.
    margin
        How much farther from what came true is no worse.
    least
        Fewer rows than this are shown, not judged.
    """
    found = calibration_of(y, scores)
    if found is None:
        return
    base = replace(base, family="calibration", rows=len(y))
    shown = replace(base, test="value", reference="")
    yield replace(
        shown, subject="expected_calibration_error", value=found.error, low=found.low, high=found.high
    )
    said, came = said_and_came(y, scores)
    square = np.square(said - came)
    if scores.shape[1] == 2:
        reach = 1.96 * float(square.std()) / math.sqrt(len(y))
        value = float(square.mean())
        yield replace(shown, subject=BRIER, value=value, low=max(0.0, value - reach), high=min(1.0, value + reach))
    before = calibration_of(*held)
    judged = replace(base, subject=PROBABILITY, test="calibration_loss", limit=margin, reference_rows=len(held[0]))
    if len(y) < least or estimator is None or before is None:
        few = f"fewer than {least:,} labelled answers" if len(y) < least else "too few held-out rows"
        yield replace(judged, value=None, note=f"not enough data: {few}")
        return
    chance = estimator.chance(y, scores)
    value = found.error - before.error
    # The errors' own bounds are wide; the test knows the labels' chance exactly, and the interval follows it.
    yield replace(judged, value=value, p_value=chance, note=_note(said, came))


def _note(said: np.ndarray, came: np.ndarray) -> str:
    return f"said {said.mean():.1%} on average, {came.mean():.1%} came true"
