"""Tables behind the registry's aliases, deployments, the audit trail, tokens and batch scoring.

One function a migration. Like the first tables: text, bigint and double precision, which SQLite and PostgreSQL share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Tx

_DEPLOYMENTS = (
    """
    CREATE TABLE model_aliases (
        model_key TEXT NOT NULL REFERENCES models (model_key),
        alias TEXT NOT NULL,
        version BIGINT NOT NULL,
        set_by TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        PRIMARY KEY (model_key, alias)
    )
    """,
    # champion and challenger are versions of the model; previous is where a rollback of the champion goes.
    # stage: idle, shadow, canary. generation grows with every change: it is what servers watch.
    """
    CREATE TABLE deployments (
        deployment_key TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        model TEXT NOT NULL,
        champion BIGINT,
        challenger BIGINT,
        previous BIGINT,
        stage TEXT NOT NULL,
        share_number BIGINT NOT NULL,
        share DOUBLE PRECISION NOT NULL,
        held BIGINT NOT NULL,
        stopped BIGINT NOT NULL,
        cool_down_until TEXT,
        generation BIGINT NOT NULL,
        stage_since TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    )
    """,
    # state: candidate, refused, shadow, canary, champion, retired, rolled_back
    """
    CREATE TABLE deployment_versions (
        deployment_key TEXT NOT NULL REFERENCES deployments (deployment_key),
        version BIGINT NOT NULL,
        digest TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        since TEXT NOT NULL,
        PRIMARY KEY (deployment_key, version)
    )
    """,
    # "Exactly one champion" is the database's promise, not only the code's.
    "CREATE UNIQUE INDEX one_champion ON deployment_versions (deployment_key) WHERE state = 'champion'",
    # Losses of labelled answers by version, since a stage began: the collector counts them, servers judge by them.
    """
    CREATE TABLE outcomes (
        deployment_key TEXT NOT NULL REFERENCES deployments (deployment_key),
        stage_since TEXT NOT NULL,
        version BIGINT NOT NULL,
        answers BIGINT NOT NULL,
        loss_sum DOUBLE PRECISION NOT NULL,
        loss_squares DOUBLE PRECISION NOT NULL,
        updated_at TEXT NOT NULL,
        PRIMARY KEY (deployment_key, stage_since, version)
    )
    """,
    """
    CREATE TABLE gate_results (
        deployment_key TEXT NOT NULL REFERENCES deployments (deployment_key),
        version BIGINT NOT NULL,
        attempt BIGINT NOT NULL,
        number BIGINT NOT NULL,
        gate TEXT NOT NULL,
        status TEXT NOT NULL,
        summary TEXT NOT NULL,
        evidence TEXT NOT NULL,
        overridden_by TEXT,
        override_reason TEXT,
        created_at TEXT NOT NULL,
        PRIMARY KEY (deployment_key, version, attempt, gate)
    )
    """,
    """
    CREATE TABLE audit (
        number BIGINT PRIMARY KEY,
        at TEXT NOT NULL,
        who TEXT NOT NULL,
        action TEXT NOT NULL,
        object TEXT NOT NULL,
        why TEXT NOT NULL,
        evidence TEXT NOT NULL,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE tokens (
        name TEXT PRIMARY KEY,
        role TEXT NOT NULL,
        sha256 TEXT NOT NULL UNIQUE,
        created_by TEXT NOT NULL,
        created_at TEXT NOT NULL,
        expires_at TEXT,
        revoked_at TEXT
    )
    """,
)

# A job is asked for again by its request: what is read in which state, which version scores it, and where to.
# request_key is NULL once the job must not be met again: given up, or its output is no longer what it wrote.
# status: running, failed (both are taken up again), done, abandoned.
_SCORING = (
    """
    CREATE TABLE scoring_jobs (
        job_id TEXT PRIMARY KEY,
        request_key TEXT UNIQUE,
        kind TEXT NOT NULL,
        model_key TEXT NOT NULL,
        model TEXT NOT NULL,
        version BIGINT NOT NULL,
        digest TEXT NOT NULL,
        input TEXT NOT NULL,
        input_version TEXT NOT NULL,
        input_copy TEXT,
        output TEXT NOT NULL,
        output_version TEXT,
        status TEXT NOT NULL,
        row_count BIGINT,
        who TEXT NOT NULL,
        code_version TEXT NOT NULL,
        error TEXT,
        started_at TEXT NOT NULL,
        finished_at TEXT
    )
    """,
    """
    CREATE TABLE scoring_chunks (
        job_id TEXT NOT NULL REFERENCES scoring_jobs (job_id),
        chunk BIGINT NOT NULL,
        first_row BIGINT NOT NULL,
        row_count BIGINT NOT NULL,
        place TEXT NOT NULL,
        finished_at TEXT NOT NULL,
        PRIMARY KEY (job_id, chunk)
    )
    """,
)


def create_deployment_tables(tx: Tx) -> None:
    """Migration 2."""
    _create(tx, _DEPLOYMENTS)


def create_scoring_tables(tx: Tx) -> None:
    """Migration 3."""
    _create(tx, _SCORING)


def _create(tx: Tx, statements: tuple[str, ...]) -> None:
    for statement in statements:
        tx.execute(statement)
