"""Axes: round values evenly apart, labels that differ, no half of what is counted, no date twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidemill.analysis.documents.charts import Axis, line_chart
from tidemill.analysis.documents.ticks import ticks, time_ticks

START = datetime(2013, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("low", "high", "whole", "labels"),
    [
        (0.7119, 0.7171, False, ["0.712", "0.713", "0.714", "0.715", "0.716", "0.717"]),
        (0.0, 1.0, False, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.0, 2.0, True, ["0", "1", "2"]),
        (0.0, 14.0, True, ["0", "3", "6", "9", "12"]),
        (0.0, 1.0, True, ["0", "1"]),
        (-30_000.0, 52_000.0, False, ["-20k", "0k", "20k", "40k"]),
        (0.0, 0.000012, False, ["0.000000", "0.000002", "0.000004", "0.000006", "0.000008", "0.000010", "0.000012"]),
        (3.0, 3.0, False, ["3"]),
    ],
)
def test_an_axis_has_round_values_with_the_digits_they_need(
    low: float, high: float, whole: bool, labels: list[str]
) -> None:
    assert [label for _, label in ticks(low, high, whole=whole)] == labels


@pytest.mark.parametrize("days", [0.1, 1, 2, 3, 4, 11, 60, 400])
def test_no_date_stands_twice_below_a_chart(days: float) -> None:
    found = time_ticks(START + timedelta(hours=7), START + timedelta(hours=7, days=days))

    labels = [label for _, label in found]
    assert 1 <= len(labels) <= 7
    assert len(set(labels)) == len(labels)
    assert all(START + timedelta(hours=7) <= at <= START + timedelta(hours=7, days=days) for at, _ in found)


def test_the_name_of_an_axis_stands_beside_its_labels() -> None:
    picture = line_chart("quality", Axis(name="age", high=2, whole=True), Axis(name="roc_auc", low=0.712, high=0.717))

    assert ">0.7125<" not in picture
    assert [f">{number}<" in picture for number in ("0", "1", "2", "0.5", "1.5")] == [True, True, True, False, False]
    # The turned name reaches to 17 from the left, and six letters of 11 px need 36 before the labels' end.
    assert 'x="68.0"' in picture
