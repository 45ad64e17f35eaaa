"""The table of what parts could not do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

# about: the deployment that could not be watched, or whose labels could not be read; '' for the process itself.
_SQL = """
    CREATE TABLE troubles (
        part TEXT NOT NULL,
        about TEXT NOT NULL,
        said TEXT NOT NULL,
        since TEXT NOT NULL,
        PRIMARY KEY (part, about)
    )
"""


def create_troubles(tx: Tx) -> None:
    """The migration that brings the table."""
    tx.execute(_SQL)
