"""A step of an incremental table: what is new is merged, and what changed about its checks is made good."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from tidemill.core.names import asset_key
from tidemill.planner.increments import TOLD
from tidemill.runner.files import FileReads
from tidemill.runner.shape import types_of
from tidemill.runner.steps.job import Job, Outcome, asset_of, bind
from tidemill.runner.steps.publish import check_published, kept_apart, record_table, save_step_rejects
from tidemill.sql.statements import CHECKS, CreateTable
from tidemill.warehouse.control.assets import Asset, load_assets, save_asset

if TYPE_CHECKING:
    from tidemill.planner.plan import Step
    from tidemill.runner.increments.checks import Again
    from tidemill.sql.incremental import Incremental
    from tidemill.sql.table_options import TableOptions
    from tidemill.warehouse.control.database import Tx


def build_incremental(
    step: Step, statement: CreateTable, job: Job, rule: Incremental, *, options: TableOptions
) -> Outcome:
    """Bring an incremental table up to date; an outcome without a new version where nothing came."""
    from tidemill.runner.increments.build import IncrementalStep
    from tidemill.sql.reads import takes_all

    engine = job.stations.warehouse.dialect
    types = types_of(statement.columns, statement.source, engine) if takes_all(statement.query) else {}
    known = load_assets(job.stations.db).get(asset_key(step.asset))
    with (
        job.session() as session,
        closing(FileReads(job.stations, session, max_bad_rows=options.values["max_bad_rows"], types=types)) as files,
    ):
        at_work = IncrementalStep(
            step=step,
            statement=statement,
            rule=rule,
            stations=job.stations,
            session=session,
            run_id=job.run_id,
            bind=lambda query: bind(query, job, session, files=files)[0],
            guard=job.guard,
            forget_gone_files=job.forget_gone_files,
            again=_again(step, known),
        )
        built = kept_apart(step, job, files, at_work.build, hidden=rule.hidden)
        checked = built.checked
        if checked is None and at_work.again != "none":
            _, checked = check_published(step, statement, job, session)
    told = {note.key: note.text for note in built.notes}
    before = set(known.parts.get(TOLD, "").split()) if known is not None else set()
    step = replace(step, parts={**step.parts, TOLD: " ".join(sorted(told))})
    warnings = (
        *options.notes,
        *session.notes,
        *files.warnings,
        *(text for key, text in told.items() if key not in before),
        *built.warnings,
        *(checked.warnings if checked is not None else ()),
    )
    if built.checked is None and known is not None and known.version == built.landed.version:
        # What it read is written down, so that the next plan has nothing to do; what it is has not changed.
        same = replace(asset_of(step, statement, job, version=known.version), fingerprint=step.before)

        def stay(tx: Tx) -> None:
            save_asset(tx, same)
            save_step_rejects(tx, step, job, files, whole=False, hidden=rule.hidden)
            if checked is not None:
                checked.save(tx, version=same.version)

        return Outcome(warnings=warnings, record=stay, unchanged=True)

    def record(tx: Tx) -> None:
        record_table(tx, step, statement, job, landed=built.landed)
        save_step_rejects(tx, step, job, files, whole=built.landed.action == "replace", hidden=rule.hidden)
        if checked is not None:
            checked.save(tx, version=built.landed.version)

    return Outcome(
        rows=built.rows, version=built.landed.version, warnings=warnings, record=record, deleted=built.deleted
    )


def _again(step: Step, known: Asset | None) -> Again:
    """Which checks are to be made of the rows that an incremental table has already, because they changed."""
    if known is None or known.parts.get(CHECKS) != step.parts.get(CHECKS):
        return "all"
    return "others" if any(known.reads.get(name) != step.reads.get(name) for name in step.checked) else "none"
