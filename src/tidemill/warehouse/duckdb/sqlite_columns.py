"""Columns of a SQLite table that hold other values than their declared type, or have no type.

SQLite lets any value stand in any column. DuckDB goes by the declared type: it stops at a text in a column of numbers,
and takes a column without a type for bytes. Such columns are found before the table is read (a scan that takes about
as long as reading these columns does), and read by their values: as numbers, or else as text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.core.names import quote_name, quote_text

_EXACT = 2**53  # the greatest whole number up to which DOUBLE has them all
_WHOLE = frozenset({"BIGINT", "INTEGER", "SMALLINT", "TINYINT"})
_FRACTIONS = frozenset({"DOUBLE", "FLOAT"})
_TIMES = frozenset({"DATE", "TIMESTAMP"})

Fetch = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteColumn:
    """A column: its declared type, and DuckDB's type of it."""

    name: str
    declared: str
    type: str

    @property
    def untyped(self) -> bool:
        """Whether nothing is declared."""
        return not self.declared and self.type == "BLOB"

    @property
    def odd(self) -> str:
        """In SQLite's SQL, whether a value does not fit the declared type; '' where any fits."""
        name = quote_name(self.name)
        if self.type in _WHOLE:
            return f"typeof({name}) NOT IN ('integer', 'null')"
        if self.type in _FRACTIONS:
            return f"typeof({name}) IN ('text', 'blob')"
        return f"(typeof({name}) = 'text' AND date({name}) IS NULL)" if self.type in _TIMES else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByValues:
    """How a table is read by its values.

    Parameters
    ----------
    items
        What is selected, in DuckDB's SQL; '' where DuckDB reads the table as it is.
    texts
        The query of SQLite whose values those are made of.
    notes
        What a person should know of columns that are read as text.
    """

    items: str = ""
    texts: str = ""
    notes: tuple[str, ...] = ()

    def sql(self, catalogue: str) -> str:
        """A query for the rows of the table in a file that is attached under a name."""
        return f"SELECT {self.items} FROM {_query(catalogue, self.texts)}"


def by_values(catalogue: str, path: tuple[str, str], *, shown: str, fetch: Fetch) -> ByValues:
    """Look at the columns of a table whose values may be others than declared.

    Parameters
    ----------
    catalogue
        The name the SQLite file is attached under.
    shown
        The table's name, for notes.
    fetch
        Runs a query of the engine.
    """
    table = quote_name(path[1])

    def ask(query: str) -> list[tuple[Any, ...]]:
        return fetch(f"FROM {_query(catalogue, query)}")

    declared = dict(ask(f"SELECT name, type FROM pragma_table_info({quote_text(path[1])})"))
    described = fetch(f"DESCRIBE SELECT * FROM {'.'.join(map(quote_name, (catalogue, *path)))}")
    columns = [SqliteColumn(name=name, declared=declared.get(name) or "", type=kind) for name, kind, *_ in described]
    tests = [column.odd for column in columns if column.odd]
    looked_at = [column for column in columns if column.untyped]
    if tests and ask(f"SELECT 1 AS odd FROM {table} WHERE {' OR '.join(tests)} LIMIT 1"):
        looked_at += [column for column in columns if column.odd]
    if not looked_at:
        return ByValues()
    facts = [fact for column in looked_at for fact in _facts(column)]
    (found,) = ask(f"SELECT {', '.join(f'{fact} AS f{number}' for number, fact in enumerate(facts))} FROM {table}")
    told = [value == "1" for value in found]
    types = {
        column.name: kind
        for number, column in enumerate(looked_at)
        if (kind := _type_of(column, told[6 * number : 6 * number + 6])) is not None
    }
    if not types:
        return ByValues()
    notes = tuple(
        f"{column.name} of {shown} {_why(column)}: it is read as text"
        for column in looked_at
        if types.get(column.name) == "VARCHAR"
    )
    items, texts = _through_texts(columns, types)
    return ByValues(items=items, texts=f"SELECT {texts} FROM {table}", notes=notes)


def _query(catalogue: str, query: str) -> str:
    return f"sqlite_query({quote_text(catalogue)}, {quote_text(query)})"


def _facts(column: SqliteColumn) -> list[str]:
    """In SQLite's SQL: which kinds of values there are, whether a whole one is long, and whether one does not fit."""
    name = quote_name(column.name)
    tests = [f"typeof({name}) = '{kind}'" for kind in ("integer", "real", "text", "blob")]
    tests += [f"typeof({name}) = 'integer' AND {name} NOT BETWEEN -{_EXACT} AND {_EXACT}", column.odd or "0"]
    return [f"max({test})" for test in tests]


def _type_of(column: SqliteColumn, told: Sequence[bool]) -> str | None:
    """The type that holds all values; None where the column is read as DuckDB does."""
    whole, fraction, text, blob, long, odd = told
    if blob or not (odd or column.untyped):
        return None
    if text or not (whole or fraction) or (fraction and long) or column.type in _TIMES:
        return "VARCHAR"
    return "DOUBLE" if fraction else "BIGINT"


def _why(column: SqliteColumn) -> str:
    if column.untyped:
        return "has no type in SQLite, and not only numbers"
    return f"is declared {column.declared} in SQLite and holds other values"


def _through_texts(columns: Sequence[SqliteColumn], types: dict[str, str]) -> tuple[str, str]:
    """What is selected of texts, the only values that DuckDB takes from a query of SQLite, and the texts."""
    inner, outer = [], []
    for column in columns:
        kind, name = types.get(column.name, column.type), quote_name(column.name)
        inner.append(f"{_as_text(name, kind)} AS {name}")
        made = f"unhex({name})" if kind == "BLOB" else f"CAST({name} AS {kind})"
        outer.append(f"{made} AS {name}")
    return ", ".join(outer), ", ".join(inner)


def _as_text(name: str, kind: str) -> str:
    """In SQLite's SQL, a value as a text that loses nothing."""
    if kind == "BLOB":
        return f"CASE WHEN {name} IS NOT NULL THEN hex({name}) END"
    if kind in _TIMES:  # DuckDB takes whole numbers there for seconds
        return f"CASE typeof({name}) WHEN 'integer' THEN datetime({name}, 'unixepoch') ELSE {name} END"
    if kind in _WHOLE:
        return f"CAST({name} AS TEXT)"
    # SQLite writes 15 digits of a fraction, which are not always all.
    short = f"CAST(CAST({name} AS TEXT) AS REAL) = {name}"
    return (
        f"CASE WHEN typeof({name}) = 'real' AND NOT {short} THEN printf('%!.17g', {name}) ELSE CAST({name} AS TEXT) END"
    )
