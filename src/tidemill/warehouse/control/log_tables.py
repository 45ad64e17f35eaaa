"""The prediction log's two tables as people see them; their rows rest in the lake and in the spool, not here."""

from __future__ import annotations

from tidemill.warehouse.control.system import SystemTable

PREDICTIONS = SystemTable(
    columns={
        "id": "text",
        "at": "time",
        "model": "text",
        "version": "int",
        "digest": "text",
        "deployment": "text",
        "route": "text",
        "share": "float",
        "key": "text",
        "inputs": "json",
        "prediction": "text",
        "score": "float",
        "probabilities": "json",
        "latency_ms": "float",
        "trace": "text",
        "principal": "text",
    },
    sql="",
)

LABELS = SystemTable(
    columns={
        "prediction_id": "text",
        "key": "text",
        "deployment": "text",
        "model": "text",
        "at": "time",
        "label": "text",
        "revision": "int",
        "arrived_at": "time",
        "source": "text",
    },
    sql="",
)

LOG_TABLES: dict[str, SystemTable] = {"predictions": PREDICTIONS, "labels": LABELS}
"""Shown in the reference beside `system.TABLES`; `serving.log.tables` makes them queryable."""
