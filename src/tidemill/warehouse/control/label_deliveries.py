"""Deliveries of labels, as rows: what was read from where, so that the same is not taken in twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidemill.core.names import name_key
from tidemill.warehouse.control.database import Database, Tx, reading, time_text, writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One reading of a source of labels.

    Parameters
    ----------
    source_key
        The deployment, the input and the columns.
    content_key
        Also the rows: the same key, the same rows. '' where nothing tells.
    watermark
        ISO text of the newest time at which the source knew something; '' where it does not say.
    taken, known, refused
        Of the rows: new or revised labels, those that said nothing new, and those that are none.
    """

    delivery_id: str
    deployment: str
    source: str
    source_key: str
    content_key: str = ""
    watermark: str = ""
    rows: int = 0
    taken: int = 0
    known: int = 0
    refused: int = 0
    who: str = ""
    started_at: datetime


def save_delivery(db: Database | Tx, delivery: Delivery) -> None:
    """Write a delivery down. One that brought nothing stands in the place of the last that brought nothing."""
    with writing(db) as tx:
        tx.execute(
            "DELETE FROM label_deliveries WHERE source_key = :key AND taken = 0 AND refused = 0",
            key=delivery.source_key,
        )
        tx.execute(
            "INSERT INTO label_deliveries (delivery_id, deployment_key, deployment, source, source_key, content_key,"
            " watermark, row_count, taken, known, refused, who, started_at, finished_at) VALUES (:id, :key,"
            " :deployment, :source, :source_key, :content_key, :watermark, :rows, :taken, :known, :refused, :who,"
            " :started, :now)",
            id=delivery.delivery_id,
            key=name_key(delivery.deployment),
            deployment=delivery.deployment,
            source=delivery.source,
            source_key=delivery.source_key,
            content_key=delivery.content_key,
            watermark=delivery.watermark,
            rows=delivery.rows,
            taken=delivery.taken,
            known=delivery.known,
            refused=delivery.refused,
            who=delivery.who,
            started=time_text(delivery.started_at),
            now=tx.now(),
        )


def was_delivered(db: Database | Tx, content_key: str) -> bool:
    """Whether the same rows were delivered before."""
    with reading(db) as tx:
        found = tx.rows("SELECT 1 AS x FROM label_deliveries WHERE content_key = :key LIMIT 1", key=content_key)
    return bool(found)


def watermark_of(db: Database | Tx, source_key: str) -> str:
    """How far a source was read: ISO text; '' where it never was, or does not say."""
    with reading(db) as tx:
        rows = tx.rows("SELECT max(watermark) AS far FROM label_deliveries WHERE source_key = :key", key=source_key)
    return rows[0]["far"] or "" if rows else ""
