"""The checks of a project on what is in the lake now: nothing is built, every result is recorded.

A project whose files did not change needs no parser here, and no lake: the contracts are with the summaries, and the
rows are read from the tables' files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tidemill.contracts.audit import check_contract
from tidemill.contracts.result import CheckResult
from tidemill.contracts.table_rules import Past
from tidemill.contracts.verdict import sentence
from tidemill.core.columns import Notes, hidden_names
from tidemill.core.errors import NotFoundError, TidemillError, Where
from tidemill.core.names import asset_key, did_you_mean
from tidemill.runner.checking import assertion_result, past_of
from tidemill.runner.placing import line_at, place
from tidemill.sql.contract import Contract, contract_from_json, contract_of, hiding
from tidemill.sql.statements import Assert, CreateTable, Statement, Summary
from tidemill.warehouse.control.checks import save_checks

if TYPE_CHECKING:
    from tidemill.core.clock import Clock
    from tidemill.runner.stations import Stations
    from tidemill.sql.statements import Query
    from tidemill.warehouse.control.database import Database
    from tidemill.warehouse.protocol import Warehouse


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A check that does not hold: in words, and where it stands."""

    result: CheckResult
    sentence: str
    where: Where | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """What came of the checks of one table, or of one assertion (``version`` is None).

    ``error`` says why they could not be made.
    """

    name: str
    version: int | None
    rows: int
    results: tuple[CheckResult, ...]
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    error: TidemillError | None = None

    @property
    def held(self) -> bool:
        """Whether every enforced check holds."""
        return self.error is None and not any(result.enforced for result in self.results if not result.passed)

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "table": self.name,
            "version": self.version,
            "rows": self.rows,
            "held": self.held,
            "seconds": self.seconds,
            "error": self.error.as_json() if self.error else None,
            "checks": [{**asdict(result), "status": result.status} for result in self.results],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What came of all checks that were asked for."""

    run_id: str
    tables: tuple[TableReport, ...]
    unbuilt: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether every enforced check holds."""
        return all(table.held for table in self.tables)

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "run_id": self.run_id,
            "held": self.held,
            "tables": [table.as_json() for table in self.tables],
            "unbuilt": list(self.unbuilt),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a check needs of the project. ``stations`` is called for what needs more than the tables' files.

    ``notes`` are those of the settings.
    """

    db: Database
    warehouse: Warehouse
    clock: Clock
    summaries: Sequence[Summary]
    statement: Callable[[Summary], Statement]
    views: Mapping[str, Query]
    stations: Callable[[], Stations]
    notes: Notes


def check_tables(asked: Asked, names: Sequence[str] = ()) -> CheckReport:
    """Check tables, or all of them, and the assertions that read them.

    Raises
    ------
    NotFoundError
        A name is no table of the project, or one that is not built yet.
    """
    tables = {asset_key(item.name): item for item in asked.summaries if item.kind in {"table", "load"}}
    wanted = _wanted(tables, names)
    built = {asset_key(name) for name in asked.warehouse.tables()}
    unbuilt = [tables[key].name for key in wanted if key not in built]
    if names and unbuilt:
        raise NotFoundError(f"table {unbuilt[0]} is not built yet", hint=f"tidemill run {unbuilt[0]}")
    run_id = asked.clock.new_id()
    reports: list[TableReport] = []
    for key in wanted:
        if key in built and (names or tables[key].contract):
            reports.append(_recorded(asked, run_id, tables[key], _check_table(asked, tables[key])))
    missing = tables.keys() - built
    for summary in asked.summaries:
        reads = {asset_key(name) for name in summary.tables}
        if summary.kind == "assert" and (not names or reads & set(wanted)) and not reads & missing:
            reports.append(_recorded(asked, run_id, summary, _check_assertion(asked, summary)))
    return CheckReport(run_id=run_id, tables=tuple(reports), unbuilt=tuple(unbuilt))


def _wanted(tables: Mapping[str, Summary], names: Sequence[str]) -> list[str]:
    for name in names:
        if asset_key(name) not in tables:
            hint = did_you_mean(name, [item.name for item in tables.values()])
            raise NotFoundError(f"no statement of the project makes a table {name}", hint=hint)
    return list(dict.fromkeys(map(asset_key, names))) if names else list(tables)


def _check_table(asked: Asked, summary: Summary) -> TableReport:
    started = time.perf_counter()
    tables = {asset_key(name): version for name, version in asked.warehouse.tables().items()}
    version = tables[asset_key(summary.name)]
    staged = asked.warehouse.resting(summary.name)
    try:
        contract = hiding(_contract(asked, summary), hidden_names(asked.notes.get(asset_key(summary.name))))
        now = asked.clock.now()
        past = past_of(asked.warehouse, summary.name, now=now, published=True) if contract.rules else Past(now=now)
        referenced = _referenced(contract)
        others = {name: asked.warehouse.resting(name) for name in referenced if asset_key(name) in tables}
        read = [staged, *others.values(), *([past.before] if past.before else [])]
        by_name = any(rows.by_name for rows in read) or any(rule.shape == "query" for rule in contract.constraints)
        by_name = by_name or len(others) < len(referenced)  # tables of connections
        with asked.stations().session() if by_name else asked.warehouse.session(tables=False) as session:
            results = check_contract(
                session,
                staged,
                contract,
                past=past,
                dialect="",
                engine=asked.warehouse.dialect,
                file=summary.file,
                relations=lambda name: (
                    others[name].relation if name in others else asked.stations().relation(session, name)
                ),
            )
    except TidemillError as error:
        place(error, asked.statement(summary).source)
        return TableReport(name=summary.name, version=version, rows=staged.rows, results=(), error=error)
    return TableReport(
        name=summary.name,
        version=version,
        rows=staged.rows,
        results=tuple(results),
        failures=_failures(asked, summary, results),
        seconds=time.perf_counter() - started,
    )


def _referenced(contract: Contract) -> set[str]:
    return {rule.table for rule in contract.constraints if rule.kind == "references"}


def _contract(asked: Asked, summary: Summary) -> Contract:
    if not summary.contract.get("wrong"):
        return contract_from_json(summary.contract)
    statement = asked.statement(summary)
    assert isinstance(statement, CreateTable)  # noqa: S101 - only these have contracts
    return contract_of(statement, engine=asked.warehouse.dialect)  # raises what is wrong


def _check_assertion(asked: Asked, summary: Summary) -> TableReport:
    from tidemill.runner.execute import open_query
    from tidemill.runner.files import FileReads

    started = time.perf_counter()
    statement = asked.statement(summary)
    assert isinstance(statement, Assert)  # noqa: S101 - the summary says so
    name = ", ".join(summary.tables)
    stations = asked.stations()
    try:
        with stations.session() as session:
            files = FileReads(stations, session, sure=True)
            bound = stations.bind(statement.query, views=asked.views, files=files.sql)
            opened = open_query(bound, stations.context(session))
            result = assertion_result(statement, session=session, opened=opened)
    except TidemillError as error:
        place(error, statement.source)
        return TableReport(name=summary.name, version=None, rows=0, results=(), error=error)
    failures = () if result.passed else (
        Failure(result=result, sentence=result.check, where=line_at(statement.source, result.line, result.column)),
    )  # fmt: skip
    return TableReport(
        name=name or summary.name, version=None, rows=1, results=(result,), failures=failures,
        seconds=time.perf_counter() - started,
    )  # fmt: skip


def _failures(asked: Asked, summary: Summary, results: Sequence[CheckResult]) -> tuple[Failure, ...]:
    broken = [result for result in results if not result.passed]
    if not broken:
        return ()
    source = asked.statement(summary).source
    return tuple(
        Failure(result=result, sentence=sentence(result), where=line_at(source, result.line, result.column))
        for result in broken
    )


def _recorded(asked: Asked, run_id: str, summary: Summary, report: TableReport) -> TableReport:
    save_checks(
        asked.db,
        run_id,
        f"check {summary.name}",
        table=report.name,
        results=report.results,
        version=report.version,
        origin="check",
    )
    return report
