"""The answers, watched: alerts and their messages, windows and their figures."""

from __future__ import annotations

from collections.abc import Sequence

from tidemill.warehouse.control.system.table import DEPLOYMENT_OF_V, SystemTable

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
DRIFT_FAMILIES = ("contract", "missing", "new_category", "feature", "prediction")
PERFORMANCE_FAMILIES = ("quality", "estimate", "calibration", "staleness", "latency", "errors", "traffic")


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


WATCHING: dict[str, SystemTable] = {
    "alerts": SystemTable(
        about="Each alert: what it is about, since when, its evidence, what to do, and what people said of it. `since`"
        " is when what it is about now began: later than `opened_at` where one trouble went and another came.",
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
        about="What happened to each alert: opened, widened, far worse, resolved, opened again, acknowledged, muted.",
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
        about="Each message about an alert to each sink: sent, waiting, or given up, and why.",
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
    "windows": SystemTable(
        about="Each window of a deployment that was measured: its answers, their labels by now, when it was judged.",
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
        sql=f"SELECT deployments.name AS deployment, v.* FROM monitor_windows v {DEPLOYMENT_OF_V}"
        " ORDER BY v.deployment_key, v.window_start",
    ),
    "drift": SystemTable(
        about="What each window's inputs and predictions were like beside training and the same period before: the"
        " effect, its interval, the test. Figures with a limit are judged, the others are shown.",
        columns={**_MEASURED, "column": "text", **_FIGURES, "importance": "float", "source": "text", "note": "text"},
        sql=_measurements(DRIFT_FAMILIES, '"column"'),
    ),
    "performance": SystemTable(
        about="How each window's answers came out, with and without labels, and how fast and how often they came.",
        columns={**_MEASURED, "metric": "text", "slice": "text", **_FIGURES, "note": "text"},
        sql=_measurements(PERFORMANCE_FAMILIES, "metric"),
    ),
}
