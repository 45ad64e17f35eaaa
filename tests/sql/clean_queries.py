"""Statements with CLEAN functions, bound and run by the engine."""

from __future__ import annotations

from typing import Any

import duckdb

from tidemill.sql.bind import bind_query
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import Select


def bound(sql: str, dialect: str = "duckdb") -> str:
    """The engine SQL of a query."""
    statement = parse_text(sql, file="query.sql", dialect=dialect)[0]
    assert isinstance(statement, Select)
    return bind_query(statement.query, views={}).sql


def rows(sql: str, dialect: str = "duckdb") -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with duckdb.connect() as engine:
        return engine.execute(bound(sql, dialect)).fetchall()


def values(expression: str, data: list[Any], kind: str = "VARCHAR") -> list[Any]:
    """What an expression over ``x`` gives for each of some values."""
    with duckdb.connect() as engine:
        sql = bound(
            f"SELECT {expression} FROM (SELECT unnest($data::{kind}[]) AS x, unnest(range(len($data))) AS i) ORDER BY i"
        )
        return [row[0] for row in engine.execute(sql, {"data": data}).fetchall()]
