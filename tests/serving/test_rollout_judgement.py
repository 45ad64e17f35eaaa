"""What a stage's counts and labels say: go back, go on, or wait."""

from __future__ import annotations

import pytest

from tidemill.core.sections import one_deployment
from tidemill.serving.board import ArmCounts, TrialCounts
from tidemill.serving.rollout import Judgement, judge
from tidemill.warehouse.control.outcomes import Outcomes

SETTINGS = one_deployment("d", {})


def counts(answers: int = 300) -> TrialCounts:
    arm = ArmCounts(answers=answers, errors=0, latency=(), scores=())
    return TrialCounts(champion=arm, challenger=arm, agree=0, differ=0, largest_difference=0.0)


def losses(answers: int, wrong: int) -> Outcomes:
    return Outcomes(answers=answers, loss_sum=float(wrong), loss_squares=float(wrong))


def said(champion: Outcomes, challenger: Outcomes, answers: int = 300) -> Judgement:
    return judge(
        counts(answers),
        stage="canary",
        classifier=True,
        seconds=60.0,
        rollout=SETTINGS.rollout,
        rollback=SETTINGS.rollback,
        outcomes=(champion, challenger),
    )


def test_without_any_labels_enough_answers_go_on() -> None:
    assert said(Outcomes(), Outcomes()).decision == "advance"


def test_labels_that_look_no_worse_go_on() -> None:
    assert said(losses(250, 30), losses(250, 32)).decision == "advance"


def test_labels_that_look_worse_hold_the_promotion_before_they_are_a_breach() -> None:
    found = said(losses(100, 10), losses(100, 16))

    assert found.decision == "wait"
    assert "looks worse" in found.why


def test_labels_that_are_outstanding_for_the_challenger_alone_are_waited_for() -> None:
    found = said(losses(250, 30), losses(5, 0))

    assert found.decision == "wait"
    assert "waits for labels" in found.why


def test_a_few_labels_of_the_champion_make_nobody_wait() -> None:
    assert said(losses(10, 1), Outcomes()).decision == "advance"


@pytest.mark.parametrize(("old", "new"), [(130, 250), (300, 600)])
def test_labels_that_are_surely_worse_take_the_version_back(old: int, new: int) -> None:
    found = said(losses(1_000, old), losses(1_000, new), answers=1_000)

    assert found.decision == "roll back"
    assert "mean loss" in found.why
