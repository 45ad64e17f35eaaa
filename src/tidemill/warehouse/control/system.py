"""The control database as tables: ``tidemill.runs``, ``tidemill.steps`` and so on, read when a query asks for them.

``system_tables(db) -> dict[str, Callable[[], pa.Table]]`` is what ``Warehouse.session(system=...)`` takes. Times are
timestamps in UTC without a zone; structures are JSON text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.warehouse.control.database import Database, parse_time

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemTable:
    """A table people can query: its columns (name and type: text, int, float, bool, time, json), and its rows."""

    columns: dict[str, str]
    sql: str


_MODEL = "JOIN models ON models.model_key = {0}.model_key"
_DEPLOYMENT = "JOIN deployments ON deployments.deployment_key = v.deployment_key"
_REJECTS = {
    "run_id": "text",
    "step": "text",
    "number": "int",
    "table": "text",
    "file": "text",
    "line": "int",
    "column": "text",
    "reason": "text",
    "raw": "text",
    "created_at": "time",
}
_REJECTED = (
    'SELECT rejects.*, table_name AS "table", column_name AS "column" FROM rejects {0}'
    " ORDER BY created_at, run_id, step, number"
)

TABLES: dict[str, SystemTable] = {
    "runs": SystemTable(
        columns={
            "run_id": "text",
            "number": "int",
            "status": "text",
            "started_at": "time",
            "finished_at": "time",
            "full_refresh": "bool",
            "selectors": "json",
            "host": "text",
            "pid": "int",
            "code_version": "text",
            "error": "json",
        },
        sql="SELECT * FROM runs ORDER BY number",
    ),
    "steps": SystemTable(
        columns={
            "run_id": "text",
            "step": "text",
            "number": "int",
            "asset": "text",
            "kind": "text",
            "action": "text",
            "reason": "text",
            "status": "text",
            "started_at": "time",
            "finished_at": "time",
            "seconds": "float",
            "rows": "int",
            "version": "int",
            "fingerprint": "text",
            "warnings": "json",
            "error": "json",
        },
        sql="SELECT steps.*, steps.row_count AS rows FROM steps JOIN runs ON runs.run_id = steps.run_id"
        " ORDER BY runs.number, steps.number",
    ),
    "assets": SystemTable(
        columns={
            "name": "text",
            "kind": "text",
            "version": "int",
            "fingerprint": "text",
            "origin": "text",
            "file": "text",
            "line": "int",
            "dialect": "text",
            "run_id": "text",
            "updated_at": "time",
            "reads": "json",
            "parts": "json",
            "statement": "text",
        },
        sql="SELECT * FROM assets ORDER BY asset_key",
    ),
    "tables": SystemTable(
        columns={
            "name": "text",
            "version": "int",
            "created_at": "time",
            "rows": "int",
            "bytes": "int",
            "run_id": "text",
            "step": "text",
            "fingerprint": "text",
            "message": "text",
        },
        sql="SELECT table_versions.*, row_count AS rows FROM table_versions ORDER BY table_key, version",
    ),
    "models": SystemTable(
        columns={
            "name": "text",
            "version": "int",
            "model_type": "text",
            "created_at": "time",
            "updated_at": "time",
            "evaluated_on": "text",
            "rows_train": "int",
            "rows_eval": "int",
            "digest": "text",
            "run_id": "text",
        },
        sql="SELECT models.name, models.current_version AS version, v.model_type, models.created_at, models.updated_at,"
        " v.evaluated_on, v.rows_train, v.rows_eval, v.digest, v.run_id FROM models JOIN model_versions v"
        " ON v.model_key = models.model_key AND v.version = models.current_version"
        " WHERE models.dropped_at IS NULL ORDER BY models.model_key",
    ),
    "model_versions": SystemTable(
        columns={
            "name": "text",
            "version": "int",
            "model_type": "text",
            "created_at": "time",
            "dropped_at": "time",
            "evaluated_on": "text",
            "rows_train": "int",
            "rows_eval": "int",
            "seconds": "float",
            "bytes": "int",
            "digest": "text",
            "fingerprint": "text",
            "run_id": "text",
            "step": "text",
            "options": "json",
            "lineage": "json",
            "warnings": "json",
            "files": "json",
        },
        sql="SELECT * FROM model_versions ORDER BY model_key, version",
    ),
    "aliases": SystemTable(
        columns={"model": "text", "alias": "text", "version": "int", "set_by": "text", "updated_at": "time"},
        sql=f"SELECT models.name AS model, model_aliases.* FROM model_aliases {_MODEL.format('model_aliases')}"
        " ORDER BY model_aliases.model_key, alias",
    ),
    "metrics": SystemTable(
        columns={
            "model": "text",
            "version": "int",
            "metric": "text",
            "value": "float",
            "evaluated_on": "text",
            "run_id": "text",
            "created_at": "time",
        },
        sql=f"SELECT models.name AS model, metrics.* FROM metrics {_MODEL.format('metrics')}"
        " ORDER BY metrics.model_key, version, metric",
    ),
    "training_info": SystemTable(
        columns={
            "model": "text",
            "version": "int",
            "iteration": "int",
            "loss": "float",
            "eval_loss": "float",
            "learning_rate": "float",
            "duration_ms": "int",
        },
        sql=f"SELECT models.name AS model, training_info.* FROM training_info {_MODEL.format('training_info')}"
        " ORDER BY training_info.model_key, version, iteration",
    ),
    "deployments": SystemTable(
        columns={
            "name": "text",
            "model": "text",
            "champion": "int",
            "challenger": "int",
            "previous": "int",
            "stage": "text",
            "share": "float",
            "held": "bool",
            "stopped": "bool",
            "stage_since": "time",
            "cool_down_until": "time",
            "updated_at": "time",
        },
        sql="SELECT * FROM deployments ORDER BY deployment_key",
    ),
    "deployment_versions": SystemTable(
        columns={
            "deployment": "text",
            "version": "int",
            "state": "text",
            "digest": "text",
            "since": "time",
            "reason": "text",
        },
        sql=f"SELECT deployments.name AS deployment, v.* FROM deployment_versions v {_DEPLOYMENT}"
        " ORDER BY v.deployment_key, v.version",
    ),
    "gates": SystemTable(
        columns={
            "deployment": "text",
            "version": "int",
            "attempt": "int",
            "gate": "text",
            "status": "text",
            "summary": "text",
            "overridden_by": "text",
            "override_reason": "text",
            "created_at": "time",
            "evidence": "json",
        },
        sql=f"SELECT deployments.name AS deployment, v.* FROM gate_results v {_DEPLOYMENT}"
        " ORDER BY v.deployment_key, v.version, v.attempt, v.number",
    ),
    "audit": SystemTable(
        columns={
            "number": "int",
            "at": "time",
            "who": "text",
            "action": "text",
            "object": "text",
            "why": "text",
            "evidence": "json",
            "previous": "text",
            "hash": "text",
        },
        sql="SELECT * FROM audit ORDER BY number",
    ),
    "alerts": SystemTable(
        columns={
            "alert": "int",
            "deployment": "text",
            "state": "text",
            "severity": "text",
            "cause": "text",
            "headline": "text",
            "since": "time",
            "opened_at": "time",
            "resolved_at": "time",
            "reopened": "int",
            "version": "int",
            "next_step": "text",
            "owner": "text",
            "runbook": "text",
            "acknowledged_by": "text",
            "acknowledged_at": "time",
            "acknowledged_why": "text",
            "muted_until": "time",
            "useful": "bool",
            "useful_why": "text",
            "evidence": "json",
            "explained": "json",
            "chart": "json",
            "updated_at": "time",
        },
        sql="SELECT * FROM alerts ORDER BY alert",
    ),
    "alert_events": SystemTable(
        columns={
            "alert": "int",
            "number": "int",
            "at": "time",
            "window_end": "time",
            "happening": "text",
            "who": "text",
            "detail": "text",
        },
        sql="SELECT * FROM alert_events ORDER BY alert, number",
    ),
    "alert_deliveries": SystemTable(
        columns={
            "delivery_id": "text",
            "alert": "int",
            "sink": "text",
            "happening": "text",
            "status": "text",
            "attempts": "int",
            "not_before": "time",
            "error": "text",
            "created_at": "time",
            "sent_at": "time",
            "message": "json",
        },
        sql="SELECT * FROM alert_deliveries ORDER BY created_at, delivery_id",
    ),
    "scoring_jobs": SystemTable(
        columns={
            "job_id": "text",
            "kind": "text",
            "status": "text",
            "model": "text",
            "version": "int",
            "digest": "text",
            "input": "text",
            "input_version": "json",
            "output": "text",
            "output_version": "json",
            "rows": "int",
            "who": "text",
            "code_version": "text",
            "started_at": "time",
            "finished_at": "time",
            "error": "json",
        },
        sql="SELECT scoring_jobs.*, row_count AS rows FROM scoring_jobs ORDER BY started_at, job_id",
    ),
    "scoring_chunks": SystemTable(
        columns={
            "job_id": "text",
            "chunk": "int",
            "first_row": "int",
            "rows": "int",
            "place": "json",
            "finished_at": "time",
        },
        sql="SELECT scoring_chunks.*, row_count AS rows FROM scoring_chunks ORDER BY job_id, chunk",
    ),
    "checks": SystemTable(
        columns={
            "run_id": "text",
            "step": "text",
            "number": "int",
            "origin": "text",
            "table_name": "text",
            "version": "int",
            "check": "text",
            "kind": "text",
            "enforced": "bool",
            "status": "text",
            "rows_seen": "int",
            "rows_failing": "int",
            "sample_keys": "json",
            "sample": "json",
            "observed": "json",
            "seconds": "float",
            "created_at": "time",
        },
        sql='SELECT checks.*, check_name AS "check" FROM checks ORDER BY created_at, run_id, step, number',
    ),
    "label_deliveries": SystemTable(
        columns={
            "delivery_id": "text",
            "deployment": "text",
            "source": "text",
            "watermark": "text",
            "rows": "int",
            "taken": "int",
            "known": "int",
            "refused": "int",
            "who": "text",
            "started_at": "time",
            "finished_at": "time",
        },
        sql="SELECT label_deliveries.*, row_count AS rows FROM label_deliveries ORDER BY started_at, delivery_id",
    ),
    "rejects": SystemTable(columns=_REJECTS, sql=_REJECTED.format("WHERE newest = 1")),
    "all_rejects": SystemTable(columns={**_REJECTS, "newest": "bool"}, sql=_REJECTED.format("")),
    "schedules": SystemTable(
        columns={
            "name": "text",
            "do": "text",
            "select": "json",
            "cron": "text",
            "zone": "text",
            "catch_up": "text",
            "enabled": "bool",
            "since": "time",
            "next_slot": "time",
            "last_slot": "time",
            "last_status": "text",
            "last_said": "text",
        },
        sql='SELECT schedules.*, schedules.action AS "do", selectors AS "select", slots.slot AS last_slot,'
        " slots.status AS last_status, slots.said AS last_said FROM schedules LEFT JOIN slots"
        " ON slots.schedule_key = schedules.schedule_key AND slots.slot ="
        " (SELECT max(s.slot) FROM slots s WHERE s.schedule_key = schedules.schedule_key)"
        " ORDER BY schedules.schedule_key",
    ),
    "slots": SystemTable(
        columns={
            "schedule": "text",
            "slot": "time",
            "do": "text",
            "status": "text",
            "attempt": "int",
            "passed_over": "int",
            "said": "text",
            "run_id": "text",
            "started_at": "time",
            "finished_at": "time",
            "again_at": "time",
            "host": "text",
            "pid": "int",
            "error": "json",
        },
        sql='SELECT slots.*, name AS schedule, action AS "do" FROM slots ORDER BY slot, schedule_key',
    ),
    "retrain_requests": SystemTable(
        columns={
            "request": "int",
            "deployment": "text",
            "model": "text",
            "status": "text",
            "said": "text",
            "asked": "int",
            "asks": "json",
            "asked_at": "time",
            "not_before": "time",
            "attempt": "int",
            "started_at": "time",
            "finished_at": "time",
            "run_id": "text",
            "champion": "int",
            "version": "int",
            "error": "json",
        },
        sql="SELECT * FROM retrain_requests ORDER BY request",
    ),
    "backtests": SystemTable(
        columns={
            "backtest": "int",
            "model": "text",
            "who": "text",
            "metric": "text",
            "every_s": "float",
            "train_window": "text",
            "time_column": "text",
            "known_column": "text",
            "trainings": "int",
            "first_cut": "time",
            "last_cut": "time",
            "enough": "int",
            "said": "json",
            "ages": "json",
            "paces": "json",
            "notes": "json",
            "training_s": "float",
            "seconds": "float",
            "created_at": "time",
        },
        sql="SELECT * FROM backtests ORDER BY backtest",
    ),
    "backtest_scores": SystemTable(
        columns={
            "backtest": "int",
            "cut": "time",
            "period_start": "time",
            "age": "int",
            "rows_tested": "int",
            "value": "float",
        },
        sql="SELECT * FROM backtest_scores ORDER BY backtest, cut, age",
    ),
    "parts": SystemTable(
        columns={
            "part": "text",
            "host": "text",
            "pid": "int",
            "about": "text",
            "started_at": "time",
            "beat_at": "time",
        },
        sql="SELECT * FROM parts ORDER BY part, host, pid",
    ),
}
_MEASURED = {
    "deployment": "text",
    "window_start": "time",
    "window_end": "time",
    "version": "int",
    "family": "text",
}
_FIGURES = {
    "reference": "text",
    "test": "text",
    "value": "float",
    "low": "float",
    "high": "float",
    "p_value": "float",
    "limit": "float",
    "rows": "int",
    "reference_rows": "int",
}


def _measurements(families: Sequence[str], subject: str) -> str:
    """The measurements of some families. Names of families are ours, never somebody's text."""
    listed = ", ".join(f"'{family}'" for family in families)
    return (
        f'SELECT deployments.name AS deployment, w.window_end, m.*, m.subject AS {subject}, m.effect_limit AS "limit",'
        " m.row_count AS rows, m.weight AS importance"
        " FROM measurements m JOIN monitor_windows w"
        " ON w.deployment_key = m.deployment_key AND w.window_start = m.window_start"
        " JOIN deployments ON deployments.deployment_key = m.deployment_key"
        f" WHERE m.family IN ({listed}) ORDER BY m.deployment_key, m.window_start, m.part, m.number"
    )


DRIFT_FAMILIES = ("contract", "missing", "new_category", "feature", "prediction")
PERFORMANCE_FAMILIES = ("quality", "estimate", "calibration", "staleness", "latency", "errors", "traffic")

TABLES |= {
    "windows": SystemTable(
        columns={
            "deployment": "text",
            "window_start": "time",
            "window_end": "time",
            "version": "int",
            "answers": "int",
            "labelled": "int",
            "inputs_judged_at": "time",
            "quality_judged_at": "time",
            "measured_at": "time",
        },
        sql=f"SELECT deployments.name AS deployment, v.* FROM monitor_windows v {_DEPLOYMENT}"
        " ORDER BY v.deployment_key, v.window_start",
    ),
    "drift": SystemTable(
        columns={**_MEASURED, "column": "text", **_FIGURES, "importance": "float", "source": "text", "note": "text"},
        sql=_measurements(DRIFT_FAMILIES, '"column"'),
    ),
    "performance": SystemTable(
        columns={**_MEASURED, "metric": "text", "slice": "text", **_FIGURES, "note": "text"},
        sql=_measurements(PERFORMANCE_FAMILIES, "metric"),
    ),
}


def system_tables(db: Database) -> dict[str, Callable[[], pa.Table]]:
    """Readers by table name; each reads what is there when it is called."""
    return {name: functools.partial(read_table, db, table) for name, table in TABLES.items()}


def read_table(db: Database, table: SystemTable) -> pa.Table:
    """Read one table, with its types even when it is empty."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "json": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us"),
    }
    with db.read() as tx:
        rows = tx.rows(table.sql)
    arrays = [pa.array([_value(row[name], kind) for row in rows], types[kind]) for name, kind in table.columns.items()]
    return pa.table(arrays, names=list(table.columns))


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "time":
        return parse_time(value).replace(tzinfo=None)
    return bool(value) if kind == "bool" else value
