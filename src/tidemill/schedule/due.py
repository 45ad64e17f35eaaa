"""Which slot of a schedule is due. Pure: the settings, what is recorded and the time are passed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from tidemill.core.cron_times import count_slots, slots_until
from tidemill.core.schedules import ScheduleSettings
from tidemill.warehouse.control.schedules import SlotRow

MOST = 100
"""How many slots are made up for after an outage, at most."""
NONE_LATE = timedelta(minutes=10)
"""With catch_up = none a slot may be this late: a scheduler may be asked every few minutes only."""
LONGEST_PAUSE = timedelta(hours=1)
BELIEVED = timedelta(days=1)
"""What is recorded up to so far ahead was decided before the clock was set back; beyond it the clock was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A slot that something is to be done about.

    Parameters
    ----------
    passed_over
        How many slots right before it are not done.
    again
        The row, where it is a retry.
    missed
        It is too late for it: that is written down, and nothing done.
    """

    slot: datetime
    passed_over: int = 0
    again: SlotRow | None = None
    missed: bool = False


def due(schedule: ScheduleSettings, *, since: datetime, newest: SlotRow | None, now: datetime) -> Due | None:
    """What is due now, if anything.

    Parameters
    ----------
    since
        Slots up to this moment do not count.
    newest
        The newest slot up to a day from now that there is a row of: none up to it is done again. Rows of later slots
        come from a clock that was ahead, and say nothing of what is due.
    """
    bound = _bound(schedule)
    waiting = newest if newest is not None and _waits(newest, bound, now) else None
    retry = Due(slot=waiting.slot, again=waiting) if waiting is not None and _paused_enough(waiting, now) else None
    if waiting is not None and schedule.catch_up == "all":
        return retry  # one after the other: the slot before these is tried again first
    cursor = max(since, newest.slot) if newest is not None else since
    found = list(takewhile(lambda slot: slot > cursor, islice(slots_until(schedule.cron, schedule.tz, now), MOST)))
    if not found:
        return retry
    passed = count_slots(schedule.cron, schedule.tz, cursor, now)
    if schedule.catch_up != "all":
        missed = bound is not None and now - found[0] > bound
        return Due(slot=found[0], passed_over=passed - 1, missed=missed)
    inside = [slot for slot in found if bound is None or now - slot <= bound]
    if not inside:
        return Due(slot=found[0], passed_over=passed - 1, missed=True)
    return Due(slot=inside[-1], passed_over=passed - len(inside))


def again_at(schedule: ScheduleSettings, attempt: int, now: datetime) -> datetime | None:
    """When an attempt that failed may be followed by the next; None for never."""
    if attempt > schedule.retries:
        return None
    return now + min(timedelta(seconds=schedule.retry_seconds * 2 ** min(attempt - 1, 32)), LONGEST_PAUSE)


def _bound(schedule: ScheduleSettings) -> timedelta | None:
    if schedule.late_minutes:
        return timedelta(minutes=schedule.late_minutes)
    return NONE_LATE if schedule.catch_up == "none" else None


def _waits(row: SlotRow, bound: timedelta | None, now: datetime) -> bool:
    """Whether a slot is still to be tried again."""
    return row.again_at is not None and row.status != "running" and (bound is None or now - row.slot <= bound)


def _paused_enough(row: SlotRow, now: datetime) -> bool:
    """Whether its pause is over; a pause that ends in a day was written by a clock that was ahead."""
    return row.again_at is None or row.again_at <= now or row.again_at > now + BELIEVED
