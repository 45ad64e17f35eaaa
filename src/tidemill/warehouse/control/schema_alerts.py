"""Tables behind alerts: what was judged, the alerts, what happened to them, and the messages on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

_STATEMENTS = (
    # The judged figures of one family in one window: the past that the next windows are decided with.
    """
    CREATE TABLE alert_verdicts (
        deployment_key TEXT NOT NULL,
        family TEXT NOT NULL,
        window_start TEXT NOT NULL,
        window_end TEXT NOT NULL,
        verdicts TEXT NOT NULL,
        PRIMARY KEY (deployment_key, family, window_start)
    )
    """,
    # severity: page, diagnosis. state: open, resolved. useful: NULL, 0, 1.
    """
    CREATE TABLE alerts (
        alert BIGINT PRIMARY KEY,
        deployment_key TEXT NOT NULL,
        deployment TEXT NOT NULL,
        cause TEXT NOT NULL,
        severity TEXT NOT NULL,
        state TEXT NOT NULL,
        headline TEXT NOT NULL,
        since TEXT NOT NULL,
        opened_at TEXT NOT NULL,
        resolved_at TEXT,
        reopened BIGINT NOT NULL,
        version BIGINT,
        figures TEXT NOT NULL,
        evidence TEXT NOT NULL,
        explained TEXT NOT NULL,
        chart TEXT NOT NULL,
        next_step TEXT NOT NULL,
        acknowledged_by TEXT,
        acknowledged_at TEXT,
        acknowledged_why TEXT,
        muted_until TEXT,
        useful BIGINT,
        useful_why TEXT,
        updated_at TEXT NOT NULL
    )
    """,
    # Two alerts of one cause are never open beside each other.
    "CREATE UNIQUE INDEX one_open_alert ON alerts (deployment_key, severity, cause) WHERE state = 'open'",
    """
    CREATE TABLE alert_events (
        alert BIGINT NOT NULL REFERENCES alerts (alert),
        number BIGINT NOT NULL,
        at TEXT NOT NULL,
        window_end TEXT,
        happening TEXT NOT NULL,
        who TEXT NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (alert, number)
    )
    """,
    # status: waiting, sent, given up. not_before: when it is tried next, or, while it is being sent, when a sender that
    # died in the middle loses its claim.
    """
    CREATE TABLE alert_deliveries (
        delivery_id TEXT PRIMARY KEY,
        alert BIGINT REFERENCES alerts (alert),
        sink TEXT NOT NULL,
        happening TEXT NOT NULL,
        message TEXT NOT NULL,
        status TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        not_before TEXT NOT NULL,
        error TEXT,
        created_at TEXT NOT NULL,
        sent_at TEXT
    )
    """,
    "CREATE INDEX waiting_deliveries ON alert_deliveries (sink, not_before) WHERE status = 'waiting'",
)


def create_alert_tables(tx: Tx) -> None:
    """The migration that brings the tables."""
    for statement in _STATEMENTS:
        tx.execute(statement)


def add_contacts(tx: Tx) -> None:
    """The migration that brings who looks after a deployment, and the page that says what to do."""
    for name in ("owner", "runbook"):
        tx.execute(f"ALTER TABLE alerts ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")


def add_muted_figures(tx: Tx) -> None:
    """The migration that brings what a mute is about: the figures of the alert at that moment."""
    tx.execute("ALTER TABLE alerts ADD COLUMN muted_figures TEXT NOT NULL DEFAULT '[]'")
    tx.execute("UPDATE alerts SET muted_figures = figures WHERE muted_until IS NOT NULL")


def add_told(tx: Tx) -> None:
    """The migration that brings the worst that was told of each figure of an alert."""
    tx.execute("ALTER TABLE alerts ADD COLUMN told TEXT NOT NULL DEFAULT '[]'")
