"""Labels of any size that a number has: what overflows is no figure and says why, the others stand, nothing breaks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.evaluation.judge import judge
from tidemill.evaluation.metric_names import REGRESSOR_METRICS
from tidemill.evaluation.paired import paired_difference
from tidemill.model_types.base import Labels
from tidemill.monitoring.estimate import Believed, Expectation, learn_expectation, measure_check, measure_estimate
from tidemill.monitoring.measurement import Measurement
from tidemill.monitoring.quality import Scored, held_out, measure_quality
from tidemill.serving.gates.comparing import compare

NUMBER = Labels(column="load", classes=())
BASE = Measurement(family="quality", subject="mean_absolute_error", test="", value=None)
LEAST, MARGIN = 5, 0.03

absurd = st.lists(st.floats(min_value=-1.7e308, max_value=1.7e308), min_size=1, max_size=6)
metrics = st.sampled_from(REGRESSOR_METRICS)


def rows(count: int, more: Sequence[float] = ()) -> Scored:
    """Usual labels and what was said of them, then labels that nobody could have said."""
    random = np.random.default_rng(count)
    usual = random.gamma(2.0, 2.0, count)
    return Scored(
        y=np.concatenate([usual, more]),
        scores=np.concatenate([usual + random.normal(0, 1, count).clip(-0.9), np.full(len(more), 4.0)]),
    )


def quality(window: Scored, held: Scored, metric: str = "mean_absolute_error") -> list[Measurement]:
    then = held_out(metric, NUMBER, held)
    return list(measure_quality(NUMBER, then, window, margin=MARGIN, least=LEAST, base=BASE))


def estimates(expected: Expectation | str, window: Scored) -> list[Measurement]:
    return [
        *measure_estimate(expected, window.scores, believed=Believed(), margin=MARGIN, least=LEAST, base=BASE),
        *measure_check(expected, window.y, window.scores, least=LEAST, base=BASE),
    ]


def assert_told(figures: Sequence[Measurement]) -> None:
    """Each figure is a number with its interval, or says why it is none."""
    for one in figures:
        if one.value is None:
            assert one.note, one
        else:
            assert all(math.isfinite(number) for number in (one.value, one.low, one.high) if number is not None), one
            assert one.p_value is None or 0 <= one.p_value <= 1, one


def test_the_figures_of_a_window_stand_but_for_those_that_overflow() -> None:
    found = {(one.subject, one.test): one for one in quality(rows(47, [1e308]), rows(400))}

    stands = {subject for (subject, test), one in found.items() if test == "value" and one.value is not None}
    assert stands == {"mean_squared_log_error", "median_absolute_error"}
    loss = found["mean_absolute_error", "loss"]
    assert (loss.value, loss.note) == (None, "it overflows: the largest label is 1e+308")
    assert found["r2_score", "value"].note == loss.note


@given(more=absurd, metric=metrics, count=st.integers(0, 40))
def test_a_window_with_any_labels_is_measured(more: list[float], metric: str, count: int) -> None:
    window = rows(count, more)

    figures = quality(window, rows(400), metric)

    told = {one.subject for one in figures if one.test == "value"}
    assert told or len(window) == 1
    assert_told([one for one in figures if len(window) > 1 or one.test == "loss"])
    assert all(math.isfinite(value) for value in judge(NUMBER, window.y, window.scores).values())


@given(more=absurd, metric=st.sampled_from(("mean_absolute_error", "mean_squared_error", "mean_squared_log_error")))
def test_an_estimate_is_held_against_any_labels(more: list[float], metric: str) -> None:
    held = rows(400)
    expected = learn_expectation(NUMBER, held.y, held.scores, metric=metric)

    assert_told(estimates(expected, rows(40, more)))


@given(more=absurd, metric=metrics)
def test_any_labels_may_be_among_the_held_out_rows(more: list[float], metric: str) -> None:
    held, window = rows(400, more), rows(40)

    assert_told(quality(window, held, metric))
    assert_told(estimates(learn_expectation(NUMBER, held.y, held.scores, metric=metric), window))


@given(more=absurd, metric=metrics)
def test_two_versions_are_compared_on_any_labels(more: list[float], metric: str) -> None:
    held = rows(40, more)

    found = paired_difference(metric, NUMBER, held.y, held.scores, held.scores[::-1], confidence=0.95)
    gain = compare(metric, NUMBER, held.y, held.scores, held.scores[::-1], confidence=0.95)

    assert found.rows == len(held)
    assert gain.against(MARGIN) in ("pass", "fail", "not enough evidence")


def test_an_absurd_label_says_that_the_estimate_is_off() -> None:
    held = rows(400)
    expected = learn_expectation(NUMBER, held.y, held.scores, metric="mean_absolute_error")

    windows = [rows(40, more) for more in ([1e300], [1.7e308] * 2)]
    one, two = (next(measure_check(expected, it.y, it.scores, least=LEAST, base=BASE)) for it in windows)

    assert one.value == pytest.approx(1e300 / 41)
    assert one.p_value == 0.0
    assert (two.value, two.note) == (None, "it overflows: the largest label is 1.7e+308")


def test_nothing_is_estimated_from_absurd_held_out_labels() -> None:
    held = rows(400, [1e200])

    assert learn_expectation(NUMBER, held.y, held.scores, metric="mean_absolute_error") == (
        "mean_absolute_error cannot be estimated from the held-out rows: it overflows: the largest label is 1e+200"
    )
