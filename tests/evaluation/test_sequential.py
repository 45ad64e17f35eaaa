"""Rollout tests: looked at every hundred requests, they keep alpha with no difference, and find what matters soon."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.core.sections import one_deployment
from tidemill.evaluation.sequential import Counts, band, judge_errors, judge_rollout
from tidemill.serving.board import LATENCY_BINS, LATENCY_EDGES, SCORE_BINS

RULES = one_deployment("d", {}).rollback
LOOK = 100


def histogram(rng: np.random.Generator, n: int, centre: float, bins: int) -> np.ndarray:
    return np.bincount(np.clip(rng.normal(centre, 3.0, n), 0, bins - 1).astype(int), minlength=bins)


class Arm:
    """Counts of one version as they grow."""

    def __init__(self, errors: float, latency: float = 30.0, score: float = 16.0, loss: float = 0.2) -> None:
        self.rate, self.centre, self.score, self.loss = errors, latency, score, loss
        self.n = self.k = self.wrong = 0
        self.latency = np.zeros(LATENCY_BINS, dtype=int)
        self.scores = np.zeros(SCORE_BINS, dtype=int)

    def grow(self, rng: np.random.Generator, n: int) -> Counts:
        self.n, self.k = self.n + n, self.k + int(rng.binomial(n, self.rate))
        self.wrong += int(rng.binomial(n, self.loss))
        self.latency += histogram(rng, n, self.centre, LATENCY_BINS)
        self.scores += histogram(rng, n, self.score, SCORE_BINS)
        return Counts(
            answers=self.n,
            errors=self.k,
            latency=tuple(self.latency.tolist()),
            scores=tuple(self.scores.tolist()),
            labelled=self.n,
            loss_sum=float(self.wrong),
            loss_squares=float(self.wrong),
        )


def first_breach(seed: int, champion: Arm, challenger: Arm, *, share: float, most: int) -> int | None:
    """How many requests the challenger had answered at the first look that breached."""
    rng = np.random.default_rng(seed)
    for n in range(LOOK, most + 1, LOOK):
        counts = champion.grow(rng, round(LOOK * (1 - share) / share)), challenger.grow(rng, LOOK)
        if any(one.breached for one in judge_rollout(*counts, RULES, latency_edges=LATENCY_EDGES)):
            return n
    return None


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1])
def test_with_no_difference_at_most_one_rollout_in_twenty_goes_back(rate: float, share: float) -> None:
    wrong = [first_breach(seed, Arm(rate), Arm(rate), share=share, most=3_000) for seed in range(40)]

    # At a true rate of 5 %, 40 rollouts have more than 6 with a chance of 0.003.
    assert sum(found is not None for found in wrong) <= 6


@pytest.mark.parametrize(("old", "new"), [(0.0, 0.05), (0.02, 0.07), (0.1, 0.15)])
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_five_points_more_errors_are_found_within_two_thousand_requests(old: float, new: float, share: float) -> None:
    found = [first_breach(seed, Arm(old), Arm(new), share=share, most=2_000) for seed in range(40)]

    assert sum(one is not None for one in found) >= 36


@pytest.mark.parametrize(
    ("signal", "champion", "challenger"),
    [
        ("latency", Arm(0.0), Arm(0.0, latency=44.0)),
        ("scores", Arm(0.0), Arm(0.0, score=26.0)),
        ("quality", Arm(0.0), Arm(0.0, loss=0.4)),
        ("errors", Arm(0.0), Arm(0.2)),
    ],
)
def test_each_signal_names_itself(signal: str, champion: Arm, challenger: Arm) -> None:
    rng = np.random.default_rng(1)
    counts = champion.grow(rng, 3_000), challenger.grow(rng, 3_000)

    verdicts = judge_rollout(*counts, RULES, latency_edges=LATENCY_EDGES, stages=5)

    assert [one.signal for one in verdicts if one.breached] == [signal]


def test_one_failed_request_of_a_hundred_is_no_breach_beside_a_champion_that_never_failed() -> None:
    verdict = judge_errors(
        Counts(answers=9_900, errors=0), Counts(answers=100, errors=1), margin=0.0, alpha=RULES.alpha
    )

    assert not verdict.breached
    assert verdict.summary == "1 of 100 requests failed (1.00%), of the champion's 0 of 9,900 (0.00%)"


def test_an_error_margin_is_allowed_for() -> None:
    counts = Counts(answers=5_000, errors=50), Counts(answers=5_000, errors=150)

    assert judge_errors(*counts, margin=0.0, alpha=0.01).breached
    assert not judge_errors(*counts, margin=0.03, alpha=0.01).breached


def test_the_band_holds_a_distribution_at_every_size_at_once() -> None:
    rng = np.random.default_rng(2)
    left = 0
    for _ in range(100):
        values = rng.random(2_000)
        for n in range(10, 2_001, 50):
            ordered = np.sort(values[:n])
            steps = np.arange(1, n + 1) / n
            if max(np.abs(steps - ordered).max(), np.abs(steps - 1 / n - ordered).max()) > band(n, 0.05):
                left += 1
                break

    assert left <= 5
    assert band(0, 0.05) == 1.0


def test_scores_that_move_by_next_to_nothing_are_not_far_apart() -> None:
    old, new = [0] * SCORE_BINS, [0] * SCORE_BINS
    old[10], new[11] = 5_000, 5_000  # all rows alike, at an edge
    champion = Counts(answers=5_000, errors=0, scores=tuple(old))

    verdicts = judge_rollout(champion, Counts(answers=5_000, errors=0, scores=tuple(new)), RULES)

    assert not any(one.breached for one in verdicts)


def test_decisions_that_turn_on_the_same_rows_are_a_breach() -> None:
    counts = Counts(answers=200, errors=0), Counts(answers=200, errors=0)

    turned = judge_rollout(*counts, RULES, flips=(60, 140), stages=5)
    close = judge_rollout(*counts, RULES, flips=(150, 50), stages=5)

    assert [one.signal for one in turned if one.breached] == ["flips"]
    assert not any(one.breached for one in close)


def test_rows_of_one_request_that_flip_together_count_as_one() -> None:
    counts = Counts(answers=200, errors=0), Counts(answers=200, errors=0)

    alike = judge_rollout(*counts, RULES, flips=(14_000, 6_000), stages=5)  # 60 of 200 requests of 100 rows

    assert not any(one.breached for one in alike)


def test_scores_of_a_few_large_requests_are_known_no_better_than_those_of_a_few_rows() -> None:
    old, new = [0] * SCORE_BINS, [0] * SCORE_BINS
    old[5], old[25], new[5], new[25] = 950, 50, 50, 950
    few, many = (
        [Counts(answers=answers, errors=0, scores=tuple(scores)) for scores in (old, new)] for answers in (10, 1_000)
    )

    assert not any(one.breached for one in judge_rollout(few[0], few[1], RULES))
    assert [one.signal for one in judge_rollout(many[0], many[1], RULES) if one.breached] == ["scores"]


def test_a_champion_with_few_labels_and_no_wrong_answer_among_them_convicts_nobody() -> None:
    champion = Counts(answers=40, errors=0, labelled=40, loss_sum=0.0, loss_squares=0.0)
    challenger = Counts(answers=1_000, errors=0, labelled=1_000, loss_sum=60.0, loss_squares=60.0)

    # With 5 % wrong answers of either, no wrong one among 40 has a chance of 13 %.
    assert not any(one.breached for one in judge_rollout(champion, challenger, RULES))
