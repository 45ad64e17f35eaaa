"""Python values as the whole numbers that readers hold."""

from __future__ import annotations

import pytest

from tidemill.features.values import integer_of

YEAR_1_S = -62_135_596_800
"""The first second of the calendar, counted from 1970."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01", 1),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("0001-01-01T00:00:00+14:00", YEAR_1_S - 14 * 3600),
        ("9999-12-31T23:59:59-12:00", 253_402_300_799 + 12 * 3600),
    ],
)
def test_a_timestamp_is_counted_in_utc_also_where_utc_leaves_the_calendar(text: str, seconds: int) -> None:
    assert integer_of("timestamp", text) == seconds * 1_000_000
