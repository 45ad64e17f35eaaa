"""The prediction log's tables as people see them; their rows rest in the lake and in the spool, not here."""

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
        "batch": "int",
    },
    sql="",
)

RECEIVED_LABELS = SystemTable(
    columns={
        "prediction_id": "text",
        "key": "text",
        "deployment": "text",
        "model": "text",
        "at": "time",
        "label": "text",
        "known_at": "time",
        "arrived_at": "time",
        "source": "text",
        "principal": "text",
        "request": "text",
        "number": "int",
        "batch": "int",
    },
    sql="",
)

_LABEL = {
    "prediction_id": "text",
    "key": "text",
    "deployment": "text",
    "model": "text",
    "at": "time",
    "label": "text",
    "revision": "int",
    "known_at": "time",
    "arrived_at": "time",
}

LABEL_REVISIONS = SystemTable(columns={**_LABEL, "source": "text"}, sql="")
LABELS = SystemTable(columns={**_LABEL, "first_arrived_at": "time", "source": "text"}, sql="")
PARKED_LABELS = SystemTable(columns={**LABELS.columns, "reason": "text"}, sql="")

OUTCOMES = SystemTable(
    columns={
        "id": "text",
        "deployment": "text",
        "model": "text",
        "version": "int",
        "route": "text",
        "key": "text",
        "at": "time",
        "inputs": "json",
        "prediction": "text",
        "score": "float",
        "probabilities": "json",
        "label": "text",
        "label_at": "time",
        "arrived_at": "time",
        "revision": "int",
        "first_arrived_at": "time",
        "label_source": "text",
    },
    sql="",
)

LABEL_DELAYS = SystemTable(
    columns={
        "deployment": "text",
        "age_s": "float",
        "arrived": "int",
        "at_risk": "float",
        "share": "float",
        "recent_share": "float",
        "completeness": "float",
    },
    sql="",
)

LABEL_MATURITY = SystemTable(
    columns={
        "deployment": "text",
        "coverage": "float",
        "settled": "bool",
        "oldest_s": "float",
        "labelled": "int",
        "after_50_s": "float",
        "after_90_s": "float",
        "after_95_s": "float",
        "after_99_s": "float",
    },
    sql="",
)

LOG_TABLES: dict[str, SystemTable] = {
    "predictions": PREDICTIONS,
    "received_labels": RECEIVED_LABELS,
    "label_revisions": LABEL_REVISIONS,
    "labels": LABELS,
    "outcomes": OUTCOMES,
    "parked_labels": PARKED_LABELS,
    "label_delays": LABEL_DELAYS,
    "label_maturity": LABEL_MATURITY,
}
"""Shown in the reference beside `system.TABLES`; `serving.log.tables` makes them queryable."""
