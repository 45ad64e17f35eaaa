"""The TOML form of unit tests: a table a test, rows as inline tables or as a query."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from tidemill.core.errors import ParseError, Where
from tidemill.core.names import did_you_mean, quote_name, quote_text
from tidemill.sql.parse_test import is_time
from tidemill.sql.statements import Query, Select, Source
from tidemill.sql.unit_test import Expected, Given, UnitTest

KEYS: dict[str, str] = {
    "of": "The table, view or model whose statement is tested.",
    "now": "What the current time is.",
    "given": "Rows by what they are for: a list of rows, or a query as text.",
    "expect": "The rows that must come out.",
    "expect_cte": "The rows of WITH clauses, by name.",
    "expect_failing": "Checks that must fail; an empty list when none may.",
}
_CALL = re.compile(r"((?:ML|AI)\.\w+|VECTOR_SEARCH)\s*\(\s*(?:MODEL\s+([\w.\"`]+)\s*)?\)", re.IGNORECASE)
_FILE = re.compile(r"[*?/]|\.(?:csv|tsv|parquet|json|jsonl|ndjson|gz|zst|txt|xlsx)$", re.IGNORECASE)


def parse_toml_tests(text: str, *, file: str, dialect: str) -> list[UnitTest]:
    """Read all tests of a text.

    Raises
    ------
    ParseError
        It is not TOML, or a table in it is not a test.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ParseError(f"{file} is not TOML: {error}") from None
    return [_read(name, table, text, file=file, dialect=dialect) for name, table in tables.items()]


def _read(name: str, table: Any, text: str, *, file: str, dialect: str) -> UnitTest:
    found = re.search(rf"^\s*\[\s*[\"']?{re.escape(name)}[\"']?\s*[\].]", text, re.MULTILINE)
    line = text.count("\n", 0, found.end()) + 1 if found else 1
    where = Where(file=file, line=line, column=1)

    def wrong(message: str, hint: str = "") -> ParseError:
        return ParseError(f"test {name}: {message}", where=where, hint=hint)

    if not isinstance(table, Mapping):
        raise wrong("it is not a table", "write [name] above its keys")
    unknown = next((key for key in table if key not in KEYS), None)
    if unknown is not None:
        raise wrong(f"there is no key {unknown}", did_you_mean(unknown, KEYS))
    of = table.get("of")
    if not isinstance(of, str) or not of:
        raise wrong("it does not say what it tests", 'of = "the table"')
    now = table.get("now", "")
    now = now.isoformat() if isinstance(now, date) else now
    if now and not (isinstance(now, str) and is_time(now)):
        raise wrong("now is not a time", "now = 2026-01-31T12:00:00")
    given = _mapping(table.get("given", {}), "given", wrong)
    ctes = _mapping(table.get("expect_cte", {}), "expect_cte", wrong)
    failing = table.get("expect_failing")
    if failing is not None and not (isinstance(failing, list) and all(isinstance(one, str) for one in failing)):
        raise wrong("expect_failing is not a list of texts", 'expect_failing = ["CHECK (amount >= 0)"]')
    expected = [Expected(cte=cte, query=_query(rows, dialect, file, wrong)) for cte, rows in ctes.items()]
    if "expect" in table:
        expected.insert(0, Expected(query=_query(table["expect"], dialect, file, wrong)))
    if not expected and failing is None:
        raise wrong("it expects nothing", "expect = [{column = value}]")
    return UnitTest(
        name=name,
        source=Source(file=file, line=line, column=1, text="", dialect=dialect),
        of=of,
        now=now,
        given=tuple(_given(key, _query(rows, dialect, file, wrong)) for key, rows in given.items()),
        expected=tuple(expected),
        failing=tuple(failing) if failing is not None else None,
    )


def _mapping(value: Any, key: str, wrong: Callable[..., ParseError]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(f"{key} is not a table of names", f"{key}.orders = [{{id = 1}}]")
    return value


def _given(name: str, query: Query | None) -> Given:
    call = _CALL.fullmatch(name.strip())
    if call:
        return Given(kind="call", name=call[1].upper(), model=(call[2] or "").strip('"`'), query=query)
    return Given(kind="file" if _FILE.search(name) else "table", name=name, query=query)


def _query(rows: Any, dialect: str, file: str, wrong: Callable[..., ParseError]) -> Query | None:
    """Rows as a query: a list of inline tables, or SQL."""
    from tidemill.sql.parse import parse_text

    if isinstance(rows, str):
        statement = parse_text(rows, file=file, dialect=dialect)[0] if rows.strip() else None
        if not isinstance(statement, Select):
            raise wrong("rows given as text are a query", "\"FROM 'tests/orders.csv'\"")
        return statement.query
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise wrong("rows are a list of tables, or a query as text", "[{id = 1, name = 'a'}]")
    if not rows:
        return None
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        raise wrong("its rows have no columns")
    lines = [f"({', '.join(_literal(row.get(name), wrong) for name in names)})" for row in rows]
    listed = ", ".join(map(quote_name, names))
    sql = f"SELECT * FROM (VALUES {', '.join(lines)}) AS given({listed})"
    statement = parse_text(sql, file=file, dialect="duckdb")[0]
    assert isinstance(statement, Select)  # noqa: S101 - we wrote it
    return statement.query


def _literal(value: Any, wrong: Callable[..., ParseError]) -> str:
    """A TOML value in the engine's SQL; a key that a row leaves out is NULL."""
    match value:
        case None:
            return "NULL"
        case bool() | int():
            return str(value).upper()
        case float():
            return f"CAST({quote_text(str(value))} AS DOUBLE)"
        case str():
            return quote_text(value)
        case datetime():
            kind = "TIMESTAMPTZ" if value.tzinfo else "TIMESTAMP"
            return f"{kind} {quote_text(value.isoformat(' '))}"
        case date():
            return f"DATE {quote_text(value.isoformat())}"
        case time():
            return f"TIME {quote_text(value.isoformat())}"
        case list():
            return f"[{', '.join(_literal(one, wrong) for one in value)}]"
        case dict():
            return "{" + ", ".join(f"{quote_text(key)}: {_literal(one, wrong)}" for key, one in value.items()) + "}"
    raise wrong(f"{value!r} is no value of a row")
