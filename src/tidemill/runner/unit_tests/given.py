"""Given rows as a query with the columns and types that the tested statement expects of what it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError
from tidemill.core.names import did_you_mean, name_key, quote_name
from tidemill.runner.unit_tests.rewrite import reads_of
from tidemill.sql.statements import Query, Select
from tidemill.sql.unit_test import Expected, Given

if TYPE_CHECKING:
    from tidemill.column_lineage.graph import Node
    from tidemill.sql.file_reads import ReadFiles
    from tidemill.warehouse.protocol import Session


def rows_query(sql: str) -> Query:
    """Engine SQL that we wrote, as a query that can be read in place like a view."""
    from tidemill.sql.parse import parse_text

    statement = parse_text(sql, file="<given>", dialect="duckdb")[0]
    assert isinstance(statement, Select)  # noqa: S101 - we wrote it
    return statement.query


def given_sql(
    given: Given, *, node: Node | None, types: Mapping[str, str], session: Session, engine: str, files: ReadFiles
) -> str:
    """The rows, each column in its declared type; what the statement reads and nobody gave is NULL.

    Parameters
    ----------
    node
        The columns of what is given, as far as its statement or the tested one tell.
    types
        Declared types by key, in the engine's names.
    files
        How files are read that hold rows.

    Raises
    ------
    BindError
        A column is given that there is not.
    """
    names = list(given.columns)
    rows = ""
    if given.query is not None:
        rows, names = _rows(
            given.query, names, f"the rows of {given.shown}", session=session, engine=engine, files=files
        )
    known = {key: column.name for key, column in node.columns.items()} if node is not None else {}
    own = {name_key(name): name for name in names}
    if node is not None and node.complete:
        for name in names:
            if name_key(name) not in known:
                raise BindError(
                    f"{given.shown} has no column {name}", hint=did_you_mean(name, known.values()), column=name
                )
    order = {**known, **{key: name for key, name in own.items() if key not in known}}
    if not order:
        raise BindError(
            f"nobody knows which columns {given.shown} has",
            hint=f"name those that the statement reads: {given.shown} (a, b)",
        )
    items = [_item(key, name, given=key in own, types=types) for key, name in order.items()]
    return f"SELECT {', '.join(items)} FROM {rows}" if rows else f"SELECT {', '.join(items)} WHERE FALSE"


def expected_rows(expected: Expected, *, session: Session, engine: str, files: ReadFiles) -> tuple[str, list[str]]:
    """The expected rows as a relation in engine SQL, and the names of its columns."""
    assert expected.query is not None  # noqa: S101 - the caller knows
    return _rows(
        expected.query, list(expected.columns), "the expected rows", session=session, engine=engine, files=files
    )


def _rows(
    query: Query, names: Sequence[str], what: str, *, session: Session, engine: str, files: ReadFiles
) -> tuple[str, list[str]]:
    from tidemill.sql.bind import bind_query

    tables = [shown for key, shown in reads_of(query) if key.startswith("table ")]
    if tables:
        raise BindError(
            f"{what} are read from the table {tables[0]}: a test reads no tables",
            hint="write them with VALUES, or keep them in a file: AS (FROM 'tests/rows.csv')",
        )
    sql = bind_query(query, views={}, engine=engine, files=files).sql
    own = session.schema(sql).names
    if len(names) > len(own):
        raise BindError(f"{what} have {len(own)} columns, and {len(names)} names", hint=", ".join(names))
    found = [*names, *own[len(names) :]]
    return f"({sql}\n) AS given({', '.join(map(quote_name, found))})", found


def _item(key: str, name: str, *, given: bool, types: Mapping[str, str]) -> str:
    value = quote_name(name) if given else "NULL"
    return f"{f'CAST({value} AS {types[key]})' if key in types else value} AS {quote_name(name)}"
