"""The tables, in SQL that SQLite and PostgreSQL read alike: text, bigint and double precision, nothing else.

``*_key`` columns hold names as they are compared (`core.names.name_key`); the name beside it is as it was written.
``number`` columns order rows by when they were made, whatever the clock did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

_FIRST = (
    """
    CREATE TABLE leases (
        name TEXT PRIMARY KEY,
        fence BIGINT NOT NULL,
        host TEXT NOT NULL,
        pid BIGINT NOT NULL,
        process_start TEXT NOT NULL,
        run_id TEXT NOT NULL,
        ttl_s DOUBLE PRECISION NOT NULL,
        acquired_at TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        released BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE runs (
        run_id TEXT PRIMARY KEY,
        number BIGINT NOT NULL UNIQUE,
        request_key TEXT UNIQUE,
        status TEXT NOT NULL,
        selectors TEXT NOT NULL,
        full_refresh BIGINT NOT NULL,
        host TEXT NOT NULL,
        pid BIGINT NOT NULL,
        fence BIGINT,
        code_version TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        error TEXT
    )
    """,
    """
    CREATE TABLE steps (
        run_id TEXT NOT NULL REFERENCES runs (run_id),
        step TEXT NOT NULL,
        number BIGINT NOT NULL,
        asset TEXT NOT NULL,
        kind TEXT NOT NULL,
        action TEXT NOT NULL,
        reason TEXT NOT NULL,
        status TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        seconds DOUBLE PRECISION,
        row_count BIGINT,
        version BIGINT,
        warnings TEXT NOT NULL,
        error TEXT,
        PRIMARY KEY (run_id, step)
    )
    """,
    "CREATE INDEX steps_by_status ON steps (status)",
    """
    CREATE TABLE assets (
        asset_key TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        description_digest TEXT NOT NULL,
        version BIGINT,
        parts TEXT NOT NULL,
        reads TEXT NOT NULL,
        origin TEXT NOT NULL,
        file TEXT NOT NULL,
        line BIGINT NOT NULL,
        statement TEXT NOT NULL,
        dialect TEXT NOT NULL,
        run_id TEXT NOT NULL,
        updated_at TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE source_files (
        path TEXT PRIMARY KEY,
        sha256 TEXT NOT NULL,
        dialect TEXT NOT NULL,
        parser_version TEXT NOT NULL,
        summaries TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE input_files (
        path TEXT PRIMARY KEY,
        bytes BIGINT NOT NULL,
        mtime_ns BIGINT NOT NULL,
        ctime_ns BIGINT NOT NULL,
        inode BIGINT NOT NULL,
        hashed_ns BIGINT NOT NULL,
        sha256 TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE table_versions (
        table_key TEXT NOT NULL,
        version BIGINT NOT NULL,
        name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        run_id TEXT NOT NULL,
        step TEXT NOT NULL,
        row_count BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        message TEXT NOT NULL,
        created_at TEXT NOT NULL,
        PRIMARY KEY (table_key, version)
    )
    """,
    """
    CREATE TABLE models (
        model_key TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        current_version BIGINT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        dropped_at TEXT
    )
    """,
    """
    CREATE TABLE model_versions (
        model_key TEXT NOT NULL REFERENCES models (model_key),
        version BIGINT NOT NULL,
        name TEXT NOT NULL,
        model_type TEXT NOT NULL,
        digest TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        run_id TEXT NOT NULL,
        step TEXT NOT NULL,
        fence BIGINT,
        evaluated_on TEXT NOT NULL,
        rows_train BIGINT NOT NULL,
        rows_eval BIGINT NOT NULL,
        seconds DOUBLE PRECISION NOT NULL,
        bytes BIGINT NOT NULL,
        options TEXT NOT NULL,
        lineage TEXT NOT NULL,
        feature_info TEXT NOT NULL,
        warnings TEXT NOT NULL,
        files TEXT NOT NULL,
        created_at TEXT NOT NULL,
        dropped_at TEXT,
        PRIMARY KEY (model_key, version),
        UNIQUE (run_id, step)
    )
    """,
    """
    CREATE TABLE metrics (
        model_key TEXT NOT NULL,
        version BIGINT NOT NULL,
        metric TEXT NOT NULL,
        evaluated_on TEXT NOT NULL,
        value DOUBLE PRECISION,
        run_id TEXT NOT NULL,
        created_at TEXT NOT NULL,
        PRIMARY KEY (model_key, version, metric, evaluated_on)
    )
    """,
    """
    CREATE TABLE training_info (
        model_key TEXT NOT NULL,
        version BIGINT NOT NULL,
        iteration BIGINT NOT NULL,
        loss DOUBLE PRECISION,
        eval_loss DOUBLE PRECISION,
        learning_rate DOUBLE PRECISION,
        duration_ms BIGINT NOT NULL,
        PRIMARY KEY (model_key, version, iteration)
    )
    """,
    """
    CREATE TABLE checks (
        run_id TEXT NOT NULL,
        step TEXT NOT NULL,
        number BIGINT NOT NULL,
        table_name TEXT NOT NULL,
        check_name TEXT NOT NULL,
        kind TEXT NOT NULL,
        enforced BIGINT NOT NULL,
        status TEXT NOT NULL,
        rows_seen BIGINT NOT NULL,
        rows_failing BIGINT NOT NULL,
        sample TEXT NOT NULL,
        seconds DOUBLE PRECISION NOT NULL,
        created_at TEXT NOT NULL,
        PRIMARY KEY (run_id, step, number)
    )
    """,
)


def create_first_tables(tx: Tx) -> None:
    """Migration 1."""
    for statement in _FIRST:
        tx.execute(statement)


def extend_checks(tx: Tx) -> None:
    """Add to checks what they looked at, by key, and what they measured."""
    tx.execute("ALTER TABLE checks ADD COLUMN origin TEXT NOT NULL DEFAULT 'run'")
    tx.execute("ALTER TABLE checks ADD COLUMN version BIGINT")
    tx.execute("ALTER TABLE checks ADD COLUMN sample_keys TEXT NOT NULL DEFAULT '[]'")
    tx.execute("ALTER TABLE checks ADD COLUMN observed TEXT NOT NULL DEFAULT '{}'")
    tx.execute("CREATE INDEX checks_by_table ON checks (table_name, created_at)")
