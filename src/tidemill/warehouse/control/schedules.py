"""Schedules as schedulers saw them, and their slots: each claimed once, by whoever holds the schedule's lease.

- ``note_schedules(db, seen)``: write down what the settings say; what left them is forgotten (its slots stay). A new or
  changed schedule begins now: what lies before is not made up for.
- ``since_when(db) -> dict``: from when on slots count, by schedule key.
- ``next_slots(db) -> dict``: when each comes next, as it was written down last.
- ``newest_slot(db, key, until)``: the newest slot at or before a moment.
- ``claim_slot(tx, ..., lease)``, ``retry_slot(tx, ..., lease)``, ``miss_slot(tx, ...)``: the row of a slot.
- ``mark_lost(tx, key, lease)``: a slot that runs under an older fence has lost its process.
- ``old_slots(db, before)``, ``delete_slots(db, before)``: for upkeep.
- ``finish_slot(db, ..., lease)``: how it ended; `ConflictError` when the lease was lost meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.core.errors import ConflictError
from tidemill.warehouse.control.database import Database, Row, Tx, parse_time, reading, time_text, to_json, writing
from tidemill.warehouse.control.leases import Lease, require

LEASE = "schedule "
"""The lease of a schedule is this and its key: one slot of it at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A schedule as the settings have it now; ``next_slot`` is when it comes next."""

    key: str
    name: str
    action: str
    select: tuple[str, ...]
    cron: str
    zone: str
    catch_up: str
    enabled: bool
    next_slot: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRow:
    """One slot, as it stands. ``passed_over``: how many slots right before it were not done."""

    key: str
    slot: datetime
    name: str
    action: str
    status: str
    attempt: int
    passed_over: int
    run_id: str | None
    said: str
    error: Mapping[str, Any] | None
    fence: int
    started_at: datetime | None
    finished_at: datetime | None
    again_at: datetime | None


def note_schedules(db: Database, seen: Sequence[Seen]) -> None:
    """Write down what the settings say; nothing is written when that is known."""
    with db.read() as tx:
        if not _news(tx, seen):
            return
    with db.write() as tx:
        known = {row["schedule_key"]: row for row in tx.rows("SELECT * FROM schedules")}
        for gone in known.keys() - {one.key for one in seen}:
            tx.execute("DELETE FROM schedules WHERE schedule_key = :key", key=gone)
        for one in seen:
            _note(tx, one, known.get(one.key))


def _news(tx: Tx, seen: Sequence[Seen]) -> bool:
    known = {row["schedule_key"]: row for row in tx.rows("SELECT * FROM schedules")}
    now = tx.now()
    return known.keys() != {one.key for one in seen} or any(
        {**_columns(one)} != {name: known[one.key][name] for name in _columns(one)} or known[one.key]["since"] > now
        for one in seen
    )


def _columns(one: Seen) -> dict[str, Any]:
    return {
        "name": one.name,
        "action": one.action,
        "selectors": to_json(list(one.select)),
        "cron": one.cron,
        "zone": one.zone,
        "catch_up": one.catch_up,
        "enabled": int(one.enabled),
        "next_slot": None if one.next_slot is None else time_text(one.next_slot),
    }


def _note(tx: Tx, one: Seen, known: Row | None) -> None:
    columns, now = _columns(one), tx.now()
    if known is None:
        tx.execute(
            "INSERT INTO schedules (schedule_key, name, action, selectors, cron, zone, catch_up, enabled, since,"
            " next_slot, updated_at) VALUES (:key, :name, :action, :selectors, :cron, :zone, :catch_up, :enabled, :now,"
            " :next_slot, :now)",
            key=one.key,
            now=now,
            **columns,
        )
        return
    # Other times, or on again: what lies before now was never asked for. A clock that was ahead is not believed.
    anew = any(known[name] != columns[name] for name in ("cron", "zone", "enabled")) or known["since"] > now
    tx.execute(
        "UPDATE schedules SET name = :name, action = :action, selectors = :selectors, cron = :cron, zone = :zone,"
        " catch_up = :catch_up, enabled = :enabled, since = :since, next_slot = :next_slot, updated_at = :now"
        " WHERE schedule_key = :key",
        key=one.key,
        since=now if anew else known["since"],
        now=now,
        **columns,
    )


def since_when(db: Database | Tx) -> dict[str, datetime]:
    """From when on the slots of each schedule count."""
    with reading(db) as tx:
        rows = tx.rows("SELECT schedule_key, since FROM schedules")
    return {row["schedule_key"]: parse_time(row["since"]) for row in rows}


def next_slots(db: Database | Tx) -> dict[str, datetime | None]:
    """When each schedule comes next, as a scheduler wrote it down: in the past when none has looked since."""
    with reading(db) as tx:
        rows = tx.rows("SELECT schedule_key, next_slot FROM schedules")
    return {row["schedule_key"]: None if row["next_slot"] is None else parse_time(row["next_slot"]) for row in rows}


def newest_slot(db: Database | Tx, key: str, *, until: datetime) -> SlotRow | None:
    """The newest slot of a schedule at or before a moment; a clock that was ahead may have left later ones."""
    with reading(db) as tx:
        row = tx.row(
            "SELECT * FROM slots WHERE schedule_key = :key AND slot <= :until ORDER BY slot DESC LIMIT 1",
            key=key,
            until=time_text(until),
        )
    return None if row is None else _slot(row)


def list_slots(db: Database | Tx, key: str, *, limit: int = 20) -> list[SlotRow]:
    """Slots of a schedule, the newest first."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT * FROM slots WHERE schedule_key = :key ORDER BY slot DESC LIMIT :limit", key=key, limit=limit
        )
    return [_slot(row) for row in rows]


_OLD = (
    "FROM slots WHERE status <> 'running' AND slot < :before"
    " AND slot < (SELECT max(s.slot) FROM slots s WHERE s.schedule_key = slots.schedule_key)"
)


def old_slots(db: Database | Tx, *, before: datetime) -> int:
    """How many slots lie before a moment; the newest of a schedule is none of them: what is due follows from it."""
    with reading(db) as tx:
        return int(tx.value(f"SELECT count(*) {_OLD}", before=time_text(before)))


def delete_slots(db: Database | Tx, *, before: datetime) -> int:
    """Delete them; how many."""
    with writing(db) as tx:
        return tx.execute(f"DELETE {_OLD}", before=time_text(before))


def claim_slot(
    tx: Tx, key: str, slot: datetime, *, name: str, action: str, passed_over: int, lease: Lease
) -> SlotRow | None:
    """Begin a slot; None when it was begun before, by whomever."""
    require(tx, lease)
    if _find(tx, key, slot) is not None:
        return None
    _insert(tx, key, slot, name=name, action=action, status="running", passed_over=passed_over, lease=lease)
    return _get(tx, key, slot)


def retry_slot(tx: Tx, key: str, slot: datetime, *, lease: Lease) -> SlotRow:
    """Begin a slot again."""
    require(tx, lease)
    tx.execute(
        "UPDATE slots SET status = 'running', attempt = attempt + 1, host = :host, pid = :pid, fence = :fence,"
        " started_at = :now, finished_at = NULL, again_at = NULL, error = NULL, said = ''"
        " WHERE schedule_key = :key AND slot = :slot",
        host=lease.holder.host,
        pid=lease.holder.pid,
        fence=lease.fence,
        now=tx.now(),
        key=key,
        slot=time_text(slot),
    )
    return _get(tx, key, slot)


def miss_slot(
    tx: Tx, key: str, slot: datetime, *, name: str, action: str, passed_over: int, said: str, lease: Lease
) -> None:
    """Write down that a slot was not begun, and never will be."""
    require(tx, lease)
    if _find(tx, key, slot) is None:
        _insert(tx, key, slot, name=name, action=action, status="missed", passed_over=passed_over, lease=lease)
        tx.execute(
            "UPDATE slots SET said = :said, attempt = 0, started_at = NULL WHERE schedule_key = :key AND slot = :slot",
            said=said,
            key=key,
            slot=time_text(slot),
        )


def running_slots(db: Database | Tx, key: str) -> list[SlotRow]:
    """Slots of a schedule that run, or whose process is gone."""
    with reading(db) as tx:
        rows = tx.rows("SELECT * FROM slots WHERE schedule_key = :key AND status = 'running'", key=key)
    return [_slot(row) for row in rows]


def mark_lost(tx: Tx, row: SlotRow, *, again_at: datetime | None, lease: Lease) -> None:
    """Write down that the process of a slot is gone: somebody else holds the lease now."""
    require(tx, lease)
    tx.execute(
        "UPDATE slots SET status = 'lost', said = :said, finished_at = :now, again_at = :again"
        " WHERE schedule_key = :key AND slot = :slot AND status = 'running'",
        said="its process was killed, or was silent for too long",
        now=tx.now(),
        again=None if again_at is None else time_text(again_at),
        key=row.key,
        slot=time_text(row.slot),
    )


def finish_slot(
    db: Database | Tx,
    row: SlotRow,
    *,
    status: str,
    said: str,
    run_id: str | None = None,
    error: Mapping[str, Any] | None = None,
    again_at: datetime | None = None,
    lease: Lease,
) -> None:
    """Write down how a slot ended.

    Raises
    ------
    ConflictError
        Another process took it over.
    """
    with writing(db) as tx:
        require(tx, lease)
        changed = tx.execute(
            "UPDATE slots SET status = :status, said = :said, run_id = :run_id, error = :error, finished_at = :now,"
            " again_at = :again WHERE schedule_key = :key AND slot = :slot AND status = 'running' AND fence = :fence",
            status=status,
            said=said,
            run_id=run_id,
            error=None if error is None else to_json(dict(error)),
            now=tx.now(),
            again=None if again_at is None else time_text(again_at),
            key=row.key,
            slot=time_text(row.slot),
            fence=lease.fence,
        )
    if not changed:
        raise ConflictError(f"the slot {time_text(row.slot)} of {row.name} is no longer this process's")


def _insert(
    tx: Tx, key: str, slot: datetime, *, name: str, action: str, status: str, passed_over: int, lease: Lease
) -> None:
    tx.execute(
        "INSERT INTO slots (schedule_key, slot, name, action, status, attempt, passed_over, said, host, pid, fence,"
        " started_at) VALUES (:key, :slot, :name, :action, :status, 1, :passed_over, '', :host, :pid, :fence, :now)",
        key=key,
        slot=time_text(slot),
        name=name,
        action=action,
        status=status,
        passed_over=passed_over,
        host=lease.holder.host,
        pid=lease.holder.pid,
        fence=lease.fence,
        now=tx.now(),
    )


def _find(tx: Tx, key: str, slot: datetime) -> Row | None:
    return tx.row("SELECT * FROM slots WHERE schedule_key = :key AND slot = :slot", key=key, slot=time_text(slot))


def _get(tx: Tx, key: str, slot: datetime) -> SlotRow:
    row = _find(tx, key, slot)
    assert row is not None  # noqa: S101 - written above, in this transaction
    return _slot(row)


def _slot(row: Row) -> SlotRow:
    def moment(name: str) -> datetime | None:
        return None if row[name] is None else parse_time(row[name])

    return SlotRow(
        key=row["schedule_key"],
        slot=parse_time(row["slot"]),
        name=row["name"],
        action=row["action"],
        status=row["status"],
        attempt=row["attempt"],
        passed_over=row["passed_over"],
        run_id=row["run_id"],
        said=row["said"],
        error=None if row["error"] is None else json.loads(row["error"]),
        fence=row["fence"],
        started_at=moment("started_at"),
        finished_at=moment("finished_at"),
        again_at=moment("again_at"),
    )
