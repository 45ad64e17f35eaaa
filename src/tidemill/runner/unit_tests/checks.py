"""Which of a table's checks fail on the rows of a test, held against those that must."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tidemill.contracts.audit import audit
from tidemill.core.errors import BindError
from tidemill.core.names import asset_key, did_you_mean
from tidemill.core.source_tables import lake_name
from tidemill.sql.statements import Constraint, CreateTable

if TYPE_CHECKING:
    from tidemill.warehouse.protocol import Session, Staged

_WORDS = {"not_null": "NOT NULL", "primary_key": "PRIMARY KEY", "unique": "UNIQUE", "check": "CHECK"}


def failing_checks(
    wanted: Sequence[str],
    statement: CreateTable,
    rows: Staged,
    *,
    session: Session,
    engine: str,
    given: Mapping[str, str],
) -> tuple[str, ...]:
    """Sentences about checks that hold and should not, or (with nothing wanted) that fail and should not.

    Parameters
    ----------
    wanted
        Checks by name or as they are written; none when no check may fail.
    given
        Engine SQL of the given tables, by key: REFERENCES looks into them.

    Raises
    ------
    BindError
        The table has no such check.
    """
    constraints = statement.constraints
    chosen = [_find(text, constraints, rows.table) for text in wanted] or list(range(len(constraints)))
    checked = [_over_given(constraints[number], given, session) for number in chosen]
    results = audit(session, rows, checked, dialect=statement.source.dialect, engine=engine, file=statement.source.file)
    if wanted:
        return tuple(
            f"{text} should fail, and holds" for text, result in zip(wanted, results, strict=True) if result.passed
        )
    return tuple(
        f"{_shown(constraints[number])} fails for {result.rows_failing:,} of {result.rows_seen:,} rows"
        for number, result in zip(chosen, results, strict=True)
        if not result.passed
    )


def _find(text: str, constraints: Sequence[Constraint], table: str) -> int:
    key = _plain(text)
    for number, constraint in enumerate(constraints):
        if key in {_plain(name) for name in _names(constraint)}:
            return number
    known = [_shown(constraint) for constraint in constraints]
    raise BindError(f"{table} has no check {text}", hint=did_you_mean(text, known) or f"{table} declares no checks")


def _names(constraint: Constraint) -> list[str]:
    """All ways to name a check: its name, as it is written, and the words alone."""
    word = _WORDS.get(constraint.kind, "REFERENCES")
    names = [constraint.name] if constraint.name else []
    return [*names, _shown(constraint), word] if word != "CHECK" else [*names, _shown(constraint)]


def _shown(constraint: Constraint) -> str:
    columns = ", ".join(constraint.columns)
    if constraint.kind == "check":
        return f"CHECK ({constraint.expression})"
    if constraint.kind == "references":
        return f"({columns}) REFERENCES {constraint.table}"
    return f"{_WORDS[constraint.kind]} ({columns})"


def _plain(text: str) -> str:
    return re.sub(r"[\s\"`]+", "", text).casefold()


def _over_given(constraint: Constraint, given: Mapping[str, str], session: Session) -> Constraint:
    """REFERENCES with the given rows in the place of the other table."""
    if constraint.kind != "references":
        return constraint
    sql = given.get(asset_key(lake_name(constraint.table)))
    if sql is None:
        raise BindError(
            f"{_shown(constraint)} looks into {constraint.table}, and the test gives no rows for it",
            hint=f"GIVEN {constraint.table} (...) AS (VALUES ...)",
        )
    return replace(constraint, table=session.materialise(sql))
