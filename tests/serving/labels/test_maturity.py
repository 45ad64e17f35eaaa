"""How labels come in: curves held to known ones, and cohorts that do not count before their labels are there."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from tests.serving.labels.conftest import BEGIN, GIVEN, answer, ask, at, relations, told

from tidemill.serving.labels.joined import Part
from tidemill.serving.labels.maturity import Maturity, delays_sql, maturity_of
from tidemill.warehouse.protocol import Session

DAY = 86_400.0


def log(delays: np.ndarray[Any, Any], *, days: float, seed: int = 1) -> tuple[list[Any], list[Any]]:
    """Answers spread over days, each labelled after its delay; infinite delays never."""
    given = np.sort(np.random.default_rng(seed).uniform(0, days * DAY, len(delays)))
    answers = [answer(f"r{n}", seconds) for n, seconds in enumerate(given)]
    labels = [
        told("yes", seconds + delay, prediction_id=f"r{n}")
        for n, (seconds, delay) in enumerate(zip(given, delays, strict=True))
        if math.isfinite(delay)
    ]
    return answers, labels


def learn(session: Session, rows: tuple[list[Any], list[Any]], *, day: float, coverage: float = 0.0) -> Maturity:
    part = Part(deployment="churn", as_of=at(day * DAY))
    sql = f"FROM ({delays_sql(part, GIVEN, coverage=coverage)}) ORDER BY age_s"
    return maturity_of(ask(session, sql, relations(*rows)), coverage=coverage)


def test_the_curve_is_that_of_the_delays_although_young_answers_still_wait(session: Session) -> None:
    delays = np.random.default_rng(0).exponential(2 * DAY, 4000)

    found = learn(session, log(delays, days=20), day=20)

    # An exponential delay of mean m has come by age t with probability 1 - exp(-t / m) [Kaplan and Meier 1958].
    for days in (0.5, 1, 2, 4, 8):
        assert found.completeness_at(days * DAY) == pytest.approx(1 - math.exp(-days / 2), abs=0.05)
    assert found.coverage == pytest.approx(1, abs=0.02)
    assert found.settled
    assert found.age_of(0.95) == pytest.approx(-2 * math.log(0.05) * DAY, rel=0.2)


def test_the_life_table_of_cutler_and_ederer_is_met(session: Session) -> None:
    # Four leave unlabelled and ten are labelled in one bin: q = 10 / (100 - 4 / 2) by their half-interval rule.
    answers = [answer(f"r{n}", 0) for n in range(96)] + [answer(f"c{n}", 1000 - 10) for n in range(4)]
    labels = [told("yes", 10, prediction_id=f"r{n}") for n in range(10)]

    part = Part(deployment="churn", as_of=at(1000))
    rows = ask(session, f"FROM ({delays_sql(part, GIVEN)}) ORDER BY age_s", relations(answers, labels))

    assert rows[0]["arrived"] == 10
    assert rows[0]["at_risk"] == 98
    assert rows[0]["share"] == pytest.approx(10 / 98)


def test_labels_for_positives_alone_are_complete_at_their_own_share(session: Session) -> None:
    rng = np.random.default_rng(3)
    delays = np.where(rng.random(4000) < 0.1, rng.exponential(DAY, 4000), np.inf)

    found = learn(session, log(delays, days=30), day=30)

    assert found.settled
    assert found.coverage == pytest.approx(0.1, abs=0.02)
    assert found.completeness_at(6 * DAY) > 0.95
    assert found.is_mature(youngest_s=6 * DAY, answers=1000, labelled=100)
    assert not found.is_mature(youngest_s=0.2 * DAY, answers=1000, labelled=20)


def test_first_labels_are_not_taken_for_all_of_them(session: Session) -> None:
    delays = np.random.default_rng(4).exponential(30 * DAY, 2000)

    found = learn(session, log(delays, days=2), day=2)

    assert not found.settled
    assert found.coverage == 1
    assert found.completeness_at(2 * DAY) < 0.1
    assert not found.is_mature(youngest_s=DAY, answers=1000, labelled=40)


@pytest.mark.parametrize(
    ("labelled", "after_s", "age_s", "settled"),
    [(1, 2, 13, False), (29, 60, DAY, False), (30, 60, DAY, True), (50, 2, 1_800, False), (50, 2, 7_200, True)],
)
def test_a_few_labels_and_the_first_minutes_settle_nothing(
    session: Session, labelled: int, after_s: float, age_s: float, settled: bool
) -> None:
    rows = (
        [answer(f"r{n}", 0) for n in range(7 * labelled)],
        [told("yes", after_s, prediction_id=f"r{n}") for n in range(labelled)],
    )

    found = learn(session, rows, day=age_s / DAY)

    assert (found.settled, found.coverage) == (settled, pytest.approx(1 / 7) if settled else 1)


def test_a_known_coverage_goes_before_a_learnt_one(session: Session) -> None:
    delays = np.where(np.arange(2000) % 2 == 0, 0.1 * DAY, np.inf)

    assert learn(session, log(delays, days=5), day=5, coverage=0.5).coverage == 0.5
    assert learn(session, log(delays, days=5), day=5, coverage=1.0).completeness_at(4 * DAY) == pytest.approx(
        0.5, abs=0.05
    )


def test_when_delays_double_young_cohorts_stop_to_count_and_nothing_is_lost(session: Session) -> None:
    # Sixty days of labels after a day, then days of labels after two: nobody may judge a cohort at 1.5 days.
    given = np.arange(0, 70, 0.01) * DAY
    delays = np.where(given < 60 * DAY, 1.0, 2.0) * DAY
    rows = (
        [answer(f"r{n}", seconds) for n, seconds in enumerate(given)],
        [told("yes", s + d, prediction_id=f"r{n}") for n, (s, d) in enumerate(zip(given, delays, strict=True))],
    )
    assert learn(session, rows, day=60).is_mature(youngest_s=1.5 * DAY, answers=100, labelled=100)

    judged = {}
    for day in (61.6, 62.5, 65, 69):
        found = learn(session, rows, day=day)
        young = [s for s in given if day - 1.9 <= s / DAY < day - 1.5]
        there = sum(s + (1 if s < 60 * DAY else 2) * DAY <= day * DAY for s in young)
        judged[day] = found.is_mature(youngest_s=1.5 * DAY, answers=len(young), labelled=there)
        assert found.is_mature(youngest_s=6 * DAY, answers=100, labelled=100)

    assert not any(judged.values())
    assert learn(session, rows, day=69).completeness_at(1.5 * DAY) < learn(session, rows, day=60).completeness_at(
        1.5 * DAY
    )


def test_without_labels_nothing_is_ever_mature(session: Session) -> None:
    found = learn(session, ([answer(f"r{n}", n * DAY) for n in range(50)], []), day=50)

    assert found.completeness_at(49 * DAY) == 0
    assert not found.is_mature(youngest_s=40 * DAY, answers=10, labelled=0)
    assert found.age_of(0.95) == math.inf
    assert not learn(session, ([], []), day=1).is_mature(youngest_s=DAY, answers=0, labelled=0)


def test_now_is_the_newest_time_of_the_log_unless_one_is_given(session: Session) -> None:
    rows = ([answer("r1", 0), answer("r2", 50)], [told("yes", 80, prediction_id="r1")])

    ages = [row["age_s"] for row in ask(session, f"FROM ({delays_sql(of=GIVEN)}) ORDER BY age_s", relations(*rows))]

    assert ages == pytest.approx([30, 80], rel=0.1)
    assert BEGIN + timedelta(seconds=80) == at(80)
