"""What was built: runs and their steps, the tables and models there are, checks, and rows that were not loaded."""

from __future__ import annotations

from tidemill.warehouse.control.system.table import SystemTable

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

BUILDS: dict[str, SystemTable] = {
    "runs": SystemTable(
        about="Each run: who, when, how it ended.",
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
        about="Each step of each run, with its reason, rows, version, seconds and warnings.",
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
        about="What exists now: each table, view and model with its statement, what it reads, and its fingerprint.",
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
        about="Each version of each table.",
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
    "checks": SystemTable(
        about="Each constraint on each version it was checked on, with the rows that fail and a sample of them.",
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
    "rejects": SystemTable(
        about="Rows of files that were not loaded: where they stand, why, and their text. Of each table those of"
        " its newest load; of a table that takes in file after file, of each file's newest load. `line` is the line of"
        " the file, a header counted. Labels that were refused are here too, with their source as `file`: they may come"
        " from a table or a query, so their `line` is the number of the row among those that were read.",
        columns=_REJECTS,
        sql=_REJECTED.format("WHERE newest = 1"),
    ),
    "all_rejects": SystemTable(
        about="The rows of `tidemill.rejects` (`newest`) and those of earlier loads, until `keep_rejects_days` are"
        " over.",
        columns={**_REJECTS, "newest": "bool"},
        sql=_REJECTED.format(""),
    ),
}
