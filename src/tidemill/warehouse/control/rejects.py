"""Rows of files that were not loaded, one row each: ``tidemill.rejects`` shows those of each table's newest load.

A load takes the place of what earlier ones told of the same files; their rows stay, no longer the newest, until
`delete_rejects` takes them away.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from tidemill.sources.bad_rows import BadRow
from tidemill.warehouse.control.database import Database, Tx, reading, time_text, writing

_OLD = "FROM rejects WHERE newest = 0 AND created_at < :before"


def save_rejects(
    db: Database | Tx,
    run_id: str,
    step: str,
    *,
    table: str,
    rows: Sequence[BadRow],
    files: Collection[str] | None = None,
) -> None:
    """Keep the bad rows that a step told of, whether it loaded the others or not; none is worth telling too.

    Parameters
    ----------
    files
        The files that were read, where the table has rows of others as well; None when it was made whole.
    """
    with writing(db) as tx:
        now = tx.now()
        forget_newest(tx, table, files)
        tx.execute("DELETE FROM rejects WHERE run_id = :run_id AND step = :step", run_id=run_id, step=step)
        tx.execute_many(
            "INSERT INTO rejects"
            " (run_id, step, number, table_name, file, line, column_name, reason, raw, created_at, newest)"
            " VALUES (:run_id, :step, :number, :table_name, :file, :line, :column_name, :reason, :raw, :now, 1)",
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


def forget_newest(tx: Tx, table: str, files: Collection[str] | None = None) -> None:
    """Say that what was told of a table, or of some files of it, is not of its newest load any more."""
    newest = "newest = 1 AND lower(table_name) = lower(:table)"
    if files is None:
        tx.execute(f"UPDATE rejects SET newest = 0 WHERE {newest}", table=table)
        return
    told = {str(row["file"]) for row in tx.rows(f"SELECT DISTINCT file FROM rejects WHERE {newest}", table=table)}
    for file in sorted(told & set(files)):
        tx.execute(f"UPDATE rejects SET newest = 0 WHERE {newest} AND file = :file", table=table, file=file)


def old_rejects(db: Database | Tx, *, before: datetime) -> int:
    """How many rows earlier loads told of, before a time."""
    with reading(db) as tx:
        return int(tx.value(f"SELECT COUNT(*) {_OLD}", before=time_text(before)))


def delete_rejects(db: Database | Tx, *, before: datetime) -> None:
    """Delete what `old_rejects` counts."""
    with writing(db) as tx:
        tx.execute(f"DELETE {_OLD}", before=time_text(before))
