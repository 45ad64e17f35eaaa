"""Batches that were scored, as rows: which version scored what, from where, to where; and the chunks of each.

A job is found again by its request key, a digest of everything its rows depend on and of the place they go to: so the
same command takes an interrupted job up where it stood.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tidemill.core.names import asset_key
from tidemill.core.version import VERSION
from tidemill.warehouse.control.database import Database, Row, Tx, parse_time, reading, to_json, writing

Status = Literal["running", "failed", "done", "abandoned"]
Kind = Literal["predict", "insert"]
OPEN: tuple[Status, ...] = ("running", "failed")
"""Jobs that the same request takes up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringJob:
    """One batch.

    Parameters
    ----------
    kind
        ``predict`` (the command) or ``insert`` (INSERT INTO ... ML.PREDICT).
    input_version
        What the input was: versions of tables, digests of files, versions of models it reads, texts of views.
    input_copy
        The data file that the input was copied to, when its rows do not come in one order each time.
    output_version
        What the job left: a table's version, or a file's digest.
    """

    job_id: str
    kind: Kind
    model: str
    version: int
    digest: str
    input: str
    input_version: Mapping[str, Any]
    output: str
    who: str
    request_key: str | None = None
    input_copy: Mapping[str, Any] | None = None
    output_version: Mapping[str, Any] | None = None
    status: Status = "running"
    rows: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringChunk:
    """A run of rows of the input, scored and on disk. ``place`` is what its writer needs to find it again."""

    chunk: int
    first_row: int
    rows: int
    place: Mapping[str, Any] = field(default_factory=dict)


def add_job(db: Database | Tx, job: ScoringJob) -> None:
    """Write a job down before its first row is scored."""
    with writing(db) as tx:
        tx.execute(
            "INSERT INTO scoring_jobs (job_id, request_key, kind, model_key, model, version, digest, input,"
            " input_version, output, status, who, code_version, started_at) VALUES (:job_id, :request_key, :kind,"
            " :model_key, :model, :version, :digest, :input, :input_version, :output, :status, :who, :code, :now)",
            job_id=job.job_id,
            request_key=job.request_key,
            kind=job.kind,
            model_key=asset_key(job.model),
            model=job.model,
            version=job.version,
            digest=job.digest,
            input=job.input,
            input_version=to_json(dict(job.input_version)),
            output=job.output,
            status=job.status,
            who=job.who,
            code=VERSION,
            now=tx.now(),
        )


def find_job(db: Database | Tx, request_key: str) -> ScoringJob | None:
    """The job of a request, were it done."""
    with reading(db) as tx:
        row = tx.row("SELECT * FROM scoring_jobs WHERE request_key = :key", key=request_key)
    return None if row is None else _job(row)


def open_jobs(db: Database | Tx, output: str, kind: Kind) -> list[ScoringJob]:
    """Jobs that were to fill an output and have not ended."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT * FROM scoring_jobs WHERE output = :output AND kind = :kind AND status IN ('running', 'failed')"
            " ORDER BY started_at, job_id",
            output=output,
            kind=kind,
        )
    return [_job(row) for row in rows]


def list_jobs(db: Database | Tx) -> list[ScoringJob]:
    """Every job, oldest first."""
    with reading(db) as tx:
        return [_job(row) for row in tx.rows("SELECT * FROM scoring_jobs ORDER BY started_at, job_id")]


def list_chunks(db: Database | Tx, job_id: str) -> list[ScoringChunk]:
    """The finished chunks of a job, in order."""
    with reading(db) as tx:
        rows = tx.rows("SELECT * FROM scoring_chunks WHERE job_id = :job_id ORDER BY chunk", job_id=job_id)
    return [
        ScoringChunk(
            chunk=row["chunk"], first_row=row["first_row"], rows=row["row_count"], place=json.loads(row["place"])
        )
        for row in rows
    ]


def add_chunk(db: Database | Tx, job_id: str, chunk: ScoringChunk) -> None:
    """Write a finished chunk down; its rows are on disk."""
    with writing(db) as tx:
        tx.execute(
            "INSERT INTO scoring_chunks (job_id, chunk, first_row, row_count, place, finished_at)"
            " VALUES (:job_id, :chunk, :first_row, :row_count, :place, :now)",
            job_id=job_id,
            chunk=chunk.chunk,
            first_row=chunk.first_row,
            row_count=chunk.rows,
            place=to_json(dict(chunk.place)),
            now=tx.now(),
        )


def drop_chunks(db: Database | Tx, job_id: str, *, from_chunk: int = 0) -> None:
    """Forget chunks whose rows are gone or damaged: they are scored again."""
    with writing(db) as tx:
        tx.execute(
            "DELETE FROM scoring_chunks WHERE job_id = :job_id AND chunk >= :first", job_id=job_id, first=from_chunk
        )


def set_input_copy(db: Database | Tx, job_id: str, copy: Mapping[str, Any] | None) -> None:
    """Write down where the copy of the input lies."""
    with writing(db) as tx:
        tx.execute(
            "UPDATE scoring_jobs SET input_copy = :copy WHERE job_id = :job_id",
            copy=None if copy is None else to_json(dict(copy)),
            job_id=job_id,
        )


def begin_again(db: Database | Tx, job_id: str) -> None:
    """Say that somebody works on the job."""
    with writing(db) as tx:
        tx.execute("UPDATE scoring_jobs SET status = 'running', error = NULL WHERE job_id = :job_id", job_id=job_id)


def finish_job(
    db: Database | Tx,
    job_id: str,
    *,
    status: Status,
    rows: int | None = None,
    output_version: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
    forget: bool = False,
) -> None:
    """Write down how a job ended.

    Parameters
    ----------
    forget
        Let the same request make a new job from now on.
    """
    key = ", request_key = NULL" if forget else ""
    with writing(db) as tx:
        tx.execute(
            "UPDATE scoring_jobs SET status = :status, row_count = coalesce(:rows, row_count),"
            " output_version = coalesce(:output_version, output_version), error = :error, finished_at = :now"
            f"{key} WHERE job_id = :job_id",
            status=status,
            rows=rows,
            output_version=None if output_version is None else to_json(dict(output_version)),
            error=None if error is None else to_json(dict(error)),
            now=tx.now(),
            job_id=job_id,
        )


def forget_request(db: Database | Tx, job_id: str) -> None:
    """Let the request of a job that is done make a new job."""
    with writing(db) as tx:
        tx.execute("UPDATE scoring_jobs SET request_key = NULL WHERE job_id = :job_id", job_id=job_id)


def _job(row: Row) -> ScoringJob:
    def parsed(name: str) -> Any:
        return None if row[name] is None else json.loads(row[name])

    return ScoringJob(
        job_id=row["job_id"],
        kind=row["kind"],
        model=row["model"],
        version=row["version"],
        digest=row["digest"],
        input=row["input"],
        input_version=parsed("input_version"),
        output=row["output"],
        who=row["who"],
        request_key=row["request_key"],
        input_copy=parsed("input_copy"),
        output_version=parsed("output_version"),
        status=row["status"],
        rows=row["row_count"],
        started_at=parse_time(row["started_at"]),
        finished_at=None if row["finished_at"] is None else parse_time(row["finished_at"]),
        error=parsed("error"),
    )
