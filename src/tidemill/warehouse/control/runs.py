"""Runs and their steps.

- ``start_run(db, run_id, *, holder, selectors=(), full_refresh=False, code_version="", lease=None, request_key=None)
  -> Run``: with a ``request_key`` the second start of one request returns the first run.
- ``finish_run(db, run_id, *, status, error=None)``: a run that is ``lost`` stays lost.
- ``plan_steps(db, run_id, steps)`` writes the steps of a run as ``pending`` (`NewStep`), in order, in one commit.
- ``start_step(db, run_id, step, *, lease=None)``, ``finish_step(db, run_id, step, *, status, seconds, rows, version,
  reason, warnings, error, lease=None)``.
- ``settle_step(db, run_id, step, *, status)``: what became of a step of a lost run (``resumed``, ``abandoned``).
- ``last_run(db) -> Run | None``, ``get_run(db, run_id) -> Run``, ``list_runs(db, limit=50) -> list[Run]`` (newest
  first), ``list_steps(db, run_id) -> list[StepRow]`` (in order), ``interrupted_steps(db) -> list[StepRow]``: steps that
  a killed run had begun, which a new run looks up in the lake (``warehouse.landed``) before it does them again.

Run status: running, ok, failed, nothing, cancelled, lost. Step status: pending, running, done, failed, skipped,
resumed, unchanged, lost, abandoned. With a ``lease`` the write is refused (`ConflictError`) once the lease was lost.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.core.errors import ConflictError, NotFoundError
from tidemill.core.names import did_you_mean
from tidemill.warehouse.control.database import Database, Row, Tx, parse_time, reading, to_json, writing
from tidemill.warehouse.control.holders import Holder
from tidemill.warehouse.control.leases import Lease, require


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. ``number`` counts runs; ``error`` is the JSON shape of an error."""

    run_id: str
    number: int
    status: str
    selectors: tuple[str, ...]
    full_refresh: bool
    holder: Holder
    started_at: datetime
    finished_at: datetime | None
    error: dict[str, Any] | None
    request_key: str | None = None
    code_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStep:
    """A step as it is planned. ``step`` names it within its run."""

    step: str
    asset: str
    kind: str
    action: str
    reason: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One step of a run, as it stands."""

    run_id: str
    step: str
    number: int
    asset: str
    kind: str
    action: str
    reason: str
    status: str
    fingerprint: str
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    rows: int | None
    version: int | None
    warnings: tuple[str, ...]
    error: dict[str, Any] | None


def start_run(
    db: Database | Tx,
    run_id: str,
    *,
    holder: Holder,
    selectors: Sequence[str] = (),
    full_refresh: bool = False,
    code_version: str = "",
    lease: Lease | None = None,
    request_key: str | None = None,
) -> Run:
    """Write a run as running; the same ``request_key`` again gives the run that was started first."""
    with writing(db) as tx:
        if request_key is not None:
            same = tx.row("SELECT * FROM runs WHERE request_key = :key", key=request_key)
            if same is not None:
                return _run(same)
        if lease is not None:
            require(tx, lease)
        number = (tx.value("SELECT max(number) FROM runs") or 0) + 1
        tx.execute(
            "INSERT INTO runs (run_id, number, request_key, status, selectors, full_refresh, host, pid, fence,"
            " code_version, started_at) VALUES (:run_id, :number, :key, 'running', :selectors, :full, :host, :pid,"
            " :fence, :code_version, :now)",
            run_id=run_id,
            number=number,
            key=request_key,
            selectors=to_json(list(selectors)),
            full=full_refresh,
            host=holder.host,
            pid=holder.pid,
            fence=None if lease is None else lease.fence,
            code_version=code_version,
            now=tx.now(),
        )
        return get_run(tx, run_id)


def finish_run(
    db: Database | Tx, run_id: str, *, status: str, error: dict[str, Any] | None = None, lease: Lease | None = None
) -> Run:
    """End a run.

    Raises
    ------
    ConflictError
        It is not running: another process took its lease and called it lost.
    """
    with writing(db) as tx:
        if lease is not None:
            require(tx, lease)
        changed = tx.execute(
            "UPDATE runs SET status = :status, finished_at = :now, error = :error"
            " WHERE run_id = :run_id AND status = 'running'",
            status=status,
            now=tx.now(),
            error=None if error is None else to_json(error),
            run_id=run_id,
        )
        run = get_run(tx, run_id)
    if not changed and run.status == "lost":
        raise ConflictError(
            f"run {run_id} lost the lease to another process, which took it for dead",
            hint="nothing of this run was written after that; run again when the other run has ended",
            run_id=run_id,
        )
    if not changed:
        raise ConflictError(f"run {run_id} cannot end as {status}: it is {run.status}", run_id=run_id)
    return run


def plan_steps(db: Database | Tx, run_id: str, steps: Sequence[NewStep]) -> None:
    """Write the steps of a run, in the order given, as pending."""
    with writing(db) as tx:
        tx.execute_many(
            "INSERT INTO steps (run_id, step, number, asset, kind, action, reason, status, fingerprint, warnings)"
            " VALUES (:run_id, :step, :number, :asset, :kind, :action, :reason, 'pending', :fingerprint, '[]')",
            [
                {
                    "run_id": run_id,
                    "step": step.step,
                    "number": number,
                    "asset": step.asset,
                    "kind": step.kind,
                    "action": step.action,
                    "reason": step.reason,
                    "fingerprint": step.fingerprint,
                }
                for number, step in enumerate(steps, 1)
            ],
        )


def start_step(db: Database | Tx, run_id: str, step: str, *, lease: Lease | None = None) -> None:
    """Write that a planned step runs."""
    with writing(db) as tx:
        if lease is not None:
            require(tx, lease)
        changed = tx.execute(
            "UPDATE steps SET status = 'running', started_at = :now WHERE run_id = :run_id AND step = :step",
            now=tx.now(),
            run_id=run_id,
            step=step,
        )
        if not changed:
            raise _no_step(tx, run_id, step)


def finish_step(
    db: Database | Tx,
    run_id: str,
    step: str,
    *,
    status: str,
    seconds: float | None = None,
    rows: int | None = None,
    version: int | None = None,
    reason: str | None = None,
    warnings: Sequence[str] = (),
    error: dict[str, Any] | None = None,
    lease: Lease | None = None,
) -> None:
    """Write how a step ended. A ``reason`` replaces the planned one (a step skipped because of another's failure)."""
    with writing(db) as tx:
        if lease is not None:
            require(tx, lease)
        changed = tx.execute(
            "UPDATE steps SET status = :status, finished_at = :now, seconds = :seconds, row_count = :row_count,"
            " version = :version, reason = COALESCE(:reason, reason), warnings = :warnings, error = :error"
            " WHERE run_id = :run_id AND step = :step",
            status=status,
            now=tx.now(),
            seconds=seconds,
            row_count=rows,
            version=version,
            reason=reason,
            warnings=to_json(list(warnings)),
            error=None if error is None else to_json(error),
            run_id=run_id,
            step=step,
        )
        if not changed:
            raise _no_step(tx, run_id, step)


def settle_step(db: Database | Tx, run_id: str, step: str, *, status: str) -> None:
    """Write what became of a step that a killed run left open, so that nobody looks at it again."""
    with writing(db) as tx:
        tx.execute(
            "UPDATE steps SET status = :status WHERE run_id = :run_id AND step = :step",
            status=status,
            run_id=run_id,
            step=step,
        )


def get_run(db: Database | Tx, run_id: str) -> Run:
    """One run by its id."""
    with reading(db) as tx:
        row = tx.row("SELECT * FROM runs WHERE run_id = :run_id", run_id=run_id)
        if row is None:
            recent = [found["run_id"] for found in tx.rows("SELECT run_id FROM runs ORDER BY number DESC LIMIT 20")]
            raise NotFoundError(f"there is no run {run_id}", hint=did_you_mean(run_id, recent), run_id=run_id)
    return _run(row)


def last_run(db: Database | Tx) -> Run | None:
    """Give the newest run."""
    return next(iter(list_runs(db, limit=1)), None)


def list_runs(db: Database | Tx, *, limit: int = 50) -> list[Run]:
    """Runs, newest first."""
    with reading(db) as tx:
        return [_run(row) for row in tx.rows("SELECT * FROM runs ORDER BY number DESC LIMIT :limit", limit=limit)]


def list_steps(db: Database | Tx, run_id: str) -> list[StepRow]:
    """Steps of a run, in their order."""
    with reading(db) as tx:
        return [
            _step(row) for row in tx.rows("SELECT * FROM steps WHERE run_id = :run_id ORDER BY number", run_id=run_id)
        ]


def interrupted_steps(db: Database | Tx) -> list[StepRow]:
    """Steps that a lost run had begun and nobody has settled, oldest first."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT steps.* FROM steps JOIN runs ON runs.run_id = steps.run_id"
            " WHERE steps.status = 'lost' ORDER BY runs.number, steps.number"
        )
    return [_step(row) for row in rows]


def _no_step(tx: Tx, run_id: str, step: str) -> NotFoundError:
    known = [row["step"] for row in tx.rows("SELECT step FROM steps WHERE run_id = :run_id", run_id=run_id)]
    return NotFoundError(f"run {run_id} has no step {step!r}", hint=did_you_mean(step, known), run_id=run_id, step=step)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _run(row: Row) -> Run:
    return Run(
        run_id=row["run_id"],
        number=row["number"],
        status=row["status"],
        selectors=tuple(json.loads(row["selectors"])),
        full_refresh=bool(row["full_refresh"]),
        holder=Holder(host=row["host"], pid=row["pid"]),
        started_at=parse_time(row["started_at"]),
        finished_at=_moment(row["finished_at"]),
        error=None if row["error"] is None else json.loads(row["error"]),
        request_key=row["request_key"],
        code_version=row["code_version"],
    )


def _step(row: Row) -> StepRow:
    return StepRow(
        run_id=row["run_id"],
        step=row["step"],
        number=row["number"],
        asset=row["asset"],
        kind=row["kind"],
        action=row["action"],
        reason=row["reason"],
        status=row["status"],
        fingerprint=row["fingerprint"],
        started_at=_moment(row["started_at"]),
        finished_at=_moment(row["finished_at"]),
        seconds=row["seconds"],
        rows=row["row_count"],
        version=row["version"],
        warnings=tuple(json.loads(row["warnings"])),
        error=None if row["error"] is None else json.loads(row["error"]),
    )
