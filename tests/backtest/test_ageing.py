"""Figures of age and pace, against values computed independently and on series whose answer is known."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from tidemill.evaluation.ageing import NEVER, Aged, Ageing, Estimate, Paced, ageing, estimate, reach, t_quantile
from tidemill.runner.backtest.report import sentences

LOSS = 0.02


def scores(loss: float, *, periods: int = 40, ages: int = 8, noise: float = 0.005) -> dict[tuple[int, int], float]:
    """Accuracy that wanders from period to period, and falls by ``loss`` with each period of age."""
    random = np.random.default_rng(7)
    level = 0.8 + 0.05 * np.sin(np.arange(periods))
    return {
        (period, age): level[period] - loss * age + noise * random.standard_normal()
        for period in range(periods)
        for age in range(min(ages, period + 1))
    }


@pytest.mark.parametrize("degrees", [3, 5, 10, 30, 200])
def test_the_quantile_of_t_is_that_of_scipy(degrees: int) -> None:
    assert t_quantile(0.95, degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=0.01)


def test_periods_that_do_not_follow_each_other_have_the_interval_of_a_t_test() -> None:
    values = [1.0, -2.0, 3.0, -1.5, 2.5, -0.5, 1.2, -1.1]
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))

    found = estimate(values, 0.95)

    assert found.low == pytest.approx(low, rel=0.01)
    assert found.high == pytest.approx(high, rel=0.01)


def test_periods_that_resemble_their_neighbours_have_a_wider_interval_that_covers_the_mean() -> None:
    random = np.random.default_rng(1)
    covered = plain = 0
    for _ in range(400):
        noise = random.standard_normal(120)
        values = np.zeros(120)
        for at in range(1, 120):
            values[at] = 0.6 * values[at - 1] + noise[at]
        found = estimate(values[20:].tolist(), 0.95)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0 <= found.high
        low, high = stats.t.interval(0.95, 99, loc=np.mean(values[20:]), scale=stats.sem(values[20:]))
        plain += low <= 0 <= high

    assert covered / 400 > 0.90
    assert plain / 400 < 0.75


@pytest.mark.parametrize("trend", [False, True])
def test_a_few_periods_that_resemble_each_other_have_an_interval_that_covers_the_mean(trend: bool) -> None:
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(800):
        noise = random.standard_normal(74)
        values = np.zeros(74)
        for at in range(1, 74):
            values[at] = 0.6 * values[at - 1] + noise[at]
        grows = np.arange(24) - 11.5 if trend else np.zeros(24)
        found = estimate((values[50:] + grows).tolist(), 0.95, trend=trend)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0 <= found.high

    assert 0.90 < covered / 800 < 0.97


def test_a_loss_by_age_is_found_with_its_size_and_says_to_train_often() -> None:
    found = ageing(scores(LOSS), {}, higher_is_better=True)

    for one in found.ages[1:]:
        assert one.loss is not None
        assert one.loss.low is not None
        assert one.loss.high is not None
        assert one.loss.low < LOSS * one.age < one.loss.high
    # A model that is replaced every 4 periods is 1.5 periods old on average.
    four = next(one for one in found.paces if one.every == 4)
    assert four.loss.value == pytest.approx(1.5 * LOSS, abs=0.002)
    assert found.enough == 1


def test_noise_is_no_reason_to_train() -> None:
    fresh = scores(0.0)
    random = np.random.default_rng(9)
    never = {period: fresh[period, 0] + 0.005 * random.standard_normal() for period in range(40)}

    found = ageing(fresh, never, higher_is_better=True)

    assert found.enough == NEVER


def test_a_loss_that_may_be_large_or_none_is_not_called_none() -> None:
    fresh = scores(0.0)
    never = {period: fresh[period, 0] - 0.02 - 0.1 * np.sin(period / 6) for period in range(40)}

    found = ageing(fresh, never, higher_is_better=True)
    said = sentences(found, metric="accuracy", every=timedelta(weeks=1), cost_s=1.0)

    assert found.enough == 16
    assert said[1].startswith("Train every 16 weeks: more often gains nothing measurable")
    assert said[2].startswith("Whether training again pays cannot be told: trained once, the answers lose 0.0")
    assert said[2].endswith("accuracy against a training every 7 days; more periods would tell.")
    assert len(said) == 3


def test_a_pace_beyond_the_ages_compared_is_tried_once() -> None:
    fresh = scores(LOSS, ages=40)
    tested = {key: value for key, value in fresh.items() if key[1] < reach(key[0] - key[1], 8) or key[0] == key[1]}

    found = ageing(tested, {}, higher_is_better=True, most_ages=8)

    assert [one.every for one in found.paces] == [1, 2, 4, 8, 16]
    assert len(found.ages) == 8
    ages = [period % 16 for period in range(7, 40)]
    assert found.paces[-1].loss.value == pytest.approx(LOSS * np.mean(ages), abs=0.002)


def test_a_model_that_only_gets_older_loses_more_and_more_and_that_is_no_chance() -> None:
    fresh = scores(LOSS)
    random = np.random.default_rng(3)
    never = {period: fresh[period, 0] - 0.01 * period + 0.01 * random.standard_normal() for period in range(40)}

    once = ageing(fresh, never, higher_is_better=True).paces[-1]

    assert once.loss.low is not None
    assert once.loss.high is not None
    assert once.loss.value == pytest.approx(0.01 * np.mean(range(7, 40)), abs=0.005)
    assert once.loss.high - once.loss.low < 0.02


def test_an_error_that_grows_with_age_is_a_loss_too() -> None:
    errors = {key: 1 - value for key, value in scores(LOSS).items()}

    up, down = ageing(scores(LOSS), {}, higher_is_better=True), ageing(errors, {}, higher_is_better=False)

    assert [one.loss.value for one in up.paces] == pytest.approx([one.loss.value for one in down.paces])


def test_a_few_periods_say_nothing() -> None:
    found = ageing(scores(LOSS, periods=3, ages=3), {}, higher_is_better=True)

    assert found.enough is None
    said = sentences(found, metric="accuracy", every=timedelta(weeks=1), cost_s=1.0)
    assert said == ("How often to train is not measurable: 1 period is too few.",)


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (-0.035, -0.0515, -0.0186, "the answers gain 0.035 (0.0186 to 0.0515) roc_auc"),
        (0.001, -0.002, 0.004, "the answers lose 0.001 (-0.002 to 0.004) roc_auc"),
    ],
)
def test_less_than_nothing_is_not_called_a_loss(value: float, low: float, high: float, said: str) -> None:
    once = Paced(
        every=NEVER,
        value=Estimate(value=0.77, low=0.7, high=0.8, periods=8),
        loss=Estimate(value=value, low=low, high=high, periods=8),
    )
    often = Paced(every=1, value=once.value, loss=Estimate(value=0.0, low=0.0, high=0.0, periods=8))

    told = sentences(
        Ageing(ages=(Aged(age=1, value=once.value, loss=None),), paces=(often, once), enough=NEVER),
        metric="roc_auc",
        every=timedelta(days=28),
        cost_s=0.4,
    )

    assert said in told[1]
