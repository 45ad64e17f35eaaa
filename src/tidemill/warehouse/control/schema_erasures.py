"""The tables of people who asked to be erased: what became of each request, and which versions had read their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

# columns: the names of the columns that told whose rows were meant, as JSON. status: open until it is proved, done, or
# taken back. removed: what was taken out of which table. waiting: what must still happen before it is proved.
_SQL = (
    """
    CREATE TABLE erasures (
        erasure_id TEXT PRIMARY KEY,
        number BIGINT NOT NULL UNIQUE,
        columns TEXT NOT NULL,
        who TEXT NOT NULL,
        why TEXT NOT NULL,
        status TEXT NOT NULL,
        removed TEXT NOT NULL,
        waiting TEXT NOT NULL,
        asked_at TEXT NOT NULL,
        due_at TEXT NOT NULL,
        removed_at TEXT,
        proved_at TEXT
    )
    """,
    """
    CREATE TABLE erased_versions (
        erasure_id TEXT NOT NULL REFERENCES erasures (erasure_id),
        model_key TEXT NOT NULL,
        version BIGINT NOT NULL,
        model TEXT NOT NULL,
        tables TEXT NOT NULL,
        PRIMARY KEY (erasure_id, model_key, version)
    )
    """,
)


def create_erasures(tx: Tx) -> None:
    """The migration that brings the tables."""
    for statement in _SQL:
        tx.execute(statement)
