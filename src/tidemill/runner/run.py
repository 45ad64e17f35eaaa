"""Carries out a plan: independent steps side by side, one commit each, and a record of everything."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from tidemill.core.errors import ConflictError, InternalError, TidemillError
from tidemill.core.faults import fault
from tidemill.planner.plan import Plan, Step
from tidemill.planner.settle import settle
from tidemill.runner.events import Event, RunFinished, RunStarted, StepFinished, StepProgress, StepStarted
from tidemill.runner.openlineage.listening import with_lineage_events
from tidemill.runner.report import RunReport, StepReport
from tidemill.runner.steps.carry_out import carry_out
from tidemill.runner.steps.job import Job, Outcome, asset_of
from tidemill.warehouse.control import runs
from tidemill.warehouse.control.assets import save_asset
from tidemill.warehouse.control.runs import NewStep
from tidemill.warehouse.control.tables import save_table_version

Listener = Callable[[Event], None]
Status = Literal["done", "resumed", "unchanged"]


def run_plan(plan: Plan, job: Job, listen: Listener) -> RunReport:
    """Do the plan's work. A step that fails keeps the old version; what hangs on it is skipped; the rest goes on."""
    with with_lineage_events(plan, job, listen) as tell:
        return _run(plan, job, tell)


def _run(plan: Plan, job: Job, listen: Listener) -> RunReport:
    db, clock = job.stations.db, job.stations.clock
    started = clock.monotonic()
    work = plan.work
    runs.plan_steps(db, job.run_id, [_new_step(step) for step in work])
    listen(RunStarted(run_id=job.run_id, total=len(work)))
    if len(work) > 1:
        # What does not start here does not start in the step that needs it either, and that step says why.
        with suppress(TidemillError):
            job.stations.warehouse.make_ready()
    reports = _Scheduler(work, job, listen).run()
    failed = next((report for report in reports if report.error), None)
    report = RunReport(
        run_id=job.run_id,
        status="failed" if failed else "ok",
        steps=tuple(reports),
        seconds=clock.monotonic() - started,
        unchanged=len(plan.steps) - len(work),
    )
    runs.finish_run(
        db, job.run_id, status=report.status, error=failed.error.as_json() if failed and failed.error else None
    )
    listen(RunFinished(report=report))
    return report


def _new_step(step: Step) -> NewStep:
    return NewStep(
        step=step.name,
        asset=step.asset,
        kind=step.kind,
        action=step.action,
        reason=step.reason,
        fingerprint=step.fingerprint,
    )


class _Scheduler:
    """Starts each step when what it hangs on is done; at most ``parallel_steps`` at once, one training at a time.

    Of the steps that are ready, training goes first (it takes longest), then what hangs on the fewest others: so many
    steps that follow each other read one snapshot of the warehouse, and opening one costs as much as building a table.
    """

    def __init__(self, work: tuple[Step, ...], job: Job, listen: Listener) -> None:
        self._job = job
        self._listen = listen
        self._waiting = _in_layers(work)
        self._bad: dict[str, str] = {}
        self._open = {step.asset for step in work}
        self._reports: dict[int, StepReport] = {}
        self._running: dict[Future[StepReport], Step] = {}
        self._first = max(job.stations.warehouse.tables().values(), default=0)
        self._landed: dict[str, int] = {}
        self._fingerprints: dict[str, str] = {}

    def run(self) -> list[StepReport]:
        """Run until nothing waits; the reports stand in the plan's order."""
        with ThreadPoolExecutor(self._job.stations.settings.parallel_steps, thread_name_prefix="step") as pool:
            while self._waiting or self._running:
                self._start_ready(pool)
                if self._running:
                    done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._finish(self._running.pop(future), future.result())
        return [self._reports[ordinal] for ordinal in sorted(self._reports)]

    def _start_ready(self, pool: ThreadPoolExecutor) -> None:
        for step in list(self._waiting):
            cause = next((name for name in step.depends if name in self._bad), None)
            if cause is not None:
                self._waiting.remove(step)
                self._finish(step, _skip(step, cause, self._job))
            elif self._open.isdisjoint(step.depends) and not self._crowded(step):
                self._waiting.remove(step)
                settled = settle(step, self._fingerprints)
                if settled.action == "skip":
                    self._finish(settled, _leave(settled, self._job))
                    continue
                job = replace(self._job, snapshot=self._snapshot(settled))
                self._running[pool.submit(self._carry_out, settled, job)] = settled

    def _crowded(self, step: Step) -> bool:
        """A fit takes every core, so two at once only fight for memory."""
        limit = self._job.stations.settings.parallel_steps
        training = any(other.action == "train" for other in self._running.values())
        return len(self._running) >= limit or (step.action == "train" and training)

    def _finish(self, step: Step, report: StepReport) -> None:
        self._open.discard(step.asset)
        if report.status in {"failed", "skipped"}:
            self._bad[step.asset] = step.asset
        self._reports[step.ordinal] = report
        if report.fingerprint:
            self._fingerprints[step.asset] = report.fingerprint
        landed = report.version if step.kind in {"table", "load"} else None
        self._landed[step.asset] = max(landed or 0, self._snapshot(step))
        self._listen(StepFinished(report=report))

    def _snapshot(self, step: Step) -> int:
        """The version of the warehouse in which all that a step reads has landed."""
        return max([self._first, *(self._landed.get(name, 0) for name in step.depends)])

    def _carry_out(self, step: Step, job: Job) -> StepReport:
        """The boundary around a step: whatever it raises becomes its report."""
        clock = job.stations.clock
        started = clock.monotonic()
        self._listen(StepStarted(asset=step.asset, kind=step.kind, action=step.action, reason=step.reason))
        try:
            outcome = _resume(step, job)
            status: Status = "resumed" if outcome else "done"
            if outcome is None:
                runs.start_step(job.stations.db, job.run_id, step.name, lease=job.lease)
                outcome = carry_out(step, job, self._progress(step))
                status = "unchanged" if outcome.unchanged else "done"
            seconds = clock.monotonic() - started
            _record(step, job, outcome, status=status, seconds=seconds)
        except TidemillError as error:
            return _fail(step, job, error, seconds=clock.monotonic() - started)
        except Exception as error:  # noqa: BLE001 - the step boundary: a bug of ours fails its step, not the run
            bug = InternalError(
                f"{step.asset}: {type(error).__name__}: {error}",
                hint="this is a bug of Tidemill: please report it with the lines under 'traceback'",
                traceback=traceback.format_exc(),
            )
            return _fail(step, job, bug, seconds=clock.monotonic() - started)
        return StepReport(
            asset=step.asset,
            kind=step.kind,
            action=step.action,
            status=status,
            reason="no new rows" if outcome.unchanged else step.reason,
            seconds=seconds,
            rows=outcome.rows,
            deleted=outcome.deleted,
            version=outcome.version,
            metrics=outcome.metrics,
            warnings=outcome.warnings,
            fingerprint=step.before if outcome.unchanged else step.fingerprint,
        )

    def _progress(self, step: Step) -> Callable[[str, int, int], None]:
        def tell(message: str, done: int, total: int) -> None:
            self._listen(StepProgress(asset=step.asset, message=message, done=done, total=total))

        return tell


def _in_layers(work: tuple[Step, ...]) -> list[Step]:
    depth: dict[str, int] = {}
    for step in work:
        depth[step.asset] = 1 + max((depth.get(name, 0) for name in step.depends), default=0)
    return sorted(work, key=lambda step: (step.action != "train", depth[step.asset], step.ordinal))


def _record(step: Step, job: Job, outcome: Outcome, *, status: str, seconds: float) -> None:
    """The end of a step and what it made: one commit, refused when the lease was lost."""
    fault("step.before_record")
    with job.stations.db.write() as tx:
        if outcome.record is not None:
            outcome.record(tx)
        runs.finish_step(
            tx,
            job.run_id,
            step.name,
            status=status,
            seconds=seconds,
            rows=outcome.rows,
            version=outcome.version,
            warnings=outcome.warnings,
            lease=job.lease,
        )


def _fail(step: Step, job: Job, error: TidemillError, *, seconds: float) -> StepReport:
    if not isinstance(error, ConflictError):
        runs.finish_step(
            job.stations.db, job.run_id, step.name, status="failed", seconds=seconds, error=error.as_json()
        )
    return StepReport(
        asset=step.asset,
        kind=step.kind,
        action=step.action,
        status="failed",
        reason=step.reason,
        seconds=seconds,
        error=error,
    )


def _skip(step: Step, cause: str, job: Job) -> StepReport:
    reason = f"{cause} did not succeed"
    runs.finish_step(job.stations.db, job.run_id, step.name, status="skipped", reason=reason)
    return StepReport(asset=step.asset, kind=step.kind, action=step.action, status="skipped", reason=reason)


def _leave(step: Step, job: Job) -> StepReport:
    """A step that has nothing to do: what it reads turned out to be as it was."""
    reason = "what it reads got no new rows"
    runs.finish_step(job.stations.db, job.run_id, step.name, status="unchanged", reason=reason, lease=job.lease)
    return StepReport(
        asset=step.asset,
        kind=step.kind,
        action=step.action,
        status="unchanged",
        reason=reason,
        fingerprint=step.fingerprint,
    )


def _resume(step: Step, job: Job) -> Outcome | None:
    """A step of a killed run whose rows had landed is not done again: only its record was missing."""
    db, warehouse = job.stations.db, job.stations.warehouse
    if step.action not in {"build", "increment", "load"}:
        return None
    for lost in runs.interrupted_steps(db):
        if lost.step != step.name:
            continue
        landed = warehouse.landed(lost.run_id, lost.step)
        if landed is not None and warehouse.tables().get(landed.table) != landed.version:
            landed = None  # something newer stands there by now
        runs.settle_step(db, lost.run_id, lost.step, status="resumed" if landed else "abandoned")
        if landed is None:
            continue
        version = replace(landed, table=step.asset)

        def record(tx: object, version: object = version) -> None:
            save_table_version(tx, version, fingerprint=step.fingerprint)  # type: ignore[arg-type]
            save_asset(tx, asset_of(step, job.statement(step), job, version=version.version))  # type: ignore

        return Outcome(rows=landed.rows, version=landed.version, record=record)
    return None
