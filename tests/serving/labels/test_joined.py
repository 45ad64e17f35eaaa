"""Answers and labels join one to one, whatever the order, however often and however late the labels come."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serving.labels.conftest import GIVEN, answer, ask, at, relations, told
from tests.serving.labels.strategies import answers, expected, labels

from tidemill.serving.labels.joined import ALL, Part, labels_sql, outcomes_sql, parked_sql, revisions_sql
from tidemill.warehouse.protocol import Session

Rows = list[dict[str, Any]]
many = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def outcomes(session: Session, given: Rows, received: Rows, part: Part = ALL) -> Rows:
    return ask(session, f"FROM ({outcomes_sql(part, GIVEN)}) ORDER BY id", relations(given, received))


def found(rows: Rows) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What `strategies.expected` says."""
    return {
        (row["deployment"], row["id"]): (row["label"], row["label_at"], row["revision"], row["first_arrived_at"])
        for row in rows
        if row["label"] is not None
    }


@many
@given(answers(), labels())
def test_each_answer_has_the_label_that_the_rules_give_it(session: Session, given: Rows, received: Rows) -> None:
    rows = outcomes(session, given, received)

    assert sorted(row["id"] for row in rows) == sorted(one["id"] for one in given if one["route"] != "fallback")
    assert found(rows) == expected(given, received)


@many
@given(answers(), labels(), st.integers(0, 9))
def test_as_of_a_time_it_is_what_was_known_then(session: Session, given: Rows, received: Rows, seconds: int) -> None:
    known = [row for row in received if row["arrived_at"] <= at(seconds)]
    there = [one for one in given if one["at"] <= at(seconds)]

    then = outcomes(session, given, received, Part(as_of=at(seconds)))

    assert then == outcomes(session, there, known)


@many
@given(answers(), labels(), st.integers(0, 6), st.integers(0, 4))
def test_a_part_of_the_answers_has_the_same_labels(
    session: Session, given: Rows, received: Rows, since: int, span: int
) -> None:
    part = Part(deployment="churn", since=at(since), until=at(since + span))

    rows = outcomes(session, given, received, part)

    everything = outcomes(session, given, received)
    assert rows == [
        row for row in everything if row["deployment"] == "churn" and at(since) <= row["at"] < at(since + span)
    ]


@many
@given(answers(), labels())
def test_every_label_counts_or_is_parked_with_a_reason(session: Session, given: Rows, received: Rows) -> None:
    tables = relations(given, received)
    current = ask(session, labels_sql(of=GIVEN), tables)
    parked = ask(session, parked_sql(GIVEN), tables)

    counted = found(outcomes(session, given, received))
    by_id = {(row["deployment"], row["prediction_id"]) for row in current if row["prediction_id"] is not None}
    assert {row["reason"] for row in parked} <= {
        "no prediction has this id",
        "the prediction is of deployment churn",
        "the prediction is of deployment other",
        "the fallback answered",
        "there is no answer for this key",
        "the first answer for this key is later",
    }
    waiting = {(row["deployment"], row["prediction_id"]) for row in parked if row["prediction_id"] is not None}
    assert by_id - waiting == by_id & set(counted)


def test_a_revision_that_arrives_late_takes_its_place_in_the_order_of_its_source(session: Session) -> None:
    received = [
        told("no", 5, prediction_id="r1", known_at=at(2)),
        told("yes", 6, prediction_id="r1", known_at=at(1)),
        told("yes", 7, prediction_id="r1", known_at=at(1)),
    ]

    rows = ask(session, f"FROM ({revisions_sql(GIVEN)}) ORDER BY revision", relations([], received))

    assert [(row["revision"], row["label"], row["arrived_at"]) for row in rows] == [(1, "yes", at(6)), (2, "no", at(5))]


def test_a_label_a_year_late_is_a_label(session: Session) -> None:
    year = 365 * 86_400.0
    rows = outcomes(session, [answer("r1", 0)], [told("no", year, prediction_id="r1")])

    assert [(row["label"], row["arrived_at"]) for row in rows] == [("no", at(year))]


def test_a_label_waits_for_its_prediction_and_is_matched_when_it_comes(session: Session) -> None:
    received = [told("no", 1, prediction_id="r1"), told("no", 1, key="k", at=at(9))]
    parked = ask(session, parked_sql(GIVEN), relations([], received))
    assert sorted(row["reason"] for row in parked) == ["no prediction has this id", "there is no answer for this key"]

    given = [answer("r1", 3), answer("r2", 4, key="k")]

    assert ask(session, parked_sql(GIVEN), relations(given, received)) == []
    assert [row["label"] for row in outcomes(session, given, received)] == ["no", "no"]


def test_labels_by_key_without_a_time_are_of_the_moment_they_came(session: Session) -> None:
    given = [answer("r1", 1, key="k"), answer("r2", 10, key="k")]
    received = [told("no", 5, key="k"), told("yes", 15, key="k")]

    assert [(row["label"], row["revision"]) for row in outcomes(session, given, received)] == [("no", 1), ("yes", 1)]


def test_times_from_the_future_of_a_wrong_clock_do_not_hold_for_ever(session: Session) -> None:
    day, year = 86_400.0, 365 * 86_400.0
    given = [answer("r1", 1, key="k"), answer("r2", 2 * day, key="k"), answer("r3", 1)]
    received = [
        told("no", 5, key="k", at=at(year)),
        told("no", 5, prediction_id="r3", known_at=at(year)),
        told("yes", 9, prediction_id="r3", known_at=at(8)),
    ]

    assert [row["label"] for row in outcomes(session, given, received)] == ["no", None, "yes"]


def test_fault_15_what_came_by_a_clock_that_was_ahead_gives_way_to_what_was_collected_later(session: Session) -> None:
    year = 365 * 86_400.0
    received = [
        told("no", 5, prediction_id="r1"),
        told("yes", year, prediction_id="r1", batch=2),
        told("maybe", year + 9, prediction_id="r1", batch=2),
        told("no", 20, prediction_id="r1", batch=3),
        told("yes", 30, prediction_id="r1", batch=None),
        told("no", 900, prediction_id="r2", batch=4),
        told("yes", 60, prediction_id="r2", batch=5),  # the same hour: batches do not take everything in order
    ]

    rows = ask(session, f"FROM ({revisions_sql(GIVEN)}) ORDER BY prediction_id, revision", relations([], received))

    assert [row["label"] for row in rows] == ["no", "yes", "maybe", "no", "yes", "yes", "no"]


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_same_label_again_is_one_row(session: Session, repeats: int) -> None:
    received = [told("no", 5 + n, prediction_id="r1") for n in range(repeats)]

    rows = ask(session, labels_sql(of=GIVEN), relations([], received))

    assert [(row["label"], row["revision"], row["arrived_at"]) for row in rows] == [("no", 1, at(5))]
