"""Leases with a fencing token: one run at a time, and a run that lost its lease cannot write.

- ``acquire(db, name, holder, *, run_id="", ttl_s=30.0, wait_s=0.0) -> Lease``: `BusyError` while somebody else holds
  it. ``holder`` is `holders.this_process()`. A lease whose time is over, or whose process on this machine is gone, is
  taken over: its run and the run's open steps become ``lost``.
- ``renew(db, lease)``: hold it for another ``ttl_s``; `ConflictError` when it was lost.
- ``require(db_or_tx, lease)``: `ConflictError` when a newer fence exists. In a `Tx` the answer stays true until its
  commit; outside one the lease is renewed too, which makes it the guard of a commit elsewhere (the lake's).
- ``release(db, lease)``: let go; does nothing when the lease was lost.
- ``held(db, name, holder, *, run_id="", ttl_s=30.0, wait_s=0.0)``: context manager; acquires, renews from a thread, and
  releases at the end. ``current(db, name) -> LeaseRow | None`` says who holds it.

A fence only ever grows: the row of a released lease stays. Safety rests on the fence alone, never on clocks; expiry
only decides how soon somebody may take over.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidemill.core.errors import BusyError, ConflictError, TidemillError
from tidemill.warehouse.control.database import Database, Row, Tx, parse_time, reading, time_text, writing
from tidemill.warehouse.control.holders import Holder, is_gone, is_here

_POLL_S = 0.1
_AHEAD = timedelta(minutes=10)
"""A lease that ends later than its length and this from now was taken by a clock that was ahead: it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease we hold, or held: ``fence`` tells."""

    name: str
    fence: int
    holder: Holder
    run_id: str
    ttl_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """What the database says about a lease that is held now."""

    name: str
    fence: int
    holder: Holder
    run_id: str
    acquired_at: datetime
    expires_at: datetime


def acquire(
    db: Database, name: str, holder: Holder, *, run_id: str = "", ttl_s: float = 30.0, wait_s: float = 0.0
) -> Lease:
    """Take a lease, waiting up to ``wait_s`` for whoever holds it.

    Raises
    ------
    BusyError
        Somebody else holds it; the message says who, since when and for which run.
    """
    deadline = db.clock.monotonic() + wait_s
    while True:
        with db.write() as tx:
            row = _row(tx, name)
            if row is None or _free(row, tx.clock.now()):
                return _take(tx, name, holder, row=row, run_id=run_id, ttl_s=ttl_s)
        if db.clock.monotonic() >= deadline:
            raise _busy(row, db.clock.now())
        time.sleep(_POLL_S)


def renew(db: Database | Tx, lease: Lease) -> None:
    """Hold the lease for another ``ttl_s``.

    Raises
    ------
    ConflictError
        Somebody took it over.
    """
    with writing(db) as tx:
        _check(tx, lease)
        tx.execute(
            "UPDATE leases SET expires_at = :expires WHERE name = :name",
            expires=time_text(tx.clock.now() + timedelta(seconds=lease.ttl_s)),
            name=lease.name,
        )


def require(db: Database | Tx, lease: Lease) -> None:
    """Refuse to go on when the lease is no longer ours (see the module's text).

    Raises
    ------
    ConflictError
        Somebody took it over.
    """
    if isinstance(db, Tx):
        _check(db, lease)
    else:
        renew(db, lease)


def release(db: Database | Tx, lease: Lease) -> None:
    """Let the lease go. Its fence stays known, so that the next holder's is greater."""
    with writing(db) as tx:
        tx.execute(
            "UPDATE leases SET released = 1 WHERE name = :name AND fence = :fence", name=lease.name, fence=lease.fence
        )


def current(db: Database | Tx, name: str) -> LeaseRow | None:
    """Who holds a lease now; None when nobody does."""
    with reading(db) as tx:
        row = _row(tx, name)
        if row is None or _free(row, tx.clock.now()):
            return None
    return LeaseRow(
        name=name,
        fence=row["fence"],
        holder=_holder(row),
        run_id=row["run_id"],
        acquired_at=parse_time(row["acquired_at"]),
        expires_at=parse_time(row["expires_at"]),
    )


@contextmanager
def held(
    db: Database, name: str, holder: Holder, *, run_id: str = "", ttl_s: float = 30.0, wait_s: float = 0.0
) -> Iterator[Lease]:
    """Hold a lease for the length of a block; a thread renews it three times per ``ttl_s``.

    When a renewal finds that the lease was taken over, the thread stops: the next `require` says so.
    """
    lease = acquire(db, name, holder, run_id=run_id, ttl_s=ttl_s, wait_s=wait_s)
    done = threading.Event()

    def keep() -> None:
        while not done.wait(ttl_s / 3):
            try:
                renew(db, lease)
            except ConflictError:
                return
            except TidemillError:
                continue  # busy or away for a moment: the next turn tries again, and `require` guards each write

    keeper = threading.Thread(target=keep, name=f"lease-{name}", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        done.set()
        keeper.join()
        # What the block raised matters more; a lease that is not released runs out by itself.
        with suppress(TidemillError):
            release(db, lease)


def _row(tx: Tx, name: str) -> Row | None:
    return tx.row("SELECT * FROM leases WHERE name = :name", name=name)


def _holder(row: Row) -> Holder:
    return Holder(host=row["host"], pid=row["pid"], start=row["process_start"])


def _free(row: Row, now: datetime) -> bool:
    if row["released"] or is_gone(_holder(row)):
        return True
    # Who is alive renews a lease three times in its length: an end far ahead is that of a holder elsewhere who is gone.
    left = parse_time(row["expires_at"]) - now
    return left <= timedelta(0) or left > timedelta(seconds=row["ttl_s"]) + _AHEAD


def _take(tx: Tx, name: str, holder: Holder, *, row: Row | None, run_id: str, ttl_s: float) -> Lease:
    if row is None:
        fence = 1
        tx.execute(
            "INSERT INTO leases (name, fence, host, pid, process_start, run_id, ttl_s, acquired_at, expires_at,"
            " released) VALUES (:name, 0, '', 0, '', '', 0, '', '', 1)",
            name=name,
        )
    else:
        fence = row["fence"] + 1
        if not row["released"]:
            _mark_lost(tx, row["run_id"])
    now = tx.clock.now()
    tx.execute(
        "UPDATE leases SET fence = :fence, host = :host, pid = :pid, process_start = :start, run_id = :run_id,"
        " ttl_s = :ttl_s, acquired_at = :now, expires_at = :expires, released = 0 WHERE name = :name",
        fence=fence,
        host=holder.host,
        pid=holder.pid,
        start=holder.start,
        run_id=run_id,
        ttl_s=ttl_s,
        now=time_text(now),
        expires=time_text(now + timedelta(seconds=ttl_s)),
        name=name,
    )
    return Lease(name=name, fence=fence, holder=holder, run_id=run_id, ttl_s=ttl_s)


def _mark_lost(tx: Tx, run_id: str) -> None:
    now = tx.now()
    tx.execute(
        "UPDATE steps SET status = 'lost', finished_at = :now WHERE run_id = :run_id AND status = 'running'",
        now=now,
        run_id=run_id,
    )
    tx.execute(
        "UPDATE runs SET status = 'lost', finished_at = :now WHERE run_id = :run_id AND status = 'running'",
        now=now,
        run_id=run_id,
    )


def _check(tx: Tx, lease: Lease) -> None:
    row = _row(tx, lease.name)
    if row is not None and row["fence"] == lease.fence and not row["released"]:
        return
    if row is not None and row["fence"] == lease.fence:
        raise ConflictError(f"the lease {lease.name!r} was let go already", lease=lease.name, fence=lease.fence)
    newer = "nobody's any more" if row is None else f"held by {_holder(row)} with fence {row['fence']}"
    raise ConflictError(
        f"this process lost the lease {lease.name!r}: it is {newer}, ours was {lease.fence}",
        hint="nothing of this run was written after that; run again when the other run has ended",
        lease=lease.name,
        fence=lease.fence,
        newer=0 if row is None else row["fence"],
    )


def _busy(row: Row, now: datetime) -> BusyError:
    since = parse_time(row["acquired_at"]).strftime("%Y-%m-%d %H:%M:%S UTC")
    what = f"run {row['run_id']}" if row["run_id"] else f"the lease {row['name']!r}"
    return BusyError(
        f"{what} is held by {_holder(row)} since {since}",
        hint=f"try again when it has ended (tidemill run has --wait), or end that process{_if_gone(row, now)}",
        lease=row["name"],
        run_id=row["run_id"],
        pid=row["pid"],
        host=row["host"].partition("/")[0],
        since=row["acquired_at"],
    )


def _if_gone(row: Row, now: datetime) -> str:
    """When the lease of a process elsewhere is free if that was killed: from here nobody can see whether it was."""
    if is_here(_holder(row)):
        return ""
    left = math.ceil((parse_time(row["expires_at"]) - now).total_seconds())
    return f"; if that was killed, this is free in {max(left, 1)} s"
