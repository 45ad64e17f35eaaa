"""What is measured of a window's columns, and what of it is judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tidemill.analysis.distribution_arrays import distribution_of_numbers
from tidemill.core.distribution import Distribution
from tidemill.core.sections import one_deployment
from tidemill.monitoring.inputs import Reference, measure_inputs
from tidemill.monitoring.measurement import Measurement


def scores(rows: int) -> Distribution:
    return distribution_of_numbers("score", np.random.default_rng(1).normal(size=rows))


def judged(span: timedelta | None) -> list[Measurement]:
    trained = scores(400)
    moved = replace(trained, counts=(*(0 for _ in trained.counts[1:]), 500), mean=2.0, deviation=None)
    found = measure_inputs(
        one_deployment("shop", {"monitor": {"window": "7 days"}}).monitor,
        Reference(version=1, features={}, answers={"score": trained}, answers_span=span),
        {"score": moved},
        {},
        rows=500,
    )
    return [one for one in found if one.test == "wasserstein"]


@pytest.mark.parametrize("span", [None, timedelta(days=7), timedelta(days=90)])
def test_predictions_are_judged_beside_held_out_rows_of_a_window_or_longer(span: timedelta | None) -> None:
    (one,) = judged(span)

    assert one.p_value is not None
    assert one.p_value < 1e-6
    assert one.limit is not None


def test_predictions_are_only_shown_beside_held_out_rows_of_less_time_than_a_window() -> None:
    (one,) = judged(timedelta(days=2, hours=19))

    assert one.value is not None
    assert one.value > 1
    assert (one.p_value, one.limit) == (None, None)
    assert "span 40% of a window" in one.note
