"""Where in the control database values of people's rows can stand: texts that quote rows, and what people wrote.

Names, keys, digests and times are of tables, models and runs, and stay as they are; the audit trail is chained by
hashes and quotes no rows. A new column must be listed here or beside `NAMES`: a test asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tidemill.warehouse.control.database import Database, Tx, to_json

FREE_TEXTS: Mapping[str, tuple[str, ...]] = {
    "runs": ("error",),
    "steps": ("warnings", "error"),
    "checks": ("sample", "sample_keys", "observed"),
    "model_versions": ("feature_info", "warnings"),
    "alerts": (
        "headline",
        "figures",
        "evidence",
        "explained",
        "chart",
        "next_step",
        "acknowledged_why",
        "useful_why",
        "muted_figures",
        "told",
    ),
    "alert_verdicts": ("verdicts",),
    "alert_events": ("detail",),
    "alert_deliveries": ("message", "error"),
    "backtests": ("said", "notes"),
    "label_deliveries": ("source",),
    "measurements": ("subject", "slice", "note"),
    "window_distributions": ("distribution",),
    "rejects": ("reason", "raw"),
    "retrain_requests": ("said", "asks", "error"),
    "slots": ("said", "error"),
    "deployment_versions": ("reason",),
    "gate_results": ("summary", "evidence", "override_reason"),
    "scoring_jobs": ("input", "error"),
    "troubles": ("said",),
    "erasures": ("why",),
}


def replace_texts(db: Database, change: Callable[[str], str], likely: Callable[[str], bool]) -> int:
    """Change the texts of all these columns that are likely to hold something; how many rows had it.

    Parameters
    ----------
    likely
        Cheap: whether a text needs a closer look.
    """
    changed = 0
    for table, columns in FREE_TEXTS.items():
        for column in columns:
            with db.read() as tx:
                texts = [text for text in _texts(tx, table, column) if likely(text)]
            news = [{"old": text, "new": new} for text in texts if (new := change(text)) != text]
            if not news:
                continue
            with db.write() as tx:
                sql = f"UPDATE {table} SET {column} = :new WHERE {column} = :old"
                changed += sum(tx.execute(sql, **one) for one in news)
    return changed


def delete_samples_of(db: Database, meant: Callable[[Mapping[str, Any]], bool]) -> None:
    """Take rows that are meant out of what checks show of the rows that failed."""
    for column in ("sample", "sample_keys"):
        with db.read() as tx:
            texts = _texts(tx, "checks", column)
        kept = [(text, [row for row in json.loads(text) if not meant(row)]) for text in texts]
        news = [{"old": text, "new": to_json(rows)} for text, rows in kept if len(rows) < len(json.loads(text))]
        if news:
            with db.write() as tx:
                tx.execute_many(f"UPDATE checks SET {column} = :new WHERE {column} = :old", news)


def each_text(db: Database) -> Iterator[str]:
    """The different texts of all these columns."""
    with db.read() as tx:
        for table, columns in FREE_TEXTS.items():
            for column in columns:
                yield from _texts(tx, table, column)


def count_texts(db: Database, meant: Callable[[str], bool]) -> int:
    """How many different texts of these columns are meant."""
    return sum(map(meant, each_text(db)))


def count_rejects_of(db: Database, meant: Callable[[str, str], bool]) -> int:
    """How many rows of files that were not loaded are meant, by their table and what they say."""
    return len(_rejects_of(db, meant))


def delete_rejects_of(db: Database, meant: Callable[[str, str], bool]) -> None:
    """Delete what `count_rejects_of` counts."""
    gone = _rejects_of(db, meant)
    if gone:
        with db.write() as tx:
            sql = "DELETE FROM rejects WHERE run_id = :run_id AND step = :step AND number = :number"
            tx.execute_many(sql, gone)


def _rejects_of(db: Database, meant: Callable[[str, str], bool]) -> list[dict[str, Any]]:
    with db.read() as tx:
        rows = tx.rows("SELECT run_id, step, number, table_name, raw, reason FROM rejects")
    return [
        {name: row[name] for name in ("run_id", "step", "number")}
        for row in rows
        if meant(row["table_name"], row["raw"]) or meant(row["table_name"], row["reason"])
    ]


def _texts(tx: Tx, table: str, column: str) -> list[str]:
    sql = f"SELECT DISTINCT {column} AS text FROM {table} WHERE {column} IS NOT NULL AND {column} <> ''"
    return [row["text"] for row in tx.rows(sql)]
