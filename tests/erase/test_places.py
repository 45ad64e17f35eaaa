"""Every place in the control database where a person's values could stand is known."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tidemill.core.clock import Clock
from tidemill.warehouse.control.database import open_database, sqlite_url
from tidemill.warehouse.control.free_texts import FREE_TEXTS

NAMES = {
    "alert_deliveries": "created_at delivery_id happening not_before sent_at sink status",
    "alert_events": "at happening who window_end",
    "alert_verdicts": "deployment_key family window_end window_start",
    "alerts": (
        "acknowledged_at acknowledged_by cause deployment deployment_key muted_until opened_at owner "
        "resolved_at runbook severity since state updated_at"
    ),
    "assets": (
        "asset_key description_digest dialect file fingerprint kind name origin parts reads run_id statement updated_at"
    ),
    "audit": "action at evidence hash object previous who why",
    "backtest_scores": "cut period_start",
    "backtests": "ages created_at first_cut known_column last_cut metric model paces time_column train_window who",
    "checks": "check_name created_at kind origin run_id status step table_name",
    "counter_samples": "deployment_key sampled_at",
    "deployment_versions": "deployment_key digest since state",
    "deployments": "cool_down_until created_at deployment_key model name stage stage_since updated_at",
    "erased_versions": "erasure_id model model_key tables",
    "erasures": "asked_at columns due_at erasure_id proved_at removed removed_at status waiting who",
    "gate_results": "created_at deployment_key gate overridden_by status",
    "input_files": "path sha256",
    "label_deliveries": (
        "content_key delivery_id deployment deployment_key finished_at source_key started_at watermark who"
    ),
    "leases": "acquired_at expires_at host name process_start run_id",
    "measurements": "deployment_key family part reference source test window_start",
    "metrics": "created_at evaluated_on metric model_key run_id",
    "model_aliases": "alias model_key set_by updated_at",
    "model_versions": (
        "created_at digest dropped_at evaluated_on files fingerprint lineage model_key model_type name "
        "options run_id step"
    ),
    "models": "created_at dropped_at model_key name updated_at",
    "monitor_states": "deployment_key",
    "monitor_windows": "deployment_key inputs_judged_at measured_at quality_judged_at window_end window_start",
    "outcomes": "deployment_key stage_since updated_at",
    "parts": "about beat_at host part process_start started_at",
    "rejects": "column_name created_at file run_id step table_name",
    "retrain_requests": "asked_at deployment deployment_key finished_at model not_before run_id started_at status",
    "runs": "code_version finished_at host request_key run_id selectors started_at status",
    "schedules": "action catch_up cron name next_slot schedule_key selectors since updated_at zone",
    "schema_migrations": "applied_at name",
    "scoring_chunks": "finished_at job_id place",
    "scoring_jobs": (
        "code_version digest finished_at input_copy input_version job_id kind model model_key output "
        "output_version request_key started_at status who"
    ),
    "slots": "action again_at finished_at host name run_id schedule_key slot started_at status",
    "source_files": "dialect parser_version path sha256 summaries",
    "steps": "action asset fingerprint finished_at kind reason run_id started_at status step",
    "table_versions": "created_at fingerprint message name run_id step table_key",
    "tokens": "created_at created_by expires_at name revoked_at role sha256",
    "training_info": "model_key",
    "troubles": "about part since",
    "window_distributions": "column_name deployment_key window_start",
}
"""Columns of names, keys, digests, times, states, statements and numbers as JSON: none of them quotes a row."""


def texts_of(path: Path) -> dict[str, set[str]]:
    """The columns of text of each table of a new control database."""
    with closing(open_database(sqlite_url(path), clock=Clock())), closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        return {
            table: {row[1] for row in database.execute(f"PRAGMA table_info({table})") if row[2] == "TEXT"}
            for (table,) in tables.fetchall()
        }


def test_every_column_of_text_is_searched_or_quotes_no_row(tmp_path: Path) -> None:
    found = texts_of(tmp_path / "control.sqlite")

    placed = {table: {*FREE_TEXTS.get(table, ()), *NAMES.get(table, "").split()} for table in found}
    assert found == placed, "place a new column in FREE_TEXTS, or in NAMES where it can quote no row"
    assert FREE_TEXTS.keys() <= found.keys()


def test_no_column_is_in_both_lists() -> None:
    both = [(table, name) for table, names in FREE_TEXTS.items() for name in names if name in NAMES[table].split()]

    assert both == []
