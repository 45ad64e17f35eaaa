"""Which parts of Tidemill are up: a row for each process, renewed while it lives.

- ``beating(db, part, about="")``: context manager; writes the row, renews it from a thread, removes it at the end.
- ``list_parts(db) -> list[PartRow]``. A row that is old, or whose process is gone, is of a process that was killed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from tidemill.core.errors import TidemillError
from tidemill.warehouse.control.database import Database, Tx, parse_time, reading, time_text
from tidemill.warehouse.control.holders import Holder, is_gone, this_process
from tidemill.warehouse.control.troubles import save_end

BEAT_S = 10.0
SILENT_S = 3 * BEAT_S
"""Who is silent for longer is not up."""
STEADY_BEATS = 12
"""A part that lived so long does its work again: how the process before it ended is no trouble any more."""
FORGET = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    """A process, as it stands. ``about`` says what is particular: the address of a server."""

    part: str
    holder: Holder
    about: str
    started_at: datetime
    beat_at: datetime

    def state(self, now: datetime) -> str:
        """``up``, ``silent`` (stopped, or its machine is away) or ``gone`` (killed)."""
        if is_gone(self.holder):
            return "gone"
        return "up" if abs((now - self.beat_at).total_seconds()) <= SILENT_S else "silent"


@contextmanager
def beating(db: Database, part: str, *, about: str = "") -> Iterator[None]:
    """Be seen as up for the length of a block. Trouble with the database does not end the block.

    An error that ends the block is written down among the troubles: a part that dies and is started again and again
    is otherwise seen as up, or not at all.
    """
    me, done = this_process(), threading.Event()
    with suppress(TidemillError):
        _begin(db, part, me, about)

    def keep() -> None:
        for beats in count(1):
            if done.wait(BEAT_S):
                return
            with suppress(TidemillError):
                _beat(db, part, me, about)
                if beats == STEADY_BEATS:
                    save_end(db, part, "")

    keeper = threading.Thread(target=keep, name=f"beat-{part}", daemon=True)
    keeper.start()
    ended = ""
    try:
        yield
    except BrokenPipeError:  # whoever listened, `tidemill up` or a pager, is gone: the part itself is well
        raise
    except Exception as error:
        said = error.message if isinstance(error, TidemillError) else f"{type(error).__name__}: {error}"
        ended = f"it ended by an error: {said}"
        raise
    finally:
        done.set()
        keeper.join()
        with suppress(TidemillError), db.write() as tx:
            _delete(tx, part, me)
        with suppress(TidemillError):
            save_end(db, part, ended)


def list_parts(db: Database | Tx) -> list[PartRow]:
    """Every part that there is a row of."""
    with reading(db) as tx:
        rows = tx.rows("SELECT * FROM parts ORDER BY part, host, pid")
    return [
        PartRow(
            part=row["part"],
            holder=Holder(host=row["host"], pid=row["pid"], start=row["process_start"]),
            about=row["about"],
            started_at=parse_time(row["started_at"]),
            beat_at=parse_time(row["beat_at"]),
        )
        for row in rows
    ]


def _begin(db: Database, part: str, me: Holder, about: str) -> None:
    with db.write() as tx:
        old = tx.clock.now() - FORGET
        for row in list_parts(tx):
            if row.part == part and (is_gone(row.holder) or row.beat_at < old or _same(row.holder, me)):
                _delete(tx, part, row.holder)
        _insert(tx, part, me, about)


def _beat(db: Database, part: str, me: Holder, about: str) -> None:
    with db.write() as tx:
        changed = tx.execute(
            "UPDATE parts SET beat_at = :now WHERE part = :part AND host = :host AND pid = :pid",
            now=tx.now(),
            part=part,
            host=me.host,
            pid=me.pid,
        )
        if not changed:  # the database was away when it began
            _insert(tx, part, me, about)


def _insert(tx: Tx, part: str, me: Holder, about: str) -> None:
    tx.execute(
        "INSERT INTO parts (part, host, pid, process_start, about, started_at, beat_at)"
        " VALUES (:part, :host, :pid, :start, :about, :now, :now)",
        part=part,
        host=me.host,
        pid=me.pid,
        start=me.start,
        about=about,
        now=time_text(tx.clock.now()),
    )


def _delete(tx: Tx, part: str, holder: Holder) -> None:
    tx.execute(
        "DELETE FROM parts WHERE part = :part AND host = :host AND pid = :pid",
        part=part,
        host=holder.host,
        pid=holder.pid,
    )


def _same(one: Holder, other: Holder) -> bool:
    return one.host == other.host and one.pid == other.pid
