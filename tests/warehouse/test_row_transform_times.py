"""Times with an offset, as the engine that computes TRANSFORM for a server reads them."""

from __future__ import annotations

from contextlib import closing

import pytest

from tidemill.core.errors import InputError
from tidemill.warehouse.duckdb.row_transform import open_row_transform


def test_a_time_outside_the_calendar_in_utc_is_wrong_input() -> None:
    opened = open_row_transform([("placed_at", "timestamp[us]")], [("placed", "placed_at", "timestamp[us]")])
    with closing(opened) as transform, pytest.raises(InputError, match="outside the calendar"):  # type: ignore[type-var]
        transform({"placed_at": ["0001-01-01T00:00:00+14:00"]})


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2025-07-19T23:19:00", 23),
        ("2025-07-19T23:19:00Z", 23),
        ("2025-07-19T23:19:00-05:00", 4),
        ("2025-07-19T23:19:00+02:00", 21),
    ],
)
def test_a_time_with_an_offset_is_taken_to_utc(text: str, hour: int) -> None:
    columns = [("hour", "EXTRACT(hour FROM placed_at)", "int64")]
    with closing(open_row_transform([("placed_at", "timestamp[us]")], columns)) as transform:  # type: ignore[type-var]
        assert list(transform({"placed_at": [text, None]})["hour"]) == [hour, None]
