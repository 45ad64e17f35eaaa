"""The table of rows that were not loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

_SQL = """
    CREATE TABLE rejects (
        run_id TEXT NOT NULL,
        step TEXT NOT NULL,
        number BIGINT NOT NULL,
        table_name TEXT NOT NULL,
        file TEXT NOT NULL,
        line BIGINT NOT NULL,
        column_name TEXT NOT NULL,
        reason TEXT NOT NULL,
        raw TEXT NOT NULL,
        created_at TEXT NOT NULL,
        PRIMARY KEY (run_id, step, number)
    )
"""


def create_rejects_table(tx: Tx) -> None:
    """The migration that brings the table."""
    tx.execute(_SQL)


def mark_newest_rejects(tx: Tx) -> None:
    """Mark the rows of each table's newest load: those of earlier loads stay beside them until they are old."""
    tx.execute("ALTER TABLE rejects ADD COLUMN newest BIGINT NOT NULL DEFAULT 0")
    tx.execute(
        "UPDATE rejects SET newest = 1 WHERE created_at ="
        " (SELECT MAX(other.created_at) FROM rejects AS other WHERE other.table_name = rejects.table_name)"
    )
    tx.execute("CREATE INDEX rejects_by_table ON rejects (newest, table_name)")
