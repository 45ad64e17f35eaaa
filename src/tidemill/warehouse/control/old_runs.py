"""Deleting the records of old runs, but for those that something else in the control database refers to."""

from __future__ import annotations

from datetime import datetime

from tidemill.warehouse.control.database import Database, Tx, reading, time_text, writing

_OLD = """
SELECT run_id FROM runs
WHERE status <> 'running' AND finished_at IS NOT NULL AND finished_at < :before
  AND number < (SELECT MAX(number) FROM runs)
  AND run_id NOT IN (SELECT run_id FROM assets)
  AND run_id NOT IN (SELECT run_id FROM model_versions)
  AND run_id NOT IN (SELECT run_id FROM table_versions)
  AND run_id NOT IN (SELECT run_id FROM rejects WHERE newest = 1)
  AND run_id NOT IN (SELECT run_id FROM steps WHERE status IN ('running', 'lost'))
"""

AT_ONCE = 500


def old_runs(db: Database | Tx, *, before: datetime) -> list[str]:
    """Runs that ended before a time and that no asset, model or table version comes from."""
    with reading(db) as tx:
        return [row["run_id"] for row in tx.rows(f"{_OLD} ORDER BY number", before=time_text(before))]


def delete_runs(db: Database, runs: list[str]) -> None:
    """Delete runs, their steps, their checks and the rows that they did not load, some at a time."""
    for start in range(0, len(runs), AT_ONCE):
        with writing(db) as tx:
            for run_id in runs[start : start + AT_ONCE]:
                for table in ("rejects", "checks", "steps", "runs"):
                    tx.execute(f"DELETE FROM {table} WHERE run_id = :run_id", run_id=run_id)


def running_since(db: Database | Tx) -> str | None:
    """When the oldest run that goes on began, as text; None when none goes on."""
    with reading(db) as tx:
        found = tx.value("SELECT MIN(started_at) FROM runs WHERE status = 'running'")
        return None if found is None else str(found)
