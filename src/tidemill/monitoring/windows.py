"""Windows of time: where they begin, which are over, and which is the same period before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tidemill.monitoring.measurement import Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MOST = 1_000
"""A monitor that was away for longer than this many windows looks at the newest of them."""


def window_of(at: datetime, length: timedelta) -> Window:
    """The window that a moment is in: windows begin at multiples of their length since 1970, in UTC."""
    start = EPOCH + (at.astimezone(UTC) - EPOCH) // length * length
    return Window(start=start, end=start + length)


def windows_between(first: datetime, until: datetime, length: timedelta) -> list[Window]:
    """Windows from the one that ``first`` is in, that are over at ``until``, in order; the newest `MOST` of them."""
    begin, stop = window_of(first, length).start, window_of(until, length).start
    begin = max(begin, stop - MOST * length)
    count = max(0, (stop - begin) // length)
    return [Window(start=begin + number * length, end=begin + (number + 1) * length) for number in range(count)]


def period_before(window: Window, season: timedelta) -> Window:
    """The same period one season before."""
    return Window(start=window.start - season, end=window.end - season)
