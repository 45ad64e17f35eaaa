"""Cron expressions: what they allow, and when that is in time zones whose clocks change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.core.cron import NICKNAMES, Cron, read_cron
from tidemill.core.cron_times import count_slots, next_slot, slots_after, slots_of_day, slots_until
from tidemill.core.errors import SettingsError


def on(expression: str, zone: str, day: str) -> list[str]:
    """The slots of a local day, as times in UTC."""
    slots = slots_of_day(read_cron(expression), ZoneInfo(zone), date.fromisoformat(day))
    return [f"{slot:%d %H:%M}" for slot in slots]


@pytest.mark.parametrize(
    ("field", "minutes"),
    [
        ("5", [5]),
        ("1,3,2", [1, 2, 3]),
        ("10-13", [10, 11, 12, 13]),
        ("*/20", [0, 20, 40]),
        ("50/4", [50, 54, 58]),
        ("0-30/15", [0, 15, 30]),
    ],
)
def test_a_field_takes_numbers_lists_ranges_and_steps(field: str, minutes: list[int]) -> None:
    assert list(read_cron(f"{field} * * * *").minutes) == minutes


def test_months_and_days_have_names_and_sunday_is_0_and_7() -> None:
    assert read_cron("0 0 * jan-mar,DEC mon-fri").months == {1, 2, 3, 12}
    assert read_cron("0 0 * * mon-fri").weekdays == {1, 2, 3, 4, 5}
    assert read_cron("0 0 * * 7").weekdays == read_cron("0 0 * * sun").weekdays == {0}
    assert read_cron("0 0 * * fri-sun").weekdays == {5, 6, 0}
    assert read_cron("0 0 * * */2").weekdays == {0, 2, 4, 6}


@pytest.mark.parametrize("word", NICKNAMES)
def test_a_nickname_is_short_for_an_expression(word: str) -> None:
    assert next_slot(read_cron(word), UTC, at("2026-01-01 00:30")) == next_slot(
        read_cron(NICKNAMES[word]), UTC, at("2026-01-01 00:30")
    )


def test_a_day_is_meant_by_its_number_or_its_weekday_when_both_are_said() -> None:
    # crontab(5): "30 4 1,15 * 5" runs at 4:30 on the 1st and 15th of each month, plus every Friday.
    cron = read_cron("30 4 1,15 * 5")

    days = [f"{slot:%d}" for slot in islice(slots_after(cron, UTC, at("2026-01-01 00:00")), 7)]

    assert days == ["01", "02", "09", "15", "16", "23", "30"]


@pytest.mark.parametrize(
    ("expression", "said", "hint"),
    [
        ("0 3 * *", "five fields", "0 3 * * *"),
        ("0 0 3 * * *", "has 6", ""),
        ("60 * * * *", "minute of", "0 to 59"),
        ("0 24 * * *", "hour of", "0 to 23"),
        ("0 0 0 * *", "day of the month", "1 to 31"),
        ("0 0 * * mnday", "'mnday' is none", "known: fri, mon"),
        ("5-1 * * * *", "goes backwards", "two ranges"),
        ("*/0 * * * *", "at least 1", ""),
        ("0 0 L * *", "other schedulers", ""),
        ("0 0 * * 5#2", "other schedulers", ""),
        ("1,,2 * * * *", "'' is none", ""),
        ("0 0 31 2,4 *", "never comes", ""),
        ("@dayly", "no nickname", "did you mean @daily?"),
        ("@reboot", "boot", ""),
        ("", "has 0", ""),
    ],
)
def test_what_is_no_expression_is_refused_with_what_the_field_takes(expression: str, said: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_cron(expression)

    assert said in caught.value.message
    assert hint in (caught.value.hint or "")


# The changes of clocks are those of the tz database; the moments are worked out by hand from its rules.
@pytest.mark.parametrize(
    ("zone", "day", "time", "slot"),
    [
        ("Europe/Amsterdam", "2026-03-29", "30 2", "29 01:00"),  # 02:00 becomes 03:00 at 01:00 UTC
        ("America/New_York", "2026-03-08", "30 2", "08 07:00"),  # 02:00 becomes 03:00 at 07:00 UTC
        ("Europe/Dublin", "2026-03-29", "30 1", "29 01:00"),  # winter time is the one with "DST" there, below zero
        ("Australia/Lord_Howe", "2026-10-04", "15 2", "03 15:30"),  # 02:00 becomes 02:30 at 15:30 UTC
        ("America/Havana", "2026-03-08", "0 0", "08 05:00"),  # midnight does not exist
        ("Pacific/Apia", "2011-12-30", "0 12", "30 10:00"),  # the whole day does not exist
    ],
)
def test_fault_16_a_time_that_does_not_exist_comes_once_right_after_the_gap(
    zone: str, day: str, time: str, slot: str
) -> None:
    assert on(f"{time} * * *", zone, day) == [slot]


@pytest.mark.parametrize(
    ("zone", "day", "time", "slot"),
    [
        ("Europe/Amsterdam", "2026-10-25", "30 2", "25 00:30"),  # and again at 01:30
        ("America/New_York", "2026-11-01", "30 1", "01 05:30"),  # and again at 06:30
        ("Europe/Dublin", "2026-10-25", "30 1", "25 00:30"),  # and again at 01:30
        ("Australia/Lord_Howe", "2026-04-05", "45 1", "04 14:45"),  # and again at 15:15
        ("America/Havana", "2026-11-01", "30 0", "01 04:30"),  # and again at 05:30
    ],
)
def test_fault_16_a_time_that_comes_twice_is_one_slot_at_its_first(zone: str, day: str, time: str, slot: str) -> None:
    assert on(f"{time} * * *", zone, day) == [slot]


def test_several_times_in_one_gap_are_one_slot() -> None:
    assert on("0,15,30 2,3 * * *", "Europe/Amsterdam", "2026-03-29") == ["29 01:00", "29 01:15", "29 01:30"]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_an_hourly_schedule_follows_time_as_it_passes(day: str, hours: int) -> None:
    slots = slots_of_day(read_cron("@hourly"), ZoneInfo("Europe/Amsterdam"), date.fromisoformat(day))

    assert len(slots) == hours
    assert {later - slot for slot, later in pairwise(slots)} == {timedelta(hours=1)}


def test_slots_are_in_order_where_clocks_go_back_over_midnight() -> None:
    # St. John's, 2006-10-29: 00:01 became 23:01 of the 28th.
    zone, cron = ZoneInfo("America/St_Johns"), read_cron("*/30 * * * *")

    slots = list(islice(slots_after(cron, zone, at("2006-10-29 00:00")), 12))

    assert slots == sorted(set(slots))
    assert [f"{slot.astimezone(zone):%d %H:%M}" for slot in slots[3:9]] == [
        "28 23:30", "29 00:00", "28 23:30", "29 00:00", "29 00:30", "29 01:00",
    ]  # fmt: skip


def test_the_29th_of_february_is_found_years_ahead() -> None:
    assert next_slot(read_cron("0 0 29 2 *"), UTC, at("2096-03-01 00:00")) == at("2104-02-29 00:00")


CHANGES = [
    ("Europe/Amsterdam", "2026-03-29"),
    ("Europe/Amsterdam", "2026-10-25"),
    ("America/New_York", "2026-11-01"),
    ("Europe/Dublin", "2026-03-29"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Havana", "2026-03-08"),
    ("America/Santiago", "2026-04-05"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Asia/Kolkata", "2026-06-01"),
]


def field(low: int, high: int, every: bool = True) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    ranges = st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}")
    kinds = [number.map(str), ranges, st.integers(2, 9).map(lambda step: f"*/{step}")]
    return st.one_of(*kinds, *([st.just("*")] if every else []))


def walked(cron: Cron, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The slots by watching a clock on the wall minute by minute: another way to the same."""
    seen: set[datetime] = set()
    moment = start - timedelta(days=2)
    shown = moment.astimezone(zone).replace(tzinfo=None)
    while moment <= end:
        now = moment.astimezone(zone).replace(tzinfo=None)
        passed = (
            [now] if now <= shown else [shown + timedelta(minutes=n) for n in range(1, (now - shown).seconds // 60 + 1)]
        )
        due = [
            wall for wall in passed if cron.on(wall.date()) and wall.hour in cron.hours and wall.minute in cron.minutes
        ]
        due = [wall for wall in due if (wall == now if cron.every_hour else wall not in seen)]
        seen.update(passed)
        if due and moment > start:
            yield moment
        shown, moment = now, moment + timedelta(minutes=1)


@settings(max_examples=60)
@given(
    minute=field(0, 59, every=False),
    hour=field(0, 23),
    weekday=st.one_of(st.just("*"), field(0, 6)),
    change=st.sampled_from(CHANGES),
    offset=st.integers(0, 1440),
)
def test_slots_are_those_that_a_clock_on_the_wall_shows(
    minute: str, hour: str, weekday: str, change: tuple[str, str], offset: int
) -> None:
    cron, zone = read_cron(f"{minute} {hour} * * {weekday}"), ZoneInfo(change[0])
    start = at(f"{change[1]} 00:00") - timedelta(hours=36) + timedelta(minutes=offset)
    end = start + timedelta(days=3)

    expected = list(walked(cron, zone, start, end))

    assert [slot for slot in islice(slots_after(cron, zone, start), len(expected) + 1) if slot <= end] == expected
    assert list(islice(slots_until(cron, zone, end), len(expected))) == expected[::-1]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Amsterdam", "America/Havana", "Pacific/Apia", "America/St_Johns"])
@pytest.mark.parametrize("expression", ["*/20 * * * *", "0,30 0,2,23 * * *", "15 2 1,30 * mon"])
def test_slots_of_years_are_counted_as_they_come(zone: str, expression: str) -> None:
    cron, place = read_cron(expression), ZoneInfo(zone)
    after, until = at("2006-03-01 10:07"), at("2012-04-15 00:00")

    expected = sum(1 for _ in takewhile(lambda slot: slot <= until, slots_after(cron, place, after)))

    assert count_slots(cron, place, after, until) == expected
    assert count_slots(cron, place, after, after) == 0


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
