"""The prediction log's tables as people see them; their rows rest in the lake and in the spool, not here."""

from __future__ import annotations

from tidemill.warehouse.control.system.table import SystemTable

PREDICTIONS = SystemTable(
    about="Each answer a server gave, a row each, as soon as it was given. They rest in the lake; the newest are"
    " read from the servers' segments.",
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
)

RECEIVED_LABELS = SystemTable(
    about="Every label as it was received; nothing is taken away and nothing written over. `batch` is the number of"
    " the collector's commit that brought it into the lake, NULL while it waits in the spool.",
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

LABEL_REVISIONS = SystemTable(
    about="The labels that said something new of their prediction, or of their key and time, numbered.",
    columns={**_LABEL, "source": "text"},
)
LABELS = SystemTable(
    about="The label that counts for each prediction, or key and time: the last of its revisions.",
    columns={**_LABEL, "first_arrived_at": "time", "source": "text"},
)
PARKED_LABELS = SystemTable(
    about="The labels that count for no answer yet, and why. They are matched when their answer comes.",
    columns={**LABELS.columns, "reason": "text"},
)

OUTCOMES = SystemTable(
    about="One row for each answer that a version gave (the fallback's are none), with the label that counts for"
    " it; NULL where none has arrived. Metrics are computed from this.",
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
)

LABEL_DELAYS = SystemTable(
    about="How long labels take, by deployment: the share of answers that have their first label by an age in"
    " seconds, and the same by what arrived in the last 30 days. `completeness` is the lower of both, as a"
    " share of the labels to come.",
    columns={
        "deployment": "text",
        "age_s": "float",
        "arrived": "int",
        "at_risk": "float",
        "share": "float",
        "recent_share": "float",
        "completeness": "float",
    },
)

LABEL_MATURITY = SystemTable(
    about="For each deployment the share of answers that get a label in the end (`coverage`; 1 until it is"
    " `settled`), and the ages in seconds after which 50, 90, 95 and 99 % of the labels to come have arrived.",
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
"""Shown in the reference beside `system.read.TABLES`; `serving.log.tables` makes them queryable."""
