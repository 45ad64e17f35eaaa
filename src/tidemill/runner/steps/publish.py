"""Stage, audit, publish: what the steps of all tables do with their rows, and what they write down of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tidemill.core.names import asset_key, quote_name
from tidemill.planner.decide import SAME_AS
from tidemill.runner.checking import Checked, check_rows
from tidemill.runner.column_notes import hidden_in, require_columns
from tidemill.runner.erased_rows import rejects_without_erased, without_erased
from tidemill.runner.steps.job import Job, Outcome, asset_of
from tidemill.sources.bad_rows import BadRowsError, without_values
from tidemill.warehouse.control.assets import load_assets, save_asset
from tidemill.warehouse.control.rejects import save_rejects
from tidemill.warehouse.control.tables import save_table_version

if TYPE_CHECKING:
    from tidemill.planner.plan import Step
    from tidemill.runner.execute import OpenQuery
    from tidemill.runner.files import FileReads, Made
    from tidemill.sql.statements import CreateTable, LoadData, Statement
    from tidemill.warehouse.control.database import Tx
    from tidemill.warehouse.protocol import Session, Staged, TableVersion


def publish(
    step: Step,
    statement: CreateTable | LoadData,
    job: Job,
    session: Session,
    query: Callable[[], OpenQuery],
    files: FileReads,
    *,
    add: bool = False,
) -> Outcome:
    """Stage, audit, publish: nobody sees rows that break an enforced constraint."""
    warehouse = job.stations.warehouse

    left_out: list[str] = []

    def stage() -> Staged:
        opened = query()
        attempt = f"{job.run_id}-{step.ordinal}"
        sql, left_out[:] = without_erased(job.stations, session, opened.sql, opened.relations)
        return warehouse.stage(session, sql, opened.relations, table=step.asset, attempt=attempt)

    hidden = hidden_in(statement, job.stations.settings.tables)
    staged = kept_apart(step, job, files, stage, hidden=hidden)
    try:
        require_columns(step.asset, staged.columns, job.stations.settings.tables)
        files.require_same()
        checked = check_rows(
            statement, stations=job.stations, session=session, staged=staged, run_id=job.run_id, step=step.name
        )
        if step.by_rows and step.before and _same_rows(job, session, staged):
            warehouse.discard(staged)
            return _as_it_was(step, statement, job, files, checked, hidden=hidden)
        put = warehouse.append if add else warehouse.publish
        landed = put(staged, run_id=job.run_id, step=step.name, guard=job.guard)
    except BaseException:
        warehouse.discard(staged)
        raise

    def record(tx: Tx) -> None:
        record_table(tx, step, statement, job, landed=landed)
        checked.save(tx, version=landed.version)
        save_step_rejects(tx, step, job, files, whole=not add, hidden=hidden)

    warnings = (*files.warnings, *left_out, *checked.warnings)
    return Outcome(rows=staged.rows, version=landed.version, warnings=warnings, record=record)


def _same_rows(job: Job, session: Session, staged: Staged) -> bool:
    """Whether a table has the rows that were made for it, in whatever order."""
    there = job.stations.warehouse.resting(staged.table)
    if (there.rows, there.columns) != (staged.rows, staged.columns):
        return False
    names = ", ".join(quote_name(column.name) for column in staged.columns)
    # As many rows, so one that is gone stands for one that came.
    gone = f"SELECT {names} FROM {there.relation} EXCEPT ALL SELECT {names} FROM {staged.relation} LIMIT 1"
    return not any(batch.num_rows for batch in session.query(gone))


def _as_it_was(
    step: Step, statement: Statement, job: Job, files: FileReads, checked: Checked, *, hidden: frozenset[str]
) -> Outcome:
    """What it read is written down, so that the next plan has nothing to do; the table stays in its version."""
    version = load_assets(job.stations.db)[asset_key(step.asset)].version
    parts = {**step.parts, SAME_AS: step.fingerprint}
    same = replace(asset_of(step, statement, job, version=version), fingerprint=step.before, parts=parts)

    def stay(tx: Tx) -> None:
        save_asset(tx, same)
        checked.save(tx, version=version)
        save_step_rejects(tx, step, job, files, whole=True, hidden=hidden)

    return Outcome(warnings=(*files.warnings, *checked.warnings), record=stay, unchanged=True)


def check_published(step: Step, statement: CreateTable, job: Job, session: Session) -> tuple[int, Checked]:
    """How many rows a table has, and what came of checking them."""
    rows = job.stations.warehouse.resting(step.asset)
    checked = check_rows(
        statement,
        stations=job.stations,
        session=session,
        staged=rows,
        run_id=job.run_id,
        step=step.name,
        published=True,
    )
    return rows.rows, checked


def kept_apart(step: Step, job: Job, files: FileReads, make: Callable[[], Made], *, hidden: frozenset[str]) -> Made:
    """Do something that reads files; when too many of their rows are bad, those can be looked at afterwards.

    Parameters
    ----------
    hidden
        Keys of columns with personal data: what stands in the rows is not shown then.
    """
    try:
        return files.attempt(make)
    except BadRowsError as error:
        told, read = error.hiding(hidden), files.read
        rows = rejects_without_erased(job.stations, step.asset, told.rows)
        save_rejects(job.stations.db, job.run_id, step.name, table=step.asset, rows=rows, files=read)
        raise told from None


def record_table(tx: Tx, step: Step, statement: Statement, job: Job, *, landed: TableVersion) -> None:
    """Write down the version of a table, and the table as the next plan compares it."""
    save_table_version(tx, landed, fingerprint=step.fingerprint)
    save_asset(tx, asset_of(step, statement, job, version=landed.version))


def save_step_rejects(tx: Tx, step: Step, job: Job, files: FileReads, *, whole: bool, hidden: frozenset[str]) -> None:
    """Write down what was not loaded, in the place of what an earlier load told of the table, or of the same files."""
    read = None if whole else files.read
    rows = rejects_without_erased(job.stations, step.asset, without_values(files.bad_rows, hidden))
    save_rejects(tx, job.run_id, step.name, table=step.asset, rows=rows, files=read)
