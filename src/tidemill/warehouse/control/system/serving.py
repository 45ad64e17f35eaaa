"""What answers: deployments and their versions, gates, requests for new versions, labels that came in, the trail."""

from __future__ import annotations

from tidemill.warehouse.control.system.table import DEPLOYMENT_OF_V, SystemTable

SERVING: dict[str, SystemTable] = {
    "deployments": SystemTable(
        about="Each deployment: its champion, the version on trial, and its stage.",
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
        about="What became of each version in each deployment.",
        columns={
            "deployment": "text",
            "version": "int",
            "state": "text",
            "digest": "text",
            "since": "time",
            "reason": "text",
        },
        sql=f"SELECT deployments.name AS deployment, v.* FROM deployment_versions v {DEPLOYMENT_OF_V}"
        " ORDER BY v.deployment_key, v.version",
    ),
    "gates": SystemTable(
        about="What each gate said of each version, at each attempt, and who overrode it.",
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
        sql=f"SELECT deployments.name AS deployment, v.* FROM gate_results v {DEPLOYMENT_OF_V}"
        " ORDER BY v.deployment_key, v.version, v.attempt, v.number",
    ),
    "audit": SystemTable(
        about="Each change of a deployment, an alias, a token or an alert: who, what, why, chained by hashes.",
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
    "label_deliveries": SystemTable(
        about="Each time labels were read from a table, a file or a query: how many were new, known already or"
        " refused. The refused ones are in `tidemill.rejects`.",
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
    "retrain_requests": SystemTable(
        about="Each request for a new version of a deployment's model: who asked and on what evidence, what it"
        " waits for, and what came of it.",
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
}
