"""A step of a model: train, judge, register."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.core.errors import BindError, NotFoundError
from tidemill.runner.files import FileReads
from tidemill.runner.shape import start_of
from tidemill.runner.steps.job import Job, Outcome, Progress, asset_of, bind
from tidemill.warehouse.control.assets import save_asset

if TYPE_CHECKING:
    from tidemill.planner.plan import Step
    from tidemill.registry.versions import LoadedModel
    from tidemill.sql.statements import CreateModel


def train_model(step: Step, statement: CreateModel, job: Job, progress: Progress) -> Outcome:
    """Train a model on the rows of its query, judge it, and register the version."""
    from tidemill.evaluation.judge import judge
    from tidemill.registry.versions import register
    from tidemill.runner.lineage import lineage_of, live_reads, require_same_files
    from tidemill.sql.options import check_create_model
    from tidemill.training.task import TrainTask
    from tidemill.training.train import train

    stations = job.stations
    checked = check_create_model(statement)
    if statement.query is None:
        raise BindError(
            f"model {step.asset} has no query to train on", where=start_of(statement.source), hint="add AS SELECT ..."
        )

    loaded: dict[str, int] = {}
    with job.session() as session:
        files = FileReads(stations, session, sure=True, planned=job.origin == "file")
        opened, bound = bind(statement.query, job, session, files=files, loaded=loaded)
        # A flipped bit in a Parquet file reads as other numbers: what a model learns from is checked first.
        stations.warehouse.require_intact(bound.tables, session.version)
        previous = _previous(step.asset, job) if checked.values.get("warm_start") else None
        lineage = lineage_of(
            step,
            statement,
            bound,
            stations=stations,
            session=session,
            views=job.views,
            loaded=loaded,
            previous=previous.version if previous else None,
            run_id=job.run_id,
        )
        trained = train(
            TrainTask(
                session=session,
                sql=opened.sql,
                relations=opened.relations,
                ordered=bound.ordered,
                name=step.asset,
                model_type=checked.model_type,
                options=checked.values,
                given=checked.given,
                transform=statement.transform,
                previous=previous.files if previous else None,
                seed=stations.settings.seed,
                threads=stations.threads,
                where=start_of(statement.source),
                progress=progress,
            ),
            judge=judge,
        )
        require_same_files(lineage, statement, stations)
    version = register(
        stations.db,
        stations.store,
        name=step.asset,
        trained=trained,
        fingerprint=step.fingerprint,
        run_id=job.run_id,
        step=step.name,
        lineage=lineage.as_json(),
        lease=job.lease,
        # In the commit of the version: a run killed after it does not train again.
        also=lambda tx, made: save_asset(tx, asset_of(step, statement, job, version=made.version)),
    )
    return Outcome(
        rows=trained.rows_train + trained.rows_eval,
        version=version.version,
        metrics=dict(trained.metrics),
        warnings=(*checked.notes, *session.notes, *files.warnings, *live_reads(lineage), *trained.warnings),
    )


def _previous(name: str, job: Job) -> LoadedModel | None:
    """The version that a step replaces; None where it is the first."""
    try:
        return job.stations.load_model(name)
    except NotFoundError:
        return None
