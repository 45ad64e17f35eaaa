"""Constraints checked on staged rows, before anybody sees them: one scan for all that one scan can say.

NOT NULL, row-wise CHECK and CHECK over aggregates share one pass; PRIMARY KEY, UNIQUE and REFERENCES take one more
each.
A CHECK fails where it is false; NULL passes, as in standard SQL.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.core.errors import BindError, ContractError, Where
from tidemill.core.names import did_you_mean, name_key, quote_name, quote_path
from tidemill.sql.statements import Constraint
from tidemill.warehouse.protocol import Session, Staged

SAMPLE_ROWS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What came of one check on one table version."""

    check: str
    kind: str
    enforced: bool
    rows_seen: int
    rows_failing: int
    sample: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    line: int = 0
    column: int = 0

    @property
    def passed(self) -> bool:
        """Whether no row fails."""
        return self.rows_failing == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """A constraint in engine SQL: a count of the failing rows, and a query that shows them, if any can."""

    label: str
    constraint: Constraint
    count: str
    rows: str = ""
    own_scan: bool = False


def audit(
    session: Session, staged: Staged, constraints: Sequence[Constraint], *, dialect: str, engine: str, file: str
) -> list[CheckResult]:
    """Check every constraint on the staged rows.

    Raises
    ------
    BindError
        A constraint names a column the rows do not have.
    """
    if not constraints:
        return []
    checks = [_compile(item, staged, dialect=dialect, engine=engine, file=file) for item in constraints]
    started = time.perf_counter()
    counts = _count(session, staged, checks)
    seconds = (time.perf_counter() - started) / len(checks)
    return [
        CheckResult(
            check=check.label,
            kind=check.constraint.kind,
            enforced=check.constraint.enforced,
            rows_seen=staged.rows,
            rows_failing=failing,
            sample=_sample(session, check) if failing else (),
            seconds=seconds,
            line=check.constraint.line,
            column=check.constraint.column,
        )
        for check, failing in zip(checks, counts, strict=True)
    ]


def require(
    table: str, results: Sequence[CheckResult], where: Callable[[CheckResult], Where | None]
) -> tuple[str, ...]:
    """Raise when an enforced check fails; return the unenforced failures as warnings.

    Parameters
    ----------
    where
        Says where a check stands in the user's text.

    Raises
    ------
    ContractError
        An enforced check fails; the message counts the rows and shows some of them.
    """
    failed = [result for result in results if not result.passed]
    broken = [result for result in failed if result.enforced]
    if broken:
        raise ContractError(
            f"{table}: " + "; ".join(_sentence(result) for result in broken) + "; the old version stays",
            where=where(broken[0]),
            hint="mend the rows in the query, or say NOT ENFORCED after the constraint to be warned only",
            checks=[{"check": r.check, "rows_failing": r.rows_failing, "sample": list(r.sample)} for r in broken],
        )
    return tuple(_sentence(result) for result in failed)


def _sentence(result: CheckResult) -> str:
    shown = f", such as {_show(result.sample[0])}" if result.sample else ""
    return f"{result.check} fails for {result.rows_failing:,} of {result.rows_seen:,} rows{shown}"


def _show(row: dict[str, Any]) -> str:
    shown = ", ".join(f"{name}={'NULL' if value is None else repr(value)}" for name, value in list(row.items())[:6])
    return f"({shown}, ...)" if len(row) > 6 else f"({shown})"


def _compile(constraint: Constraint, staged: Staged, *, dialect: str, engine: str, file: str) -> _Check:
    columns = [quote_name(_column(staged, name, constraint, file)) for name in constraint.columns]
    listed = ", ".join(columns)
    match constraint.kind:
        case "not_null":
            nulls = f"{columns[0]} IS NULL"
            return _Check(
                label=f"NOT NULL ({listed})", constraint=constraint, count=_rows(nulls), rows=_where(staged, nulls)
            )
        case "primary_key" | "unique":
            return _compile_unique(constraint, columns, staged)
        case "references":
            return _compile_references(constraint, columns, staged)
        case _:
            return _compile_check(constraint, staged, dialect=dialect, engine=engine)


def _compile_unique(constraint: Constraint, columns: Sequence[str], staged: Staged) -> _Check:
    """UNIQUE lets NULLs repeat (they are not equal to each other); a primary key has none."""
    listed = ", ".join(columns)
    nulls = " OR ".join(f"{column} IS NULL" for column in columns)
    groups = f"FROM {staged.relation} WHERE NOT ({nulls}) GROUP BY {listed} HAVING count(*) > 1"
    count = f"SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n {groups})"
    failing = f"({listed}) IN (SELECT {listed if len(columns) == 1 else f'({listed})'} {groups})"
    if constraint.kind == "unique":
        return _Check(
            label=f"UNIQUE ({listed})", constraint=constraint, count=count, rows=_where(staged, failing), own_scan=True
        )
    count = f"SELECT ({count}) + (SELECT {_rows(nulls)} FROM {staged.relation})"
    failing = f"({nulls}) OR {failing}"
    return _Check(
        label=f"PRIMARY KEY ({listed})", constraint=constraint, count=count, rows=_where(staged, failing), own_scan=True
    )


def _compile_references(constraint: Constraint, columns: Sequence[str], staged: Staged) -> _Check:
    """A row whose key columns are all there must find them in the other table."""
    foreign = [quote_name(name) for name in constraint.foreign or constraint.columns]
    same = " AND ".join(f"mine.{ours} = theirs.{other}" for ours, other in zip(columns, foreign, strict=True))
    present = " AND ".join(f"mine.{column} IS NOT NULL" for column in columns)
    orphans = (
        f"{staged.relation} AS mine WHERE {present} "
        f"AND NOT EXISTS (SELECT 1 FROM {quote_path(constraint.table)} AS theirs WHERE {same})"
    )
    label = f"({', '.join(columns)}) REFERENCES {constraint.table}"
    return _Check(
        label=label,
        constraint=constraint,
        count=f"SELECT count(*) FROM {orphans}",
        rows=f"SELECT * FROM {orphans}",
        own_scan=True,
    )


def _compile_check(constraint: Constraint, staged: Staged, *, dialect: str, engine: str) -> _Check:
    """A CHECK of rows, or of the whole table when it aggregates."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(constraint.expression, read=dialect)
    condition = constraint.expression if dialect == engine else tree.sql(dialect=engine)
    label = f"{constraint.name or 'CHECK'} ({constraint.expression})"
    if tree.find(exp.AggFunc):
        return _Check(label=label, constraint=constraint, count=f"CASE WHEN ({condition}) IS FALSE THEN 1 ELSE 0 END")
    failing = f"({condition}) IS FALSE"
    return _Check(label=label, constraint=constraint, count=_rows(failing), rows=_where(staged, failing))


def _rows(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _where(staged: Staged, condition: str) -> str:
    return f"SELECT * FROM {staged.relation} WHERE {condition}"


def _column(staged: Staged, name: str, constraint: Constraint, file: str) -> str:
    for column in staged.columns:
        if name_key(column.name) == name_key(name):
            return column.name
    where = Where(file=file, line=constraint.line, column=constraint.column) if constraint.line else None
    raise BindError(
        f"{staged.table} has no column {name}",
        where=where,
        hint=did_you_mean(name, [column.name for column in staged.columns]),
    )


def _count(session: Session, staged: Staged, checks: Sequence[_Check]) -> list[int]:
    """Rows that fail each check; everything that can share a scan shares it."""
    shared = [check.count for check in checks if not check.own_scan]
    found: list[int] = []
    if shared:
        found = _numbers(session, f"SELECT {', '.join(shared)} FROM {staged.relation}")
    counts = iter(found)
    return [_numbers(session, check.count)[0] if check.own_scan else next(counts) for check in checks]


def _numbers(session: Session, sql: str) -> list[int]:
    table = session.query(sql).read_all()
    return [int(column[0].as_py()) for column in table.columns]


def _sample(session: Session, check: _Check) -> tuple[dict[str, Any], ...]:
    if not check.rows:
        return ()
    rows = session.query(f"{check.rows} LIMIT {SAMPLE_ROWS}").read_all()
    # What the check is about stands first: a message shows only the beginning of a row.
    about = {name_key(name) for name in check.constraint.columns}
    about |= {name_key(word) for word in re.findall(r"\w+", check.constraint.expression)}
    names = sorted(rows.column_names, key=lambda name: name_key(name) not in about)
    return tuple({name: _plain(row[name]) for name in names} for row in rows.to_pylist())


def _plain(value: object) -> object:
    """A value that JSON can hold, for the record."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)
