"""The numbers behind the gates, against published or independently computed values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error
from tests.serving.gates.cases import CHURN, PRICE, champion, gate_settings, scored, sound_case, two_class_scores

from tidemill.serving.gates.case import Case, Missing
from tidemill.serving.gates.comparing import Gain, compare
from tidemill.serving.gates.groups import Share, difference_interval
from tidemill.serving.gates.quality import (
    best_constant,
    better_than_a_constant,
    no_worse_than_the_champion,
    shared_rows,
)
from tidemill.serving.gates.slices import shown_worse, slices


def _gain(gain: float, error: float) -> Gain:
    reach = 1.959963984540054 * error
    return Gain(
        metric="accuracy", rows=500, new=0.8, old=0.8, gain=gain, low=gain - reach, high=gain + reach, relative=False
    )


def test_the_interval_between_two_groups_is_that_of_the_published_example() -> None:
    # Newcombe 1998, table II, 56/70 against 48/80, method 10.
    low, high = difference_interval(
        Share(group="a", hits=56, rows=70), Share(group="b", hits=48, rows=80), confidence=0.95
    )

    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize("metric", ["roc_auc", "recall", "f1_score"])
def test_rows_with_few_of_a_class_show_nothing_of_a_version_and_the_gate_says_so(metric: str) -> None:
    held = scored(600)
    kept = np.flatnonzero((held.y == 0) | (np.cumsum(held.y == 1) <= 4))
    few = replace(held, y=held.y[kept], scores=held.scores[kept], columns={"region": held.columns["region"][kept]})
    case = sound_case(
        settings=gate_settings(metric=metric, slices=["region"], slice_min_rows=50),
        scored=few,
        champion=champion(few),
    )

    for verdict in (better_than_a_constant(case), no_worse_than_the_champion(case)):
        assert verdict.status == "not enough evidence"
        assert "not enough data: 4 rows labelled yes, 10 are needed" in verdict.summary
    judged = slices(case)
    assert judged.status == "not enough evidence"
    assert all("labelled yes, 10 are needed" in one["why"] for one in judged.evidence["not_judged"])


def test_accuracy_needs_no_rows_of_a_class() -> None:
    held = scored(600)
    few = replace(held, y=np.where(np.cumsum(held.y == 1) <= 4, held.y, 0))
    case = sound_case(settings=gate_settings(metric="accuracy"), scored=few, champion=champion(few))

    assert no_worse_than_the_champion(case).status == "pass"


def test_the_chances_of_slices_are_adjusted_by_the_steps_of_holm() -> None:
    # One-sided chances 0.01, 0.02, 0.04 become 3 * 0.01, then 2 * 0.02, then no less than the one before.
    distances = [-2.3263478740408408, -2.0537489106318225, -1.7506860712521692]

    found = shown_worse([_gain(0.01 * z - 0.05, 0.01) for z in distances], 0.05, 0.95)

    assert found == pytest.approx([0.03, 0.04, 0.04])


def test_no_other_constant_beats_the_one_a_version_is_held_against() -> None:
    generator = np.random.default_rng(5)
    y = generator.integers(0, 2, 301)
    price = generator.lognormal(size=301)

    shares = best_constant("log_loss", CHURN, y)
    middle = best_constant("mean_absolute_error", PRICE, price)

    for other in np.linspace(0.01, 0.99, 99):
        assert log_loss(y, shares) <= log_loss(y, two_class_scores(np.full(301, other))) + 1e-12
        assert accuracy_score(y, shares.argmax(axis=1)) >= accuracy_score(y, np.full(301, other > 0.5))
        guess = np.full(301, np.quantile(price, other))
        assert mean_absolute_error(price, middle) <= mean_absolute_error(price, guess) + 1e-12


def test_less_of_an_error_is_a_gain_as_a_share_of_the_old_error() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0] * 30)

    found = compare("mean_absolute_error", PRICE, y, y + 0.5, y - 1.0, confidence=0.95)

    assert found.relative
    assert (found.new, found.old, found.gain) == pytest.approx((0.5, 1.0, 0.5))


def test_a_version_equal_to_the_champion_is_no_worse_even_without_a_margin() -> None:
    held = scored()
    same = replace(champion(held), scores=held.scores)

    said = no_worse_than_the_champion(sound_case(scored=held, champion=same, settings=gate_settings(margin=0)))

    assert said.status == "pass"
    assert said.evidence["changed"]["flipped"] == 0


def test_rows_the_champion_knows_stay_where_too_few_others_are_left() -> None:
    held = scored(400)
    known = np.arange(400) >= 50

    few = shared_rows(held, champion(held, seen=known), 100)
    enough = shared_rows(held, champion(held, seen=known), 50)

    assert (int(few.kept.sum()), "which flatters it" in few.said) == (400, True)
    assert int(enough.kept.sum()) == 50


@pytest.mark.parametrize(("rows", "status"), [(300, "not enough evidence"), (200_000, "pass")])
def test_more_rows_turn_no_evidence_into_a_pass(rows: int, status: str) -> None:
    held = scored(rows, skill=0.5)

    said = no_worse_than_the_champion(
        sound_case(scored=held, champion=champion(held, noise=0.15), settings=gate_settings(margin=0))
    )

    assert said.status == status, said.summary


def test_two_versions_that_do_not_differ_are_called_worse_in_a_slice_in_few_of_many_trials() -> None:
    failed = 0
    for seed in range(200):
        held = scored(1_600, seed=seed, skill=0.5)
        regions = np.random.default_rng(seed).integers(0, 8, 1_600).astype(str).astype(object)
        held = replace(held, columns={"region": regions})
        case = sound_case(
            scored=held,
            champion=champion(held, noise=0.2, seed=seed + 1_000),
            settings=gate_settings(slices=["region"], slice_min_rows=100, slice_margin=0.0, metric="accuracy"),
        )
        failed += slices(case).status == "fail"

    # The champion is the version with noise, so the version is at least as good: 2.5 % is the level of the test.
    assert failed <= 10


def test_a_metric_without_a_value_on_the_rows_is_not_enough_evidence() -> None:
    held = scored()
    only = replace(held, y=np.zeros_like(held.y))

    assert better_than_a_constant(_with(only)).status == "not enough evidence"


def _with(held: object) -> Case:
    assert not isinstance(held, Missing)
    return sound_case(scored=held)
