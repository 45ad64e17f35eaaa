"""Constraints as the engine checks them: where to look first, and which rows fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidemill.core.errors import BindError, Where
from tidemill.core.names import asset_key, did_you_mean, name_key, quote_name
from tidemill.sql.statements import Constraint
from tidemill.warehouse.protocol import Column, Staged

# Ordered, with a least and a greatest value that the engine finds without reading the rows, as files keep them.
_ORDERED = re.compile(
    r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(.*\)|FLOAT|DOUBLE|DATE|TIME|TIMESTAMP.*)", re.IGNORECASE
)
# Few distinct values are worth looking for here; numbers with a fraction have many.
_COUNTED = re.compile(
    r"(VARCHAR|BOOLEAN|UUID|U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(.*\)|DATE|ENUM\(.*\))", re.IGNORECASE
)
NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(.*\)|FLOAT|DOUBLE", re.IGNORECASE)
TIMES = re.compile(r"DATE|TIMESTAMP.*", re.IGNORECASE)
WORDS = re.compile(r"VARCHAR|BOOLEAN|ENUM\(.*\)", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Relations = Callable[[str], str]
"""The engine's SQL for the rows of another table, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A constraint in engine SQL.

    Parameters
    ----------
    way
        Where to look: nulls, bounds, values, rows, table, window, query, unique or orphans.
    columns
        The columns it reads, quoted, as the rows have them.
    condition
        What must not be false (``way`` bounds, values, rows, table, window, query).
    fails
        A condition that is true for each failing row; empty when the table as a whole fails.
    other
        The rows of the other table (orphans), with ``foreign`` its columns.
    """

    constraint: Constraint
    label: str
    way: str
    columns: tuple[str, ...] = ()
    condition: str = ""
    fails: str = ""
    other: str = ""
    foreign: tuple[str, ...] = ()

    @property
    def nulls(self) -> str:
        """A condition: one of its columns is NULL."""
        return " OR ".join(f"{column} IS NULL" for column in self.columns)


def compile_rule(constraint: Constraint, staged: Staged, *, relations: Relations, file: str) -> Rule:
    """One constraint, its columns found among those of the rows.

    Raises
    ------
    BindError
        It names a column the rows do not have.
    """
    if constraint.kind == "check":
        return _check(constraint, staged)
    found = [find_column(name, staged, constraint, file) for name in constraint.columns]
    columns = tuple(quote_name(column.name) for column in found)
    listed = ", ".join(map(shown_name, constraint.columns))
    match constraint.kind:
        case "not_null":
            fails = f"{columns[0]} IS NULL"
            return Rule(constraint=constraint, label=f"NOT NULL ({listed})", way="nulls", columns=columns, fails=fails)
        case "references":
            return _references(constraint, columns, listed, _rows_of(constraint.table, staged, relations))
        case kind:
            word = "PRIMARY KEY" if kind == "primary_key" else "UNIQUE"
            return Rule(constraint=constraint, label=f"{word} ({listed})", way="unique", columns=columns)


def _check(constraint: Constraint, staged: Staged) -> Rule:
    """A CHECK by the shape of its condition and the types of the columns it reads."""
    known = {name_key(column.name): column for column in staged.columns}
    read = [known[name_key(name)] for name in constraint.reads if name_key(name) in known]
    kind = read[0].type if len(read) == 1 else ""
    way = constraint.shape
    if way == "interval":
        way = "bounds" if _ORDERED.fullmatch(kind) else "values"
    if way == "values" and not _COUNTED.fullmatch(kind):
        way = "rows"
    label = f"CHECK ({' '.join(constraint.expression.split())})"
    return Rule(
        constraint=constraint,
        label=f"{constraint.name}: {label}" if constraint.name else label,
        way=way,
        columns=tuple(quote_name(column.name) for column in read),
        condition=f"({constraint.sql}\n)",
        fails="" if way == "table" else f"({constraint.sql}\n) IS FALSE",
    )


def _rows_of(table: str, staged: Staged, relations: Relations) -> str:
    """The rows REFERENCES looks into; a table that refers to itself means the rows that are being checked."""
    return staged.relation if asset_key(table) == asset_key(staged.table) else relations(table)


def _references(constraint: Constraint, columns: tuple[str, ...], listed: str, other: str) -> Rule:
    foreign = tuple(quote_name(name) for name in constraint.foreign or constraint.columns)
    theirs = ", ".join(map(shown_name, constraint.foreign or constraint.columns))
    return Rule(
        constraint=constraint,
        label=f"({listed}) REFERENCES {constraint.table} ({theirs})",
        way="orphans",
        columns=columns,
        other=other,
        foreign=foreign,
    )


def find_column(name: str, staged: Staged, constraint: Constraint, file: str) -> Column:
    """A column of the rows that a constraint names.

    Raises
    ------
    BindError
        There is none.
    """
    where = Where(file=file, line=constraint.line, column=constraint.column) if constraint.line else None
    return find_named(name, staged.columns, staged.table, where=where)


def find_named(name: str, columns: Sequence[Column], table: str, *, where: Where | None = None) -> Column:
    """A column by its name, letter case apart.

    Raises
    ------
    BindError
        There is none.
    """
    for column in columns:
        if name_key(column.name) == name_key(name):
            return column
    hint = did_you_mean(name, [column.name for column in columns])
    raise BindError(f"{table} has no column {name}", where=where, hint=hint, name=name)


def shown_name(name: str) -> str:
    """A name as people write it: quoted only where it must be."""
    return name if _PLAIN.fullmatch(name) else quote_name(name)


def key_columns(constraints: Sequence[Constraint]) -> tuple[str, ...]:
    """What tells the rows of a table apart: its primary key, else its first unique columns."""
    for kind in ("primary_key", "unique"):
        for constraint in constraints:
            if constraint.kind == kind:
                return constraint.columns
    return ()
