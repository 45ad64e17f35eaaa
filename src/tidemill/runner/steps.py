"""One function per kind of step: each calls the stations and hands back what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tidemill.core.errors import (
    BindError,
    DataError,
    InternalError,
    NotFoundError,
    SourceError,
    TidemillError,
    UnsupportedError,
)
from tidemill.core.names import asset_key
from tidemill.planner.increments import TOLD
from tidemill.planner.plan import Step
from tidemill.registry.lineage import name_of
from tidemill.runner.checking import check_assertion, check_rows
from tidemill.runner.column_changes import tell_changes
from tidemill.runner.column_notes import hidden_in, require_columns
from tidemill.runner.execute import OpenQuery, open_query
from tidemill.runner.files import FileReads, Made
from tidemill.runner.placing import place
from tidemill.runner.shape import load_limit, load_read, start_of, typed_query, types_of
from tidemill.runner.stations import Stations
from tidemill.sources.bad_rows import BadRowsError, without_values
from tidemill.sql.statements import (
    CHECKS,
    Assert,
    CreateModel,
    CreateTable,
    CreateView,
    InsertInto,
    LoadData,
    Other,
    Query,
    Statement,
)
from tidemill.warehouse.control import leases
from tidemill.warehouse.control.assets import Asset, load_assets, remove_asset, save_asset
from tidemill.warehouse.control.leases import Lease
from tidemill.warehouse.control.rejects import forget_newest, save_rejects
from tidemill.warehouse.control.tables import save_table_version

if TYPE_CHECKING:
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.checking import Checked
    from tidemill.runner.increments.checks import Again
    from tidemill.sql.bound import BoundQuery
    from tidemill.sql.incremental import Incremental
    from tidemill.sql.table_options import TableOptions
    from tidemill.warehouse.control.database import Tx
    from tidemill.warehouse.protocol import Session, Staged, TableVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run as its steps see it: the stations, who runs, and what the statements are.

    Parameters
    ----------
    snapshot
        The oldest snapshot of the warehouse in which everything a step reads is as it should be; None is the newest.
    insert
        Carries out INSERT; a project's files have none.
    forget_gone_files
        Whether an incremental table that is built whole may lose the rows of files that are gone.
    """

    stations: Stations
    run_id: str
    lease: Lease
    statement: Callable[[Step], Statement]
    views: Mapping[str, Query]
    origin: str = "file"
    snapshot: int | None = None
    insert: Callable[[Step, InsertInto, Job], Outcome] | None = None
    forget_gone_files: bool = False

    def session(self) -> Session:
        """A reader that sees what a step reads."""
        return self.stations.session(at_least=self.snapshot)

    def guard(self) -> None:
        """Refuse to go on when another run took over."""
        leases.require(self.stations.db, self.lease)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a step that went well, and what its end must write besides.

    ``unchanged`` says that the asset is as it was: its readers have nothing to do on its account.
    """

    rows: int | None = None
    version: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    record: Callable[[Tx], None] | None = None
    unchanged: bool = False
    deleted: int = 0


Progress = Callable[[str, int, int], None]
"""Told a message, how much is done, and of how much (0 when unknown)."""


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
            return _check_again(step, statement, job)
        return _make(step, statement, job, progress)
    except TidemillError as error:
        place(error, statement.source)
        raise


def _make(step: Step, statement: Statement, job: Job, progress: Progress) -> Outcome:
    match statement:
        case CreateTable():
            return _build_table(step, statement, job)
        case LoadData():
            return _load_data(step, statement, job)
        case CreateModel():
            return _train_model(step, statement, job, progress)
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


def asset_of(step: Step, statement: Statement | None, job: Job, *, version: int | None) -> Asset:
    """The record of what a step made, with which the next plan compares."""
    return Asset(
        name=step.asset,
        kind=step.kind,
        fingerprint=step.fingerprint,
        version=version,
        parts=step.parts,
        reads=step.reads,
        origin=job.origin,
        file=step.file,
        line=step.line,
        statement=statement.source.text if statement else "",
        dialect=statement.source.dialect if statement else "",
        run_id=job.run_id,
    )


def bind(
    query: Query, job: Job, session: Session, *, files: FileReads, loaded: dict[str, int] | None = None
) -> tuple[OpenQuery, BoundQuery]:
    """A query of the project, bound and opened on a session.

    Parameters
    ----------
    files
        How the files it names are read.
    loaded
        Filled with the versions of the models that the query names without a number (see `lineage.name_of`).
    """
    bound = job.stations.bind(query, views=job.views, files=files.sql)
    context = job.stations.context(session)

    def load(name: str, version: int | str | None) -> LoadedModel:
        model = context.load_model(name, version)
        if not isinstance(version, int) and loaded is not None:
            loaded[name_of(model.name, version)] = model.version
        return model

    return open_query(bound, replace(context, load_model=load)), bound


def _build_table(step: Step, statement: CreateTable, job: Job) -> Outcome:
    from tidemill.sql.incremental import incremental_of
    from tidemill.sql.layout import laid_out
    from tidemill.sql.reads import takes_all
    from tidemill.sql.table_options import check_table_options

    engine = job.stations.warehouse.dialect
    options = check_table_options(statement)
    rule = incremental_of(statement, options.values)
    if rule is not None:
        rule = replace(rule, hidden=hidden_in(statement, job.stations.settings.tables))
        return _build_incremental(step, statement, job, rule, options=options)
    types = types_of(statement.columns, statement.source, engine) if takes_all(statement.query) else {}
    with job.session() as session:
        files = FileReads(
            job.stations,
            session,
            max_bad_rows=options.values["max_bad_rows"],
            planned=job.origin == "file",
            types=types,
        )

        bound: list[OpenQuery] = []

        def query() -> OpenQuery:
            opened, _ = bind(laid_out(statement.query, statement.layout), job, session, files=files)
            bound[:] = [opened]
            if not statement.columns:
                return opened
            schema = session.schema(opened.sql, opened.relations)
            read = files.read if takes_all(statement.query) else ()
            sql = typed_query(
                opened.sql, statement.columns, schema=schema, source=statement.source, engine=engine, files=read
            )
            return replace(opened, sql=sql)

        try:
            outcome = _publish(step, statement, job, session, query, files)
        except (BindError, DataError) as error:
            if isinstance(error, BindError) and statement.layout:
                _require_layout(statement, job, session, files)
            if bound and not isinstance(error, SourceError):
                tell_changes(error, statement, warehouse=job.stations.warehouse, session=session, opened=bound[0])
            raise
    return replace(outcome, warnings=(*options.notes, *session.notes, *outcome.warnings))


def _require_layout(statement: CreateTable, job: Job, session: Session, files: FileReads) -> None:
    """Say which key of the layout is no column, if that is what the engine did not understand."""
    from tidemill.sql.layout import require_keys

    try:
        opened, _ = bind(statement.query, job, session, files=files)
        names = session.schema(opened.sql, opened.relations).names
    except TidemillError:
        return  # it is the query itself that is wrong
    require_keys(statement.layout, names, table=statement.name)


def _check_again(step: Step, statement: CreateTable, job: Job) -> Outcome:
    """Check what a table declares now of the rows that it has: none of them changes."""
    from tidemill.sql.table_options import check_table_options

    notes = check_table_options(statement).notes
    with job.session() as session:
        rows, checked = _check_published(step, statement, job, session)
    version = load_assets(job.stations.db)[asset_key(step.asset)].version

    def record(tx: Tx) -> None:
        save_asset(tx, asset_of(step, statement, job, version=version))
        checked.save(tx, version=version)

    return Outcome(rows=rows, version=version, warnings=(*notes, *checked.warnings), record=record)


def _check_published(step: Step, statement: CreateTable, job: Job, session: Session) -> tuple[int, Checked]:
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


def _again(step: Step, known: Asset | None) -> Again:
    """Which checks are to be made of the rows that an incremental table has already, because they changed."""
    if known is None or known.parts.get(CHECKS) != step.parts.get(CHECKS):
        return "all"
    return "others" if any(known.reads.get(name) != step.reads.get(name) for name in step.checked) else "none"


def _build_incremental(
    step: Step, statement: CreateTable, job: Job, rule: Incremental, *, options: TableOptions
) -> Outcome:
    from tidemill.runner.increments.build import IncrementalStep
    from tidemill.sql.reads import takes_all

    engine = job.stations.warehouse.dialect
    types = types_of(statement.columns, statement.source, engine) if takes_all(statement.query) else {}
    known = load_assets(job.stations.db).get(asset_key(step.asset))
    with job.session() as session:
        files = FileReads(job.stations, session, max_bad_rows=options.values["max_bad_rows"], types=types)
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
        built = _kept_apart(step, job, files, at_work.build, hidden=rule.hidden)
        checked = built.checked
        if checked is None and at_work.again != "none":
            _, checked = _check_published(step, statement, job, session)
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
            _save_rejects(tx, step, job, files, whole=False, hidden=rule.hidden)
            if checked is not None:
                checked.save(tx, version=same.version)

        return Outcome(warnings=warnings, record=stay, unchanged=True)

    def record(tx: Tx) -> None:
        _record_table(tx, step, statement, job, landed=built.landed)
        _save_rejects(tx, step, job, files, whole=built.landed.action == "replace", hidden=rule.hidden)
        if checked is not None:
            checked.save(tx, version=built.landed.version)

    return Outcome(
        rows=built.rows, version=built.landed.version, warnings=warnings, record=record, deleted=built.deleted
    )


def _kept_apart(step: Step, job: Job, files: FileReads, make: Callable[[], Made], *, hidden: frozenset[str]) -> Made:
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
        save_rejects(job.stations.db, job.run_id, step.name, table=step.asset, rows=told.rows, files=read)
        raise told from None


def _save_rejects(tx: Tx, step: Step, job: Job, files: FileReads, *, whole: bool, hidden: frozenset[str]) -> None:
    """Write down what was not loaded, in the place of what an earlier load told of the table, or of the same files."""
    read = None if whole else files.read
    rows = without_values(files.bad_rows, hidden)
    save_rejects(tx, job.run_id, step.name, table=step.asset, rows=rows, files=read)


def _publish(
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

    def stage() -> Staged:
        opened = query()
        attempt = f"{job.run_id}-{step.ordinal}"
        return warehouse.stage(session, opened.sql, opened.relations, table=step.asset, attempt=attempt)

    hidden = hidden_in(statement, job.stations.settings.tables)
    staged = _kept_apart(step, job, files, stage, hidden=hidden)
    try:
        require_columns(step.asset, staged.columns, job.stations.settings.tables)
        files.require_same()
        checked = check_rows(
            statement, stations=job.stations, session=session, staged=staged, run_id=job.run_id, step=step.name
        )
        put = warehouse.append if add else warehouse.publish
        landed = put(staged, run_id=job.run_id, step=step.name, guard=job.guard)
    except BaseException:
        warehouse.discard(staged)
        raise

    def record(tx: Tx) -> None:
        _record_table(tx, step, statement, job, landed=landed)
        checked.save(tx, version=landed.version)
        _save_rejects(tx, step, job, files, whole=not add, hidden=hidden)

    warnings = (*files.warnings, *checked.warnings)
    return Outcome(rows=staged.rows, version=landed.version, warnings=warnings, record=record)


def _record_table(tx: Tx, step: Step, statement: Statement, job: Job, *, landed: TableVersion) -> None:
    save_table_version(tx, landed, fingerprint=step.fingerprint)
    save_asset(tx, asset_of(step, statement, job, version=landed.version))


def _load_data(step: Step, statement: LoadData, job: Job) -> Outcome:
    engine = job.stations.warehouse.dialect
    read = load_read(statement)
    with job.session() as session:
        types = types_of(statement.columns, statement.source, engine)
        files = FileReads(
            job.stations, session, max_bad_rows=load_limit(statement), planned=job.origin == "file", types=types
        )

        def query() -> OpenQuery:
            sql = files.sql(read)
            if sql is None:
                raise SourceError(
                    f"there is no file {', '.join(read.patterns)}",
                    where=start_of(statement.source),
                    hint="file names are looked up from the project's folder",
                )
            if statement.columns:
                schema = session.schema(sql)
                sql = typed_query(
                    sql, statement.columns, schema=schema, source=statement.source, engine=engine, files=files.read
                )
            return OpenQuery(sql=sql, relations={})

        # A project's table is what its statement says: all the files, each once. Typed, INTO adds to what is there.
        typed = job.origin != "file"
        add = typed and not statement.overwrite and step.asset in job.stations.warehouse.tables()
        return _publish(step, statement, job, session, query, files, add=add)


def _insert(step: Step, statement: InsertInto, job: Job) -> Outcome:
    from tidemill.sql.parse_other import IN_FILES

    if job.insert is None:
        raise UnsupportedError(f"INSERT is not carried out: {IN_FILES}", where=start_of(statement.source))
    return job.insert(step, statement, job)


def _train_model(step: Step, statement: CreateModel, job: Job, progress: Progress) -> Outcome:
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
