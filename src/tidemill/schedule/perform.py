"""Carries out what is due: a slot is claimed under its schedule's lease, done, and its end written down.

A process that is killed leaves its slot running; whoever holds the lease next writes it down as lost. A process that
slept while its lease was taken over writes nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tidemill.core.errors import BusyError, NotFoundError, TidemillError
from tidemill.core.faults import fault
from tidemill.core.names import did_you_mean, name_key
from tidemill.core.schedules import ScheduleSettings
from tidemill.schedule.actions import PERFORM, Done
from tidemill.schedule.due import BELIEVED, Due, again_at, due
from tidemill.warehouse.control import leases
from tidemill.warehouse.control import schedules as records
from tidemill.warehouse.control.database import Database, Tx
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.schedules import LEASE, Seen, SlotRow

if TYPE_CHECKING:
    from tidemill.project import Project
    from tidemill.warehouse.control.leases import Lease

Say = Callable[[str, dict[str, Any]], None]
"""Told of what happens: a word, and the facts."""


def chosen(project: Project, names: Sequence[str]) -> list[ScheduleSettings]:
    """The schedules of these names, or all.

    Raises
    ------
    NotFoundError
        A name is none of them.
    """
    known = project.settings.schedules
    by_key = {one.key: one for one in known.values()}
    for name in names:
        if name_key(name) not in by_key:
            hint = did_you_mean(name, known) or "tidemill.toml has them as [schedules.NAME]"
            raise NotFoundError(f"there is no schedule {name}", hint=hint)
    return [by_key[name_key(name)] for name in names] if names else list(known.values())


def note(db: Database, schedules: Sequence[ScheduleSettings], now: datetime) -> None:
    """Write down which schedules there are, and when each comes next."""
    records.note_schedules(db, [_seen(one, now) for one in schedules])


def _seen(one: ScheduleSettings, now: datetime) -> Seen:
    return Seen(
        key=one.key,
        name=one.name,
        action=one.do,
        select=one.select,
        cron=one.cron.text,
        zone=one.zone,
        catch_up=one.catch_up,
        enabled=one.enabled,
        next_slot=one.next_after(now),
    )


def wanted(db: Database, schedule: ScheduleSettings, now: datetime) -> datetime | None:
    """The slot that there is something to do about now, if any. Only reads."""
    with db.read() as tx:
        if not schedule.enabled or leases.current(tx, LEASE + schedule.key) is not None:
            return None
        running = records.running_slots(tx, schedule.key)
        if running:
            return running[0].slot
        found = _due(tx, schedule, now)
    return None if found is None else found.slot


def perform_due(project: Project, names: Sequence[str] = (), *, say: Say) -> list[TidemillError]:
    """Do what is due, one after the other, what was due first first. What failed is handed back.

    Raises
    ------
    ConflictError
        This process slept for so long that another one took its slot over.
    """
    schedules = chosen(project, names)
    note(project.db, list(project.settings.schedules.values()), project.clock.now())
    now = project.clock.now()
    slots = [(slot, one) for one in schedules if (slot := wanted(project.db, one, now)) is not None]
    failures: list[TidemillError] = []
    for _, schedule in sorted(slots, key=lambda found: (found[0], found[1].key)):
        try:
            failures += _perform(project, schedule, say)
        except BusyError as error:
            if error.facts.get("lease") != LEASE + schedule.key:
                raise
            say("busy", {"schedule": schedule.name, "why": error.message})
    note(project.db, list(project.settings.schedules.values()), project.clock.now())
    return failures


def _perform(project: Project, schedule: ScheduleSettings, say: Say) -> list[TidemillError]:
    ttl_s = float(project.settings.lease_seconds)
    failures: list[TidemillError] = []
    with leases.held(project.db, LEASE + schedule.key, this_process(), ttl_s=ttl_s) as lease:
        fault("schedule.leased")
        while (row := _begin(project.db, schedule, lease, say)) is not None:
            fault("schedule.begun")
            with _Slot(project, schedule, row, lease, say) as slot:
                slot.done = PERFORM[schedule.do](project, schedule)
                fault("schedule.done")
            failures += [slot.error] if slot.error is not None else []
            fault("schedule.recorded")
    return failures


def _begin(db: Database, schedule: ScheduleSettings, lease: Lease, say: Say) -> SlotRow | None:
    """Claim what is due, in one commit: what was lost is called so, what is too late is missed."""
    told: list[tuple[str, dict[str, Any]]] = []
    with db.write() as tx:
        now = tx.clock.now()
        for lost in records.running_slots(tx, schedule.key):
            later = again_at(schedule, lost.attempt, now)
            records.mark_lost(tx, lost, again_at=later, lease=lease)
            told.append(("lost", {**_facts(lost), "again_at": later}))
        found = _due(tx, schedule, now)
        if found is not None and found.missed:
            _miss(tx, schedule, found, lease, told)
            found = None
        row = None if found is None else _claim(tx, schedule, found, lease)
    if row is not None:
        told.append(("begun", {**_facts(row), "do": schedule.do, "passed_over": row.passed_over}))
    for word, facts in told:
        say(word, facts)
    return row


def _due(tx: Tx, schedule: ScheduleSettings, now: datetime) -> Due | None:
    newest = records.newest_slot(tx, schedule.key, until=now + BELIEVED)
    since = records.since_when(tx).get(schedule.key, now)
    return due(schedule, since=since, newest=newest, now=now)


def _claim(tx: Tx, schedule: ScheduleSettings, found: Due, lease: Lease) -> SlotRow | None:
    if found.again is not None:
        return records.retry_slot(tx, schedule.key, found.slot, lease=lease)
    return records.claim_slot(
        tx,
        schedule.key,
        found.slot,
        name=schedule.name,
        action=schedule.do,
        passed_over=found.passed_over,
        lease=lease,
    )


def _miss(tx: Tx, schedule: ScheduleSettings, found: Due, lease: Lease, told: list[tuple[str, dict[str, Any]]]) -> None:
    said = "no scheduler ran in time"
    records.miss_slot(
        tx,
        schedule.key,
        found.slot,
        name=schedule.name,
        action=schedule.do,
        passed_over=found.passed_over,
        said=said,
        lease=lease,
    )
    facts = {"schedule": schedule.name, "slot": found.slot, "passed_over": found.passed_over, "why": said}
    told.append(("missed", facts))


@dataclass(slots=True)
class _Slot:
    """A slot while it is done: however the block ends, it is written down."""

    project: Project
    schedule: ScheduleSettings
    row: SlotRow
    lease: Lease
    say: Say
    done: Done | None = None
    error: TidemillError | None = None
    began: float = 0.0

    def __enter__(self) -> Self:
        self.began = self.project.clock.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """What the block raised is handed on, but for an error of ours: it is the outcome."""
        self.error = error if isinstance(error, TidemillError) else self.done.error if self.done else None
        now = self.project.clock.now()
        status = "failed" if self.error or error else "ok"
        later = None
        if self.error is not None and self.error.retryable:
            later = again_at(self.schedule, self.row.attempt, now)
        if isinstance(error, KeyboardInterrupt):
            status = "interrupted"
            # A stop is nobody's fault: the next scheduler takes it up at once.
            later = now if again_at(self.schedule, self.row.attempt, now) is not None else None
        said = self.done.said if self.done else self.error.message if self.error else "the scheduler was stopped"
        if error is not None and status == "failed" and self.error is None:
            said = f"{type(error).__name__}: {error}"
        records.finish_slot(
            self.project.db,
            self.row,
            status=status,
            said=said,
            run_id=self.done.run_id if self.done else None,
            error=self.error.as_json() if self.error else None,
            again_at=later,
            lease=self.lease,
        )
        seconds = self.project.clock.monotonic() - self.began
        self.say("ended", {**_facts(self.row), "status": status, "said": said, "seconds": seconds, "again_at": later})
        return isinstance(error, TidemillError)


def _facts(row: SlotRow) -> dict[str, Any]:
    return {"schedule": row.name, "slot": row.slot, "attempt": row.attempt}
