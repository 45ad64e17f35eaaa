"""Requests by window from counters that are read now and then; rows and errors of a window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tidemill.monitoring.measurement import Window
from tidemill.monitoring.operations import counted_in
from tidemill.warehouse.control.database import Database
from tidemill.warehouse.control.deployments import add_deployment
from tidemill.warehouse.control.monitoring import CounterSample, samples_over, save_sample

START = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def sample(second: int, requests: int, failed: int = 0) -> CounterSample:
    return CounterSample(at=START + second * SECOND, requests=requests, failed=failed)


def minute(number: int) -> Window:
    return Window(start=START + 60 * number * SECOND, end=START + 60 * (number + 1) * SECOND)


def test_no_request_counts_in_two_windows() -> None:
    samples = [
        sample(-31, 100),
        sample(27, 399, 3),
        sample(88, 1_001, 10),
        sample(149, 1_001, 11),
        sample(301, 1_700, 11),
    ]

    found = [counted_in(minute(number), samples) for number in range(-1, 6)]

    assert (sum(one[0] for one in found), sum(one[1] for one in found)) == (1_600, 11)
    assert found[1][0] < 735


def test_a_counter_that_began_anew_counts_from_nothing() -> None:
    assert counted_in(minute(0), [sample(0, 500, 20), sample(60, 40, 1)]) == (40, 1)


def test_a_window_without_readings_around_it_has_none_counted() -> None:
    assert counted_in(minute(0), []) == (0, 0)
    assert counted_in(minute(0), [sample(70, 90)]) == (0, 0)
    assert counted_in(minute(0), [sample(30, 90), sample(60, 100)]) == (10, 0)


def test_samples_over_a_window_reach_to_both_sides_of_it(db: Database) -> None:
    with db.write() as tx:
        add_deployment(tx, "churn", "churn")
    for second, requests in ((-90, 1), (-31, 2), (20, 3), (61, 4), (130, 5)):
        save_sample(db, "churn", sample(second, requests))

    def counts(number: int) -> list[int]:
        return [one.requests for one in samples_over(db, "CHURN", minute(number).start, minute(number).end)]

    assert counts(0) == [2, 3, 4]
    assert counts(-5) == [1]
    assert counts(2) == [4, 5]
    assert counts(9) == [5]
