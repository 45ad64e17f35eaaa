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
