"""One written form per value: how a category of any type is spelled, the same in every reader.

Dates, times and the like are kept as whole numbers by the readers (days, microseconds) and spelled here, so that a
vocabulary is text whatever the column's type: ``2024-02-29``, ``13:45:00.250000``, ``true``, base64 for bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1).toordinal()

#: NULL among whole numbers (dates, times, booleans): the smallest int64. It is how a graph is fed a NULL.
NULL_INTEGER = -(2**63)

#: NULL among strings: how a graph is fed a NULL. The empty string is a category like any other.
NULL_TEXT = "\0null"


def civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day number (0 = 1970-01-01) in the proleptic Gregorian calendar, for any year.

    References
    ----------
    .. [1] Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    shifted = days + 719_468
    era = shifted // 146_097
    day_of_era = shifted - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_index = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_index + 2) // 5 + 1
    month = month_index + 3 if month_index < 10 else month_index - 9
    return year_of_era + era * 400 + (month <= 2), month, day


def spell_days(days: int) -> str:
    """``2024-02-29`` of a day number."""
    year, month, day = civil(days)
    return f"{year:04d}-{month:02d}-{day:02d}"


def spell_time(micros: int) -> str:
    """``13:45:00`` or ``13:45:00.250000`` of the microseconds since midnight."""
    seconds, fraction = divmod(micros, 1_000_000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}" if fraction else text


def spell_datetime(micros: int) -> str:
    """``2024-02-29T13:45:00`` of the microseconds since 1970."""
    days, rest = divmod(micros, _DAY)
    return f"{spell_days(days)}T{spell_time(rest)}"


def spell_bool(value: int) -> str:
    """``true`` or ``false``."""
    return "true" if value else "false"


def spell_bytes(value: bytes) -> str:
    """Base64, as BigQuery shows BYTES."""
    return base64.b64encode(value).decode("ascii")


#: For kinds that readers hold as whole numbers: from the number to the text.
SPELL_INTEGER: dict[str, Callable[[int], str]] = {
    "bool": spell_bool,
    "date": spell_days,
    "time": spell_time,
    "datetime": spell_datetime,
}


def read_integer(kind: str, text: str) -> int:
    """The whole number behind a spelled value: the inverse of `SPELL_INTEGER`."""
    if kind == "bool":
        return int(text == "true")
    if kind == "date":
        return _days_of(text)
    if kind == "time":
        return _micros_of(text)
    day, _, clock = text.partition("T")
    return _days_of(day) * _DAY + _micros_of(clock)


def _days_of(text: str) -> int:
    year, month, day = (int(part) for part in text.rsplit("-", 2))
    shifted = year - (month <= 2)
    era = shifted // 400
    year_of_era = shifted - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _micros_of(text: str) -> int:
    clock, _, fraction = text.partition(".")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + int((fraction + "000000")[:6])


def integer_of(kind: str, value: Any) -> int:
    """The whole number of a Python value: days of a date, microseconds of a time or datetime, 0 or 1 of a bool.

    A datetime with a time zone is taken to UTC; ISO text is read, and a timestamp may end in `` UTC``, as BigQuery
    shows them.

    Raises
    ------
    ValueError
        The value is of another kind.
    """
    if kind == "bool" and isinstance(value, bool):
        return int(value)
    if kind == "date":
        if isinstance(value, datetime) and value.time() == time():
            value = value.date()
        if isinstance(value, str):
            value = date.fromisoformat(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.toordinal() - _EPOCH
    if kind == "time":
        if isinstance(value, str):
            value = time.fromisoformat(value)
        if isinstance(value, time):
            return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    if kind in ("datetime", "timestamp"):
        if isinstance(value, str):
            value = datetime.fromisoformat(value.removesuffix(" UTC") if kind == "timestamp" else value)
        if isinstance(value, datetime):
            return _micros_since_epoch(value)
        if isinstance(value, date):
            return (value.toordinal() - _EPOCH) * _DAY
    raise ValueError(f"{value!r} is not a {kind}")


def _micros_since_epoch(value: datetime) -> int:
    clock = ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    local = (value.toordinal() - _EPOCH) * _DAY + clock
    offset = value.utcoffset()  # taken off the number: as a datetime in UTC, year 1 may begin in year 0
    return local if offset is None else local - offset // timedelta(microseconds=1)


def instant_parts(micros: int) -> tuple[int, int, int, int, int, int, int]:
    """The parts of an instant in UTC, in the order of `plan.PARTS`.

    Day of month 1..31, day of week 1..7 (Sunday 1), month 1..12, hour 0..23, minute 0..59, week 0..53 (weeks start on
    Sunday; days before the year's first Sunday are in week 0), year.

    References
    ----------
    .. [1] https://cloud.google.com/bigquery/docs/auto-preprocessing
    """
    days, rest = divmod(micros, _DAY)
    minutes = rest // 60_000_000
    year, month, day = civil(days)
    weekday = (days + 4) % 7  # 1970-01-01 was a Thursday; Sunday is 0
    day_of_year = days - _days_of(f"{year}-01-01")
    week = (day_of_year + 7 - weekday) // 7
    return day, weekday + 1, month, minutes // 60, minutes % 60, week, year
