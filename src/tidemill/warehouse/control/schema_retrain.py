"""The table of requests for a new version of a deployment's model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

_STATEMENTS = (
    # status: waiting, running, done, unchanged, refused, failed. asks: who asked, when and on what evidence (JSON).
    """
    CREATE TABLE retrain_requests (
        request BIGINT PRIMARY KEY,
        deployment_key TEXT NOT NULL,
        deployment TEXT NOT NULL,
        model TEXT NOT NULL,
        status TEXT NOT NULL,
        said TEXT NOT NULL,
        asked BIGINT NOT NULL,
        asks TEXT NOT NULL,
        asked_at TEXT NOT NULL,
        not_before TEXT,
        attempt BIGINT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        run_id TEXT,
        champion BIGINT,
        version BIGINT,
        error TEXT
    )
    """,
    # However often a new version is asked for, it is trained once.
    "CREATE UNIQUE INDEX one_open_request ON retrain_requests (deployment_key) WHERE status IN ('waiting', 'running')",
)


def create_retrain_table(tx: Tx) -> None:
    """Make the table."""
    for statement in _STATEMENTS:
        tx.execute(statement)
