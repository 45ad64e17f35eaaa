"""Statements typed by a person: queries answered, CREATE and DROP carried out at once, as a run of one step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tidemill.core.errors import (
    ContractError,
    ExistsError,
    NotFoundError,
    ParseError,
    TidemillError,
    UnsupportedError,
)
from tidemill.core.names import asset_key, did_you_mean
from tidemill.core.rows import Rows, rows_of_table
from tidemill.core.source_tables import made_name, refuse_source_name
from tidemill.planner.decide import ACTIONS
from tidemill.planner.plan import Action, Plan, Step
from tidemill.runner.claim import claimed_run
from tidemill.runner.execute import open_query
from tidemill.runner.files import FileReads
from tidemill.runner.placing import place
from tidemill.runner.report import RunReport
from tidemill.runner.result import Result
from tidemill.runner.shape import start_of
from tidemill.runner.steps.job import Job
from tidemill.runner.views import SavedViews
from tidemill.sql.statements import (
    Assert,
    CreateModel,
    CreateTable,
    CreateView,
    DropModel,
    DropTable,
    InsertInto,
    LoadData,
    Other,
    Query,
    Select,
    Statement,
)
from tidemill.warehouse.control.assets import load_assets

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.runner.events import Event
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.leases import Lease

Listener = Callable[["Event"], None]


def run_text(stations: Stations, text: str, *, dialect: str, file: str = "<sql>", listen: Listener) -> Result:
    """Carry out the statements of a text, in order; the rows of the last one are the result.

    Raises
    ------
    TidemillError
        What is wrong with a statement; the ones before it are done.
    """
    result: Result | None = None
    for each in run_each(stations, text, dialect=dialect, file=file, listen=listen):
        result = each
    assert result is not None  # noqa: S101 - there was at least one statement
    return result


def run_each(stations: Stations, text: str, *, dialect: str, file: str = "<sql>", listen: Listener) -> Iterator[Result]:
    """Carry out the statements of a text, each when its result is asked for; nothing is done if one cannot be read.

    Raises
    ------
    TidemillError
        What is wrong with a statement; the ones before it are done.
    """
    from tidemill.sql.parse import parse_text

    statements = parse_text(text, file=file, dialect=dialect)
    if not statements:
        raise ParseError("there is no statement here", hint="write one, such as: SELECT 1")
    for statement in statements:
        try:
            result = _run_one(stations, statement, listen)
        except TidemillError as error:
            place(error, statement.source)
            raise
        yield result


def _run_one(stations: Stations, statement: Statement, listen: Listener) -> Result:
    match statement:
        case Select():
            return _query(stations, statement.query)
        case Assert():
            return _assert(stations, statement)
        case DropModel() | DropTable():
            return _drop(stations, statement, listen)
        case InsertInto():
            return _insert(stations, statement, listen)
        case Other():
            raise UnsupportedError(
                f"{statement.what} is not carried out: {statement.reason}", where=start_of(statement.source)
            )
        case _:
            return _create(stations, statement, listen)


def _query(stations: Stations, query: Query) -> Result:
    session = stations.session()
    files = FileReads(stations, session)
    bound = stations.bind(query, views=SavedViews(load_assets(stations.db)), files=files.sql)
    opened = open_query(bound, stations.context(session))
    schema = session.schema(opened.sql, opened.relations)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from session.query(opened.sql, opened.relations)
        files.require_same()

    return Result(Rows(schema, batches), session)


def _assert(stations: Stations, statement: Assert) -> Result:
    result = _query(stations, statement.query)
    rows = result.fetchall()
    if statement.enforced and (not rows or rows[0][0] is not True):
        raise ContractError(statement.message or "the assertion does not hold", where=start_of(statement.source))
    return Result(rows_of_table(result.to_arrow()), asked_for=False)


def _create(
    stations: Stations, statement: CreateTable | CreateView | CreateModel | LoadData, listen: Listener
) -> Result:
    from tidemill.sql.summarise import summarise

    _refuse_source(stations, statement)
    existing = load_assets(stations.db).get(asset_key(statement.name))
    if existing is not None:
        if existing.origin == "file":
            raise ExistsError(
                f"{statement.name} is made by {existing.file}:{existing.line}",
                where=start_of(statement.source),
                hint="change it there and run, or choose another name",
            )
        if not isinstance(statement, LoadData):
            if getattr(statement, "if_not_exists", False):
                return _told(statement.name, existing.kind, existing.version, None)
            if not getattr(statement, "replace", True):
                raise ExistsError(
                    f"{statement.name} exists already", where=start_of(statement.source), hint="say CREATE OR REPLACE"
                )
    summary = summarise(statement, 0)
    step = _typed_step(
        statement.name, summary.kind, ACTIONS[summary.kind], fingerprint=summary.digest, parts=dict(summary.parts)
    )
    return _run_step(stations, step, statement, listen)


def _refuse_source(
    stations: Stations, statement: CreateTable | CreateView | CreateModel | LoadData | InsertInto
) -> None:
    whole = made_name(statement.name, statement.project)
    refuse_source_name(whole, stations.settings.connections, start_of(statement.source))


def _insert(stations: Stations, statement: InsertInto, listen: Listener) -> Result:
    """Rows that ML.PREDICT gives, added to a table that no file of the project makes."""
    from tidemill.sql.summarise import summarise

    _refuse_source(stations, statement)
    known = stations.warehouse.tables()
    names = {asset_key(name): name for name in known}
    if asset_key(statement.name) not in names:
        raise NotFoundError(
            f"there is no table {statement.name}",
            where=start_of(statement.source),
            hint=did_you_mean(statement.name, known) or "CREATE TABLE ... AS SELECT ... makes one",
            name=statement.name,
        )
    asset = load_assets(stations.db).get(asset_key(statement.name))
    if asset is not None and asset.origin == "file":
        raise ExistsError(
            f"{asset.name} is made by {asset.file}:{asset.line}; a run would make it again without these rows",
            where=start_of(statement.source),
            hint="insert into a table of its own",
        )
    summary = summarise(statement, 0)
    name = names[asset_key(statement.name)]
    step = _typed_step(name, "table", "insert", fingerprint=summary.digest, parts=dict(summary.parts))
    return _run_step(stations, step, statement, listen)


def _drop(stations: Stations, statement: DropModel | DropTable, listen: Listener) -> Result:
    assets = load_assets(stations.db)
    asset = assets.get(asset_key(statement.name))
    want = "model" if isinstance(statement, DropModel) else statement.kind
    if asset is None or (asset.kind == "model") != (want == "model"):
        if statement.if_exists:
            return _told(statement.name, want, None, None)
        known = [item.name for item in assets.values() if (item.kind == "model") == (want == "model")]
        raise NotFoundError(
            f"there is no {want} {statement.name}",
            where=start_of(statement.source),
            hint=did_you_mean(statement.name, known),
        )
    if asset.origin == "file":
        raise ExistsError(
            f"{asset.name} is made by {asset.file}:{asset.line}; a run would make it again",
            where=start_of(statement.source),
            hint="delete its statement and run: that drops it",
        )
    step = _typed_step(asset.name, asset.kind, "drop", fingerprint=asset.fingerprint, parts={})
    return _run_step(stations, step, statement, listen)


def _typed_step(asset: str, kind: str, action: Action, *, fingerprint: str, parts: dict[str, str]) -> Step:
    """The one step of a statement that was typed."""
    return Step(
        ordinal=0,
        asset=asset,
        kind=kind,
        action=action,
        reason="asked for",
        depends=(),
        file="",
        line=0,
        statement=0,
        fingerprint=fingerprint,
        reads={},
        parts=parts,
    )


def _run_step(stations: Stations, step: Step, statement: Statement, listen: Listener) -> Result:
    from tidemill.runner.batch.insert import insert

    def make() -> tuple[Plan, Callable[[str, Lease], Job]]:
        views = SavedViews(load_assets(stations.db))

        def job(run_id: str, lease: Lease) -> Job:
            return Job(
                stations=stations,
                run_id=run_id,
                lease=lease,
                statement=lambda _: statement,
                views=views,
                origin="sql",
                insert=insert,
            )

        return Plan(steps=(step,)), job

    report: RunReport = claimed_run(
        stations, make, selectors=(step.asset,), full_refresh=False, wait_s=0, listen=listen
    )
    done = report.steps[0]
    if done.error is not None:
        raise done.error
    return _told(step.asset, step.kind, done.version, done.rows)


def _told(name: str, kind: str, version: int | None, rows: int | None) -> Result:
    """What a statement without rows of its own answers."""
    import pyarrow as pa

    table = pa.table(
        {
            "name": [name],
            "kind": [kind],
            "version": pa.array([version], pa.int64()),
            "rows": pa.array([rows], pa.int64()),
        }
    )
    return Result(rows_of_table(table), asked_for=False)
