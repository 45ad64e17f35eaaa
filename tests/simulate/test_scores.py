"""Prequential scores against what a reader can compute by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tidemill.simulate.chart import drawn
from tidemill.simulate.ledger import Answers
from tidemill.simulate.scores import Labels, Period, Scores, measure
from tidemill.simulate.stream import NEVER, micros

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def scored(truths: list[str], said: list[str], *, delay_h: int = 1, lost: tuple[int, ...] = ()) -> Scores:
    at = np.array([micros(BEGIN + HOUR * number) for number in range(len(truths))])
    known = np.array([NEVER if n in lost else one + delay_h * 3_600_000_000 for n, one in enumerate(at)])
    answers = Answers(
        rows=np.arange(len(truths)),
        at=at,
        known=known,
        versions=np.ones(len(truths), dtype=np.int64),
        truths=list(truths),
        predictions=list(said),
        scores=np.array([1.0 if one == "yes" else 0.0 for one in said]),
        first=list(said),
        first_scores=np.zeros(len(truths)),
    )
    labels = Labels(truths=truths, at=at, known=known)
    return measure(answers, labels, classes=("no", "yes"), fading=0.5, width=timedelta(hours=2), begin=BEGIN)


def test_a_score_counts_only_answers_whose_label_came() -> None:
    found = scored(["yes", "yes", "no", "no"], ["yes", "no", "no", "yes"], lost=(3,))
    assert found.labelled == 3
    assert found.totals["deployed"]["accuracy"] == pytest.approx(2 / 3)
    assert found.totals["deployed"]["f1_score"] == pytest.approx(2 / 3)  # one hit, one miss, no false alarm


def test_the_fading_score_is_that_of_the_paper() -> None:
    found = scored(["yes"] * 4, ["yes", "no", "no", "yes"])
    by_hand = (1 + 0.5**3) / (1 + 0.5 + 0.5**2 + 0.5**3)
    assert found.periods[-1].fading == pytest.approx(by_hand)


def test_what_could_have_been_known_lags_by_the_delay_of_labels() -> None:
    found = scored(["yes"] * 4, ["yes", "yes", "no", "no"], delay_h=2)
    assert found.periods[0].fading == pytest.approx(1.0)
    assert found.periods[0].known_fading is None
    assert found.periods[1].known_fading == pytest.approx(1.0)


def test_the_last_label_is_the_newest_that_had_come_not_the_row_before() -> None:
    truths = ["yes", "no", "yes", "no", "yes", "no"]
    assert scored(truths, truths, delay_h=1).totals["last label"]["accuracy"] == 0.0
    assert scored(truths, truths, delay_h=2).totals["last label"]["accuracy"] == pytest.approx(4 / 6)


def test_a_label_of_the_same_moment_is_not_known_to_its_own_row() -> None:
    found = scored(["yes", "no"], ["yes", "no"], delay_h=0)
    assert found.totals["last label"]["accuracy"] == 0.0


@pytest.mark.parametrize(("majority", "shown"), [(0.5, True), (-3.0, False)])
def test_the_simplest_contestant_is_drawn_unless_it_presses_the_others_together(majority: float, shown: bool) -> None:
    names = {"deployed": 0.6, "no retraining": 0.7, "last label": 0.9, "majority": majority}
    period = Period(start=BEGIN, end=BEGIN + HOUR, answers=9, labelled=9, version=1, scores=names)
    found = Scores(metric="accuracy", answers=9, labelled=9, totals={one: {} for one in names}, periods=(period,))

    assert ("majority" in drawn(found)) == shown
    assert drawn(found)[:3] == ["deployed", "no retraining", "last label"]
