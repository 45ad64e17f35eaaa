"""The table of deliveries of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

# source_key: the deployment, the input and the columns. content_key: also the rows, where it is known that the same
# key means the same rows; '' where nothing tells. watermark: the newest time at which the source knew something.
_SQL = """
    CREATE TABLE label_deliveries (
        delivery_id TEXT PRIMARY KEY,
        deployment_key TEXT NOT NULL,
        deployment TEXT NOT NULL,
        source TEXT NOT NULL,
        source_key TEXT NOT NULL,
        content_key TEXT NOT NULL,
        watermark TEXT NOT NULL,
        row_count BIGINT NOT NULL,
        taken BIGINT NOT NULL,
        known BIGINT NOT NULL,
        refused BIGINT NOT NULL,
        who TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT NOT NULL
    )
"""


def create_label_deliveries(tx: Tx) -> None:
    """The migration that brings the table."""
    tx.execute(_SQL)
    tx.execute("CREATE INDEX label_deliveries_source ON label_deliveries (source_key)")
