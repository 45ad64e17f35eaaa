"""Messages about alerts on their way to sinks: a bounded queue that survives the process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tidemill.warehouse.control.connection import Database, Tx, parse_time, reading, time_text

LONGEST_QUEUE = 500
"""Messages that may wait for one sink; what waited longest makes room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message for one sink. ``id`` stays the same at every try."""

    id: str
    alert: int | None
    sink: str
    happening: str
    message: Mapping[str, Any]
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkState:
    """How a sink does.

    Parameters
    ----------
    error
        Of the last try, where that failed; '' where it went well, or none was made.
    failing_since
        When the oldest message that waits after a failure was written.
    """

    sink: str
    sent: int
    waiting: int
    given_up: int
    error: str
    failing_since: datetime | None
    last_sent: datetime | None


def add_deliveries(
    tx: Tx, *, alert: int | None, happening: str, message: str, sinks: Mapping[str, str], now: datetime
) -> None:
    """Put a message into the queue of each sink, by name, under the ids given."""
    for sink, delivery_id in sinks.items():
        tx.execute(
            "INSERT INTO alert_deliveries (delivery_id, alert, sink, happening, message, status, attempts, not_before,"
            " created_at) VALUES (:id, :alert, :sink, :happening, :message, 'waiting', 0, :now, :now)",
            id=delivery_id,
            alert=alert,
            sink=sink,
            happening=happening,
            message=message,
            now=time_text(now),
        )
        tx.execute(
            "UPDATE alert_deliveries SET status = 'given up', error = :why WHERE delivery_id IN (SELECT delivery_id"
            " FROM alert_deliveries WHERE sink = :sink AND status = 'waiting' ORDER BY created_at DESC,"
            " delivery_id DESC LIMIT 1000000 OFFSET :longest)",
            why=f"more than {LONGEST_QUEUE} messages were waiting",
            sink=sink,
            longest=LONGEST_QUEUE,
        )


def claim(db: Database, sink: str, *, now: datetime, until: datetime) -> Delivery | None:
    """Take the oldest message of a sink, if it is due: messages arrive in their order, and one failure holds up all.

    Nobody else gets it before ``until``.
    """
    with db.write() as tx:
        row = tx.row(
            "SELECT * FROM alert_deliveries WHERE sink = :sink AND status = 'waiting'"
            " ORDER BY created_at, delivery_id LIMIT 1",
            sink=sink,
        )
        if row is None or row["not_before"] > time_text(now):
            return None
        tx.execute(
            "UPDATE alert_deliveries SET not_before = :until, attempts = attempts + 1 WHERE delivery_id = :id",
            until=time_text(until),
            id=row["delivery_id"],
        )
    return Delivery(
        id=row["delivery_id"],
        alert=row["alert"],
        sink=sink,
        happening=row["happening"],
        message=json.loads(row["message"]),
        attempts=row["attempts"] + 1,
        created_at=parse_time(row["created_at"]),
    )


def hurry(tx: Tx, sink: str, *, now: datetime) -> None:
    """Try what failed before again at once: a person has mended the sink, or believes so."""
    tx.execute(
        "UPDATE alert_deliveries SET not_before = :now WHERE sink = :sink AND status = 'waiting' AND error IS NOT NULL"
        " AND not_before > :now",
        sink=sink,
        now=time_text(now),
    )


def due_sinks(db: Database, *, now: datetime) -> list[str]:
    """Sinks that may have a message to send."""
    with db.read() as tx:
        rows = tx.rows(
            "SELECT DISTINCT sink FROM alert_deliveries WHERE status = 'waiting' AND not_before <= :now ORDER BY sink",
            now=time_text(now),
        )
    return [row["sink"] for row in rows]


def mark_sent(db: Database, delivery_id: str) -> None:
    """A message arrived."""
    with db.write() as tx:
        tx.execute(
            "UPDATE alert_deliveries SET status = 'sent', sent_at = :now, error = NULL WHERE delivery_id = :id",
            now=tx.now(),
            id=delivery_id,
        )


def mark_failed(db: Database, delivery_id: str, *, error: str, again: datetime | None) -> None:
    """A message did not arrive: it is tried again then, or never."""
    with db.write() as tx:
        tx.execute(
            "UPDATE alert_deliveries SET status = :status, error = :error, not_before = coalesce(:again, not_before)"
            " WHERE delivery_id = :id AND status = 'waiting'",
            status="given up" if again is None else "waiting",
            error=error,
            again=None if again is None else time_text(again),
            id=delivery_id,
        )


def sink_states(db: Database | Tx) -> list[SinkState]:
    """How each sink does that ever was sent something."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT sink, sum(CASE WHEN status = 'sent' THEN 1 ELSE 0 END) AS sent,"
            " sum(CASE WHEN status = 'waiting' THEN 1 ELSE 0 END) AS waiting,"
            " sum(CASE WHEN status = 'given up' THEN 1 ELSE 0 END) AS given_up, max(sent_at) AS last_sent,"
            " min(CASE WHEN status = 'waiting' AND error IS NOT NULL THEN created_at END) AS failing_since"
            " FROM alert_deliveries GROUP BY sink ORDER BY sink"
        )
        errors = {
            row["sink"]: row["error"]
            for row in tx.rows(
                "SELECT sink, error FROM alert_deliveries WHERE status <> 'sent' AND error IS NOT NULL"
                " ORDER BY created_at"
            )
        }
    return [
        SinkState(
            sink=row["sink"],
            sent=int(row["sent"]),
            waiting=int(row["waiting"]),
            given_up=int(row["given_up"]),
            error=errors.get(row["sink"], "") if row["failing_since"] or row["given_up"] else "",
            failing_since=None if row["failing_since"] is None else parse_time(row["failing_since"]),
            last_sent=None if row["last_sent"] is None else parse_time(row["last_sent"]),
        )
        for row in rows
    ]


def forget_deliveries(tx: Tx, *, older_than: timedelta, now: datetime, sinks: Iterable[str]) -> None:
    """Let old messages go that are done with, and give up those of sinks that the settings no longer name."""
    tx.execute(
        "DELETE FROM alert_deliveries WHERE status <> 'waiting' AND created_at < :before",
        before=time_text(now - older_than),
    )
    known = set(sinks)
    for row in tx.rows("SELECT DISTINCT sink FROM alert_deliveries WHERE status = 'waiting'"):
        if row["sink"] not in known:
            tx.execute(
                "UPDATE alert_deliveries SET status = 'given up', error = 'the settings have no such sink any more'"
                " WHERE sink = :sink AND status = 'waiting'",
                sink=row["sink"],
            )
