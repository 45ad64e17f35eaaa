"""INSERT INTO name SELECT ... FROM ML.PREDICT(...): rows added to a table, written down as a batch.

Each INSERT adds its rows, also when the same one was carried out before: the log says how often.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError, TidemillError
from tidemill.core.faults import fault
from tidemill.core.names import asset_key, did_you_mean, name_key, quote_name
from tidemill.core.who import current_user
from tidemill.registry.aliases import resolve
from tidemill.registry.lineage import name_of
from tidemill.runner.erased_rows import without_erased
from tidemill.runner.files import FileReads
from tidemill.runner.shape import start_of
from tidemill.runner.steps.job import Job, Outcome, bind
from tidemill.warehouse.control import scoring
from tidemill.warehouse.control.assets import load_assets, save_asset
from tidemill.warehouse.control.scoring import ScoringChunk, ScoringJob
from tidemill.warehouse.control.tables import save_table_version

if TYPE_CHECKING:
    from tidemill.planner.plan import Step
    from tidemill.runner.execute import OpenQuery
    from tidemill.sql.bound import BoundCall, BoundQuery
    from tidemill.sql.statements import InsertInto
    from tidemill.warehouse.control.database import Tx
    from tidemill.warehouse.protocol import Column, DataFile, Session, TableVersion

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_UNSIGNED = ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")
_WIDENED = {
    ("FLOAT", "DOUBLE"),
    ("DATE", "TIMESTAMP"),
    *((small, "DOUBLE") for small in (*_INTEGERS[:3], *_UNSIGNED[:3])),
    *((small, wide) for place, small in enumerate(_INTEGERS) for wide in _INTEGERS[place:]),
    *((small, wide) for place, small in enumerate(_UNSIGNED) for wide in (*_UNSIGNED[place:], *_INTEGERS[place + 1 :])),
}
"""Types whose every value another type has: what an INSERT turns by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A column of the query, and its type."""

    name: str
    type: str


def insert(step: Step, statement: InsertInto, job: Job) -> Outcome:
    """Carry out an INSERT: staged, then added in one transaction.

    Raises
    ------
    BindError
        The query's columns are not the table's.
    """
    stations = job.stations
    _settle(job, step.asset)
    with job.session() as session:
        loaded: dict[str, int] = {}
        files = FileReads(stations, session, sure=True)
        opened, bound = bind(statement.query, job, session, files=files, loaded=loaded)
        stations.warehouse.require_intact(bound.tables, session.version)
        sql = _fitted(statement, opened, session, stations.warehouse.columns(step.asset))
        logged = _jobs(step, statement, job, bound, session=session, loaded=loaded)
        with stations.db.write() as tx:
            for one in logged:
                scoring.add_job(tx, one)
        try:
            landed, rows = _add(step, job, session, sql, opened)
        except TidemillError as error:
            for one in logged:
                scoring.finish_job(stations.db, one.job_id, status="abandoned", error=error.as_json())
            raise

    def record(tx: Tx) -> None:
        save_table_version(tx, landed, fingerprint=step.fingerprint)
        asset = load_assets(tx).get(asset_key(step.asset))
        if asset is not None:
            save_asset(tx, replace(asset, version=landed.version, run_id=job.run_id))
        for one in logged:
            _end(tx, one.job_id, landed, rows)

    return Outcome(rows=rows, version=landed.version, record=record)


def _add(step: Step, job: Job, session: Session, sql: str, opened: OpenQuery) -> tuple[TableVersion, int]:
    warehouse = job.stations.warehouse
    attempt = f"{job.run_id}-{step.ordinal}"
    sql, _ = without_erased(job.stations, session, sql, opened.relations)
    staged = warehouse.stage(session, sql, opened.relations, table=step.asset, attempt=attempt)
    try:
        landed = warehouse.append(staged, run_id=job.run_id, step=step.name, guard=job.guard)
    except BaseException:
        warehouse.discard(staged)
        raise
    fault("insert.after_append")
    return landed, staged.rows


def _end(tx: Tx, job_id: str, landed: TableVersion, rows: int) -> None:
    place = {"table_version": landed.version}
    scoring.add_chunk(tx, job_id, ScoringChunk(chunk=0, first_row=0, rows=rows, place=place))
    scoring.finish_job(tx, job_id, status="done", rows=rows, output_version=place)


def _settle(job: Job, table: str) -> None:
    """INSERTs of processes that died: the lake says whether their rows are there. This run holds the lease alone."""
    stations = job.stations
    for one in scoring.open_jobs(stations.db, asset_key(table), "insert"):
        landed = stations.warehouse.landed(one.input_version["run"], one.input_version["step"])
        if landed is None:
            scoring.finish_job(stations.db, one.job_id, status="abandoned")
            continue
        files = stations.warehouse.files(table, landed.version)
        before = {file.path for file in _files_before(job, table, landed.version)}
        with stations.db.write() as tx:
            _end(tx, one.job_id, landed, sum(file.rows for file in files if file.path not in before))


def _files_before(job: Job, table: str, version: int) -> Sequence[DataFile]:
    earlier = [one.version for one in job.stations.warehouse.history(table) if one.version < version]
    return job.stations.warehouse.files(table, max(earlier)) if earlier else ()


def _jobs(
    step: Step, statement: InsertInto, job: Job, bound: BoundQuery, *, session: Session, loaded: Mapping[str, int]
) -> list[ScoringJob]:
    """A row of the log for each version that the query scores with."""
    visible = {asset_key(name): version for name, version in job.stations.warehouse.tables(session.version).items()}
    tables = {asset_key(name): visible[asset_key(name)] for name in bound.tables if asset_key(name) in visible}
    found: dict[tuple[str, int], ScoringJob] = {}
    for call in _predictions(bound.calls):
        number = call.version if isinstance(call.version, int) else loaded[name_of(call.model, call.version)]
        version = resolve(job.stations.db, call.model.partition("@")[0], number)
        found[name_key(version.name), version.version] = ScoringJob(
            job_id=job.run_id if not found else f"{job.run_id}-{len(found) + 1}",
            kind="insert",
            model=version.name,
            version=version.version,
            digest=version.digest,
            input=" ".join(statement.query.source.text.split()),
            input_version={"snapshot": session.version, "tables": tables, "run": job.run_id, "step": step.name},
            output=asset_key(step.asset),
            who=current_user(),
        )
    return list(found.values())


def _predictions(calls: Iterable[BoundCall]) -> Iterator[BoundCall]:
    for call in calls:
        if call.function == "ML.PREDICT":
            yield call
        for query in call.inputs:
            yield from _predictions(query.calls)


def _fitted(statement: InsertInto, opened: OpenQuery, session: Session, table: Sequence[Column]) -> str:
    """The query with the table's columns, in the table's order and types.

    Raises
    ------
    BindError
        A column is unknown, missing, or of a type that would lose something.
    """
    given = _given(opened, session)
    by_key = {name_key(column.name): column for column in table}
    targets = _targets(statement, given, by_key)
    parts = []
    for column in table:
        source = targets.get(name_key(column.name))
        if source is None:
            parts.append(f"CAST(NULL AS {column.type}) AS {quote_name(column.name)}")
            continue
        if source.type not in (column.type, '"NULL"') and (source.type, column.type) not in _WIDENED:
            raise BindError(
                f"column {column.name} of table {statement.name} is {column.type}; the query has {source.type} for it",
                where=start_of(statement.source),
                hint=f"cast it in the query: CAST({source.name} AS {column.type})",
                column=column.name,
            )
        parts.append(f"CAST({quote_name(source.name)} AS {column.type}) AS {quote_name(column.name)}")
    return f"SELECT {', '.join(parts)} FROM ({opened.sql}\n) AS tm_rows"


def _given(opened: OpenQuery, session: Session) -> list[_Given]:
    sql = f"SELECT column_name, column_type FROM (DESCRIBE {opened.sql}\n) AS tm_columns"
    rows = session.query(sql, opened.relations).read_all().to_pylist()
    return [_Given(name=row["column_name"], type=row["column_type"]) for row in rows]


def _targets(statement: InsertInto, given: Sequence[_Given], table: Mapping[str, Column]) -> dict[str, _Given]:
    """The query's column for each of the table's: by place when the statement lists columns, else by name."""
    where = start_of(statement.source)
    names = statement.into or tuple(column.name for column in given)
    if len(names) != len(given):
        raise BindError(
            f"the statement lists {len(names)} columns and the query has {len(given)}",
            where=where,
            hint=f"the query has {', '.join(column.name for column in given)}",
        )
    targets: dict[str, _Given] = {}
    for name, column in zip(names, given, strict=True):
        key = name_key(name)
        if key not in table:
            raise BindError(
                f"table {statement.name} has no column {name}",
                where=where,
                hint=did_you_mean(name, [one.name for one in table.values()]),
                column=name,
            )
        if key in targets:
            raise BindError(f"column {name} stands twice", where=where, hint="leave one out", column=name)
        targets[key] = column
    missing = [column.name for key, column in table.items() if key not in targets]
    if missing and not statement.into:
        raise BindError(
            f"the query has no column for {', '.join(missing)} of table {statement.name}",
            where=where,
            hint=f"add it, or list the columns that are given: INSERT INTO {statement.name} ({', '.join(names)}) ...",
            missing=missing,
        )
    return targets
