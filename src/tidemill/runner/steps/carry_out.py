"""One function per kind of step: each calls the stations and hands back what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.core.errors import InternalError, TidemillError, UnsupportedError
from tidemill.runner.checking import check_assertion
from tidemill.runner.files import FileReads
from tidemill.runner.placing import place
from tidemill.runner.shape import start_of
from tidemill.runner.steps.job import Job, Outcome, Progress, asset_of, bind
from tidemill.runner.steps.model import train_model
from tidemill.runner.steps.table import build_table, check_again, load_data
from tidemill.sql.statements import Assert, CreateModel, CreateTable, CreateView, InsertInto, LoadData, Other, Statement
from tidemill.warehouse.control.assets import remove_asset, save_asset
from tidemill.warehouse.control.rejects import forget_newest

if TYPE_CHECKING:
    from tidemill.planner.plan import Step
    from tidemill.warehouse.control.database import Tx


def carry_out(step: Step, job: Job, progress: Progress) -> Outcome:
    """Do one step; what it made is visible when this returns.

    Raises
    ------
    TidemillError
        What went wrong; the old version is still there.
    """
    if step.action == "drop":
        return _drop(step, job)
    statement = job.statement(step)
    try:
        if step.action == "check" and isinstance(statement, CreateTable):
            return check_again(step, statement, job)
        return _make(step, statement, job, progress)
    except TidemillError as error:
        place(error, statement.source)
        raise


def _make(step: Step, statement: Statement, job: Job, progress: Progress) -> Outcome:
    match statement:
        case CreateTable():
            return build_table(step, statement, job)
        case LoadData():
            return load_data(step, statement, job)
        case CreateModel():
            return train_model(step, statement, job, progress)
        case CreateView():
            return Outcome(record=lambda tx: save_asset(tx, asset_of(step, statement, job, version=None)))
        case Assert():
            return _check_assert(step, statement, job)
        case InsertInto():
            return _insert(step, statement, job)
        case Other():
            raise UnsupportedError(
                f"{statement.what} is not carried out: {statement.reason}",
                where=start_of(statement.source),
                hint="write it as CREATE ... AS SELECT, or take it out of the project's files",
            )
        case _:
            raise InternalError(f"step {step.name} has no way to be carried out")


def _check_assert(step: Step, statement: Assert, job: Job) -> Outcome:
    with job.session() as session:
        files = FileReads(job.stations, session, sure=True, planned=job.origin == "file")
        opened, bound = bind(statement.query, job, session, files=files)
        checked = check_assertion(
            statement,
            stations=job.stations,
            session=session,
            opened=opened,
            tables=bound.tables,
            run_id=job.run_id,
            step=step.name,
        )

    def record(tx: Tx) -> None:
        save_asset(tx, asset_of(step, statement, job, version=None))
        checked.save(tx)

    return Outcome(record=record, warnings=checked.warnings)


def _insert(step: Step, statement: InsertInto, job: Job) -> Outcome:
    from tidemill.sql.parse_other import IN_FILES

    if job.insert is None:
        raise UnsupportedError(f"INSERT is not carried out: {IN_FILES}", where=start_of(statement.source))
    return job.insert(step, statement, job)


def _drop(step: Step, job: Job) -> Outcome:
    if step.kind in {"table", "load"}:
        job.stations.warehouse.drop(step.asset, run_id=job.run_id, step=step.name, guard=job.guard)
    elif step.kind == "model":
        from tidemill.registry.versions import drop_model

        drop_model(job.stations.db, step.asset, lease=job.lease)

    def forget(tx: Tx) -> None:
        remove_asset(tx, step.asset)
        forget_newest(tx, step.asset)

    return Outcome(record=forget)
