"""The tables of schedules and of their slots, and of the parts of Tidemill that are up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

_SQL = (
    # definition: what decides the slots; when it changes, slots before `since` are not made up for.
    """
    CREATE TABLE schedules (
        schedule_key TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        action TEXT NOT NULL,
        selectors TEXT NOT NULL,
        cron TEXT NOT NULL,
        zone TEXT NOT NULL,
        catch_up TEXT NOT NULL,
        enabled BIGINT NOT NULL,
        since TEXT NOT NULL,
        next_slot TEXT,
        updated_at TEXT NOT NULL
    )
    """,
    # "At most once per slot" is the database's promise. A retry is another attempt of the same row.
    # status: running, ok, failed, interrupted, lost, missed. again_at: when it may be tried again; NULL for never.
    """
    CREATE TABLE slots (
        schedule_key TEXT NOT NULL,
        slot TEXT NOT NULL,
        name TEXT NOT NULL,
        action TEXT NOT NULL,
        status TEXT NOT NULL,
        attempt BIGINT NOT NULL,
        passed_over BIGINT NOT NULL,
        run_id TEXT,
        said TEXT NOT NULL,
        error TEXT,
        host TEXT NOT NULL,
        pid BIGINT NOT NULL,
        fence BIGINT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        again_at TEXT,
        UNIQUE (schedule_key, slot)
    )
    """,
    # Asked for at each look of each scheduler.
    "CREATE INDEX running_slots ON slots (schedule_key) WHERE status = 'running'",
    """
    CREATE TABLE parts (
        part TEXT NOT NULL,
        host TEXT NOT NULL,
        pid BIGINT NOT NULL,
        process_start TEXT NOT NULL,
        about TEXT NOT NULL,
        started_at TEXT NOT NULL,
        beat_at TEXT NOT NULL,
        PRIMARY KEY (part, host, pid)
    )
    """,
)


def create_schedule_tables(tx: Tx) -> None:
    """The migration that brings the tables."""
    for statement in _SQL:
        tx.execute(statement)
