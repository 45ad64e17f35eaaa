"""Troubles that are planted: how they are asked for, and what they do to a value."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tidemill.core.errors import SettingsError
from tidemill.simulate.plants import NEW_TEXT, Usual, read_plant


@pytest.mark.parametrize(
    ("asked", "value", "becomes"),
    [
        ("shift:x:0.3:2026-01-01", 10.0, 10.6),
        ("scale:x:100:2026-01-01", 3, 300),
        ("missing:x:1:2026-01-01", "a", None),
        ("category:x:1:2026-01-01", "a", NEW_TEXT),
        ("flip:x:1:2026-01-01", "no", "yes"),
        ("shift:x:1:2026-01-01", None, None),
        ("scale:x:2:2026-01-01", True, True),
    ],
)
def test_a_trouble_changes_a_value_as_it_says(asked: str, value: object, becomes: object) -> None:
    usual = Usual(deviation=2.0, values=("no", "yes"))
    assert read_plant(asked).of_value(value, usual, 0.5) == becomes


def test_a_share_of_rows_is_changed_by_what_was_drawn() -> None:
    plant = read_plant("missing:x:0.25:2026-01-01")
    assert [plant.of_value(1, Usual(), drawn) for drawn in (0.0, 0.24, 0.25, 0.9)] == [None, None, 1, 1]


def test_times_with_colons_are_read_whole() -> None:
    plant = read_plant("shift:x:1:2026-01-01T10:30:00:2026-01-02T08:00")
    assert plant.begin == datetime(2026, 1, 1, 10, 30, tzinfo=UTC)
    assert plant.end == datetime(2026, 1, 2, 8, tzinfo=UTC)
    assert not plant.during(datetime(2026, 1, 2, 8, tzinfo=UTC))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("shfit:x:1:2026-01-01", "no trouble of the kind"),
        ("shift:x:1", "is no trouble to plant"),
        ("missing:x:2:2026-01-01", "a share of rows"),
        ("scale:x:much:2026-01-01", "a factor"),
        ("scale:x:2:soon", "no time"),
        ("scale:x:2:2026-01-02:2026-01-01", "no time"),
    ],
)
def test_a_trouble_that_is_none_is_refused_in_words(asked: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read_plant(asked)
