"""Rows of files that were not loaded, one row each: ``tidemill.rejects``.

``save_rejects(db, run_id, step, *, table, rows)`` replaces what is kept of that run and step.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemill.sources.bad_rows import BadRow
from tidemill.warehouse.control.database import Database, Tx, writing


def save_rejects(db: Database | Tx, run_id: str, step: str, *, table: str, rows: Sequence[BadRow]) -> None:
    """Keep the bad rows that a step told of, whether it loaded the others or not."""
    with writing(db) as tx:
        now = tx.now()
        tx.execute("DELETE FROM rejects WHERE run_id = :run_id AND step = :step", run_id=run_id, step=step)
        tx.execute_many(
            "INSERT INTO rejects (run_id, step, number, table_name, file, line, column_name, reason, raw, created_at)"
            " VALUES (:run_id, :step, :number, :table_name, :file, :line, :column_name, :reason, :raw, :now)",
            [
                {
                    "run_id": run_id,
                    "step": step,
                    "number": number,
                    "table_name": table,
                    "file": row.file,
                    "line": row.line,
                    "column_name": row.column,
                    "reason": row.reason,
                    "raw": row.raw,
                    "now": now,
                }
                for number, row in enumerate(rows, 1)
            ],
        )
