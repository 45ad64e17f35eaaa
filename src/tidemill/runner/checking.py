"""The checks of a step: what a statement declares, on the rows it is about, and what came of it for the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.contracts.audit import audit
from tidemill.contracts.result import CheckResult
from tidemill.contracts.verdict import require
from tidemill.core.errors import ContractError
from tidemill.runner.placing import line_at
from tidemill.runner.shape import start_of
from tidemill.sql.statements import Assert, CreateTable, LoadData
from tidemill.warehouse.control.checks import save_checks

if TYPE_CHECKING:
    from tidemill.runner.execute import OpenQuery
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.database import Tx
    from tidemill.warehouse.protocol import Session, Staged


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of the checks of a step: warnings for its report, results for the record."""

    run_id: str
    step: str
    table: str
    results: Sequence[CheckResult]
    warnings: tuple[str, ...] = ()

    def save(self, tx: Tx) -> None:
        """Write the results, in the commit that ends the step."""
        save_checks(tx, self.run_id, self.step, table=self.table, results=self.results)


def check_rows(
    statement: CreateTable | LoadData, *, stations: Stations, session: Session, staged: Staged, run_id: str, step: str
) -> Checked:
    """Check what a statement declares on rows that nobody sees yet.

    Parameters
    ----------
    staged
        The rows as the table would have them. Only ``table``, ``columns``, ``rows`` and ``relation`` are read: any
        relation of the session will do.

    Raises
    ------
    ContractError
        An enforced check fails; it is recorded all the same.
    """
    source = statement.source
    results = audit(
        session,
        staged,
        statement.constraints if isinstance(statement, CreateTable) else (),
        dialect=source.dialect,
        engine=stations.warehouse.dialect,
        file=source.file,
    )
    try:
        warnings = require(staged.table, results, lambda result: line_at(source, result.line, result.column))
    except ContractError:
        save_checks(stations.db, run_id, step, table=staged.table, results=results)
        raise
    return Checked(run_id=run_id, step=step, table=staged.table, results=results, warnings=warnings)


def check_assertion(statement: Assert, *, session: Session, opened: OpenQuery) -> None:
    """Check that an assertion is true; NULL is not.

    Raises
    ------
    ContractError
        It does not hold.
    """
    table = session.query(opened.sql, opened.relations).read_all()
    if table.num_rows == 0 or table.column(0)[0].as_py() is not True:
        raise ContractError(
            statement.message or f"the assertion {statement.query.source.text} does not hold",
            where=start_of(statement.source),
        )
