"""When a cron expression comes, in a time zone: every slot is a moment in UTC. Pure.

A local time that a change of the clock leaves out comes at the first moment after the gap; one that comes twice comes
at its first. Several times in one gap are one slot. An expression that leaves no hour out (``*/15 * * * *``) follows
time as it passes instead: nothing comes for a gap, and an hour that comes twice has its slots twice, as cron of Debian
does it: https://manpages.debian.org/stable/cron/cron.8.en.html ("Daylight Saving Time").
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from tidemill.core.cron import Cron

HORIZON_DAYS = 366 * 41
"""The 29th of February comes on a given weekday within 40 years, also over 2100."""

_DAY = timedelta(days=1)
_LARGEST_CHANGE = timedelta(hours=3)


def slots_after(cron: Cron, zone: tzinfo, moment: datetime) -> Iterator[datetime]:
    """The slots later than a moment, in order."""
    day = moment.astimezone(zone).date() - _DAY
    held: list[datetime] = []
    for _ in range(HORIZON_DAYS):
        # Where clocks go back over midnight, a day's slots lie among those of the next: they are told in order.
        held = sorted({*held, *(slot for slot in slots_of_day(cron, zone, day) if slot > moment)})
        day += _DAY
        if held:
            next_day = _first_moment(zone, datetime.combine(day, time()))
            yield from (slot for slot in held if slot < next_day)
            held = [slot for slot in held if slot >= next_day]


def slots_until(cron: Cron, zone: tzinfo, moment: datetime) -> Iterator[datetime]:
    """The slots up to a moment (it included), the newest first."""
    day = moment.astimezone(zone).date() + _DAY
    held: list[datetime] = []
    for _ in range(HORIZON_DAYS):
        held = sorted({*held, *(slot for slot in slots_of_day(cron, zone, day) if slot <= moment)}, reverse=True)
        if held:
            day_before = _first_moment(zone, datetime.combine(day, time())) + _LARGEST_CHANGE
            yield from (slot for slot in held if slot >= day_before)
            held = [slot for slot in held if slot < day_before]
        day -= _DAY


def next_slot(cron: Cron, zone: tzinfo, moment: datetime) -> datetime | None:
    """The first slot later than a moment; None when there is none in 40 years."""
    return next(slots_after(cron, zone, moment), None)


def count_slots(cron: Cron, zone: tzinfo, after: datetime, until: datetime) -> int:
    """How many slots are later than a moment and not later than another: whole days are multiplied, not walked."""
    first, last = (moment.astimezone(zone).date() for moment in (after, until))
    number, listed, day, plain = 0, set[datetime](), first - _DAY, False
    while day <= last + _DAY:
        before, plain = plain, _offset_all_day(zone, day) is not None
        # Days at the ends count in part; a day on which clocks change may share a slot with the next.
        if plain and before and first + _DAY < day < last - _DAY:
            number += len(cron.hours) * len(cron.minutes) if cron.on(day) else 0
        else:
            listed.update(slot for slot in slots_of_day(cron, zone, day) if after < slot <= until)
        day += _DAY
    return number + len(listed)


def slots_of_day(cron: Cron, zone: tzinfo, day: date) -> list[datetime]:
    """The slots of one local day, in order, each once."""
    if not cron.on(day):
        return []
    times = [datetime.combine(day, time(hour, minute)) for hour in cron.hours for minute in cron.minutes]
    offset = _offset_all_day(zone, day)
    if offset is not None:
        return [(local - offset).replace(tzinfo=UTC) for local in times]
    if cron.every_hour:
        return sorted({moment for local in times for moment in _moments(zone, local)})
    return sorted({_first_moment(zone, local) for local in times})


def _offset_all_day(zone: tzinfo, day: date) -> timedelta | None:
    """The zone's offset on a day without a change of the clock; None on others."""
    offset = _offset(zone, datetime.combine(day, time()), 0)
    return offset if offset == _offset(zone, datetime.combine(day + _DAY, time()), 1) else None


def _offset(zone: tzinfo, local: datetime, fold: int) -> timedelta:
    offset = zone.utcoffset(local.replace(tzinfo=zone, fold=fold))
    assert offset is not None  # noqa: S101 - a zone always has one
    return offset


def _moments(zone: tzinfo, local: datetime) -> list[datetime]:
    """The moments at which clocks show a local time: one, two, or none."""
    found = []
    for fold in (0, 1):
        moment = (local - _offset(zone, local, fold)).replace(tzinfo=UTC)
        if moment not in found and moment.astimezone(zone).replace(tzinfo=None) == local:
            found.append(moment)
    return sorted(found)


def _first_moment(zone: tzinfo, local: datetime) -> datetime:
    """The first moment at which clocks show a local time, or the end of the gap that it lies in."""
    found = _moments(zone, local)
    if found:
        return found[0]
    # In a gap the offset before it (fold 0) is the smaller one (PEP 495): the change lies between these two moments.
    before = (local - _offset(zone, local, 1)).replace(tzinfo=UTC)
    after = (local - _offset(zone, local, 0)).replace(tzinfo=UTC)
    old = before.astimezone(zone).utcoffset()
    seconds_low, seconds_high = 0, int((after - before).total_seconds())
    while seconds_high - seconds_low > 1:
        middle = (seconds_low + seconds_high) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == old:
            seconds_low = middle
        else:
            seconds_high = middle
    return before + timedelta(seconds=seconds_high)
