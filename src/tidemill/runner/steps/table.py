"""A step of a table: built from a query or from files, or only checked anew."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError, DataError, SourceError, TidemillError
from tidemill.core.names import asset_key
from tidemill.runner.column_changes import tell_changes
from tidemill.runner.column_notes import hidden_in
from tidemill.runner.execute import OpenQuery
from tidemill.runner.files import FileReads
from tidemill.runner.shape import load_limit, load_read, start_of, typed_query, types_of
from tidemill.runner.steps.increment import build_incremental
from tidemill.runner.steps.job import Job, Outcome, asset_of, bind
from tidemill.runner.steps.publish import check_published, publish
from tidemill.warehouse.control.assets import load_assets, save_asset

if TYPE_CHECKING:
    from tidemill.planner.plan import Step
    from tidemill.sql.statements import CreateTable, LoadData
    from tidemill.warehouse.control.database import Tx
    from tidemill.warehouse.protocol import Session


def build_table(step: Step, statement: CreateTable, job: Job) -> Outcome:
    """Compute a table from its query: whole, or only what is new."""
    from tidemill.sql.incremental import incremental_of
    from tidemill.sql.layout import laid_out
    from tidemill.sql.reads import takes_all
    from tidemill.sql.table_options import check_table_options

    engine = job.stations.warehouse.dialect
    options = check_table_options(statement)
    rule = incremental_of(statement, options.values)
    if rule is not None:
        rule = replace(rule, hidden=hidden_in(statement, job.stations.settings.tables))
        return build_incremental(step, statement, job, rule, options=options)
    types = types_of(statement.columns, statement.source, engine) if takes_all(statement.query) else {}
    with (
        job.session() as session,
        closing(
            FileReads(
                job.stations,
                session,
                max_bad_rows=options.values["max_bad_rows"],
                planned=job.origin == "file",
                types=types,
            )
        ) as files,
    ):
        bound: list[OpenQuery] = []

        def query() -> OpenQuery:
            opened, _ = bind(laid_out(statement.query, statement.layout), job, session, files=files)
            bound[:] = [opened]
            if not statement.columns:
                return opened
            names = [column.name for column in session.columns(opened.sql, opened.relations)]
            read = files.read if takes_all(statement.query) else ()
            sql = typed_query(
                opened.sql, statement.columns, found=names, source=statement.source, engine=engine, files=read
            )
            return replace(opened, sql=sql)

        try:
            outcome = publish(step, statement, job, session, query, files)
        except (BindError, DataError) as error:
            if isinstance(error, BindError) and statement.layout:
                _require_layout(statement, job, session, files)
            if bound and not isinstance(error, SourceError):
                tell_changes(error, statement, warehouse=job.stations.warehouse, session=session, opened=bound[0])
            raise
    return replace(outcome, warnings=(*options.notes, *session.notes, *outcome.warnings))


def load_data(step: Step, statement: LoadData, job: Job) -> Outcome:
    """Load files into a table."""
    engine = job.stations.warehouse.dialect
    read = load_read(statement)
    types = types_of(statement.columns, statement.source, engine)
    with (
        job.session() as session,
        closing(
            FileReads(
                job.stations, session, max_bad_rows=load_limit(statement), planned=job.origin == "file", types=types
            )
        ) as files,
    ):

        def query() -> OpenQuery:
            sql = files.sql(read)
            if sql is None:
                raise SourceError(
                    f"there is no file {', '.join(read.patterns)}",
                    where=start_of(statement.source),
                    hint="file names are looked up from the project's folder",
                )
            if statement.columns:
                names = [column.name for column in session.columns(sql)]
                sql = typed_query(
                    sql, statement.columns, found=names, source=statement.source, engine=engine, files=files.read
                )
            return OpenQuery(sql=sql, relations={})

        # A project's table is what its statement says: all the files, each once. Typed, INTO adds to what is there.
        typed = job.origin != "file"
        add = typed and not statement.overwrite and step.asset in job.stations.warehouse.tables()
        return publish(step, statement, job, session, query, files, add=add)


def check_again(step: Step, statement: CreateTable, job: Job) -> Outcome:
    """Check what a table declares now of the rows that it has: none of them changes."""
    from tidemill.sql.table_options import check_table_options

    notes = check_table_options(statement).notes
    with job.session() as session:
        rows, checked = check_published(step, statement, job, session)
    version = load_assets(job.stations.db)[asset_key(step.asset)].version

    def record(tx: Tx) -> None:
        save_asset(tx, asset_of(step, statement, job, version=version))
        checked.save(tx, version=version)

    return Outcome(rows=rows, version=version, warnings=(*notes, *checked.warnings), record=record)


def _require_layout(statement: CreateTable, job: Job, session: Session, files: FileReads) -> None:
    """Say which key of the layout is no column, if that is what the engine did not understand."""
    from tidemill.sql.layout import require_keys

    try:
        opened, _ = bind(statement.query, job, session, files=files)
        names = session.schema(opened.sql, opened.relations).names
    except TidemillError:
        return  # it is the query itself that is wrong
    require_keys(statement.layout, names, table=statement.name)
