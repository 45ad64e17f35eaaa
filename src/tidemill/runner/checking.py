"""The checks of a step: what a statement declares, on the rows it is about, and what came of it for the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from tidemill.contracts.audit import check_contract
from tidemill.contracts.result import CheckResult
from tidemill.contracts.table_rules import Past
from tidemill.contracts.verdict import require
from tidemill.core.columns import hidden_names
from tidemill.core.errors import ContractError, NotFoundError
from tidemill.core.names import asset_key
from tidemill.runner.assertion_values import told_values
from tidemill.runner.placing import line_at
from tidemill.sql.contract import contract_of, hiding
from tidemill.sql.statements import Assert, CreateTable, LoadData
from tidemill.warehouse.control.checks import save_checks

if TYPE_CHECKING:
    from tidemill.runner.execute import OpenQuery
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.database import Tx
    from tidemill.warehouse.protocol import Session, Staged, Warehouse


STAND = "its rows stand as they are"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of the checks of a step: warnings for its report, results for the record."""

    run_id: str
    step: str
    table: str
    results: Sequence[CheckResult]
    warnings: tuple[str, ...] = ()

    def save(self, tx: Tx, *, version: int | None = None) -> None:
        """Write the results, in the commit that ends the step."""
        save_checks(tx, self.run_id, self.step, table=self.table, results=self.results, version=version)


def check_rows(
    statement: CreateTable | LoadData,
    *,
    stations: Stations,
    session: Session,
    staged: Staged,
    run_id: str,
    step: str,
    published: bool = False,
) -> Checked:
    """Check what a statement declares on rows that nobody sees yet, or with ``published`` on those of the table.

    Parameters
    ----------
    staged
        The rows as the table would have them. Only ``table``, ``columns``, ``rows`` and ``relation`` are read: any
        relation of the session will do (see `contracts.audit.audit`).

    Raises
    ------
    ContractError
        An enforced check fails; it is recorded all the same.
    """
    source, engine = statement.source, stations.warehouse.dialect
    results: Sequence[CheckResult] = ()
    if isinstance(statement, CreateTable) and (contract := contract_of(statement, engine=engine)):
        now = stations.clock.now()
        past = (
            past_of(stations.warehouse, staged.table, now=now, published=published) if contract.rules else Past(now=now)
        )
        results = check_contract(
            session,
            staged,
            hiding(contract, hidden_names(stations.settings.tables.get(asset_key(staged.table)))),
            past=past,
            dialect=source.dialect,
            engine=engine,
            file=source.file,
            relations=partial(stations.relation, session),
        )
    try:
        outcome = {"outcome": STAND} if published else {}
        warnings = require(staged.table, results, lambda result: line_at(source, result.line, result.column), **outcome)
    except ContractError:
        save_checks(stations.db, run_id, step, table=staged.table, results=results)
        raise
    return Checked(run_id=run_id, step=step, table=staged.table, results=results, warnings=warnings)


def past_of(warehouse: Warehouse, table: str, *, now: datetime, published: bool = False) -> Past:
    """The versions of a table that a new one, or with ``published`` the newest, is compared with."""
    try:
        versions = warehouse.history(table)[1 if published else 0 :]
    except NotFoundError:
        return Past(now=now)
    row_counts = [found.rows for found in versions]
    try:
        before = warehouse.resting(table, versions[0].version) if versions else None
    except NotFoundError:
        before = None  # the table was dropped since, or `tidemill maintain` let the version go
    return Past(now=now, row_counts=row_counts, before=before)


def check_assertion(
    statement: Assert, *, stations: Stations, session: Session, opened: OpenQuery, tables: Sequence[str], run_id: str,
    step: str,
) -> Checked:  # fmt: skip
    """Check that an assertion is true; NULL is not. One that is not enforced warns.

    Raises
    ------
    ContractError
        It does not hold; it is recorded all the same.
    """
    result = assertion_result(statement, session=session, opened=opened)
    checked = Checked(run_id=run_id, step=step, table=", ".join(tables), results=(result,))
    values = "" if result.passed else told_values(opened, session)
    if not result.passed and not result.enforced:
        return replace(checked, warnings=(f"does not hold: {result.check}{values}",))
    if not result.passed:
        save_checks(stations.db, run_id, step, table=checked.table, results=checked.results)
        raise ContractError(f"{result.check}{values}", where=line_at(statement.source, result.line, result.column))
    return checked


def assertion_result(statement: Assert, *, session: Session, opened: OpenQuery) -> CheckResult:
    """Whether an assertion is true."""
    table = session.query(opened.sql, opened.relations).read_all()
    held = table.num_rows > 0 and table.column(0)[0].as_py() is True
    return CheckResult(
        check=statement.message or f"the assertion {statement.query.source.text} does not hold",
        kind="assert",
        enforced=statement.enforced,
        rows_seen=table.num_rows,
        rows_failing=0 if held else 1,
        whole=True,
        line=statement.source.line,
        column=statement.source.column,
    )
