"""CREATE TABLE ... AS and CREATE VIEW."""

from __future__ import annotations

from dataclasses import replace as with_changes
from typing import Any

from sqlglot import exp  # noqa: TID253

from tidemill.core.names import name_key, quote_name
from tidemill.sql.layout import CLAUSES, read_keys
from tidemill.sql.parse_columns import ColumnList, read_column_list
from tidemill.sql.parse_errors import placed
from tidemill.sql.parse_literals import read_options
from tidemill.sql.parse_query import read_end, read_exists, read_made, read_query, skip_to
from tidemill.sql.statements import Constraint, CreateTable, CreateView, OptionValue, Other, Query, Source, Statement
from tidemill.sql.text import Text

PASSED_OVER = ("DEFAULT", "WITH")
BEFORE_AS = (*CLAUSES, *PASSED_OVER, "OPTIONS")
ORDER = "the clauses stand in this order: (columns) PARTITION BY, CLUSTER BY, OPTIONS (...), AS query"


def read_create_table(p: Any, text: Text, source: Source, *, replace: bool) -> Statement:
    """CREATE [OR REPLACE] TABLE, from its name on."""
    if_not_exists = read_exists(p, negated=True)
    if replace and if_not_exists:
        raise placed(p, "OR REPLACE and IF NOT EXISTS exclude each other", p._prev)
    name, project = read_made(p, "the table")
    columns = read_column_list(p, text) if p._curr and p._curr.text == "(" else ColumnList()
    options, layout = _read_clauses(p, text)
    if p._curr and p._curr.text.upper() in ("LIKE", "COPY", "CLONE"):
        word = p._curr.text.upper()
        return _rest(p, source, f"CREATE TABLE {word}", "write CREATE TABLE ... AS SELECT * FROM the other table")
    if not p._curr:
        return Other(
            source=source,
            what="CREATE TABLE",
            reason="a table is made by its query: add AS SELECT ..., or read files with LOAD DATA",
        )
    if not p._match_text_seq("AS"):
        raise placed(p, f"unexpected '{p._curr.text[:40]}'", hint=ORDER)
    query = read_query(p, text)
    read_end(p)
    return CreateTable(
        source=source,
        name=name,
        query=query,
        replace=replace,
        if_not_exists=if_not_exists,
        columns=tuple(columns.columns),
        constraints=tuple(_own(rule, name, project) for rule in columns.constraints),
        options=options,
        layout=layout,
        project=project,
    )


def _own(rule: Constraint, name: str, project: str) -> Constraint:
    """A constraint, in which a table that refers to itself is called by its name alone."""
    itself = bool(project) and name_key(rule.table) == name_key(f"{project}.{name}")
    return with_changes(rule, table=name) if itself else rule


def _read_clauses(p: Any, text: Text) -> tuple[tuple[OptionValue, ...], tuple[exp.Expr, ...]]:
    """Clauses between the columns and AS: the options, and the keys that rows are ordered by."""
    options: tuple[OptionValue, ...] = ()
    layout: tuple[exp.Expr, ...] = ()
    while word := _clause(p):
        if word == "OPTIONS":
            options += read_options(p, text, literal=False)
        elif word in CLAUSES:
            layout += read_keys(p)
        else:
            skip_to(p, *BEFORE_AS, "AS")
    return options, layout


def _clause(p: Any) -> str:
    """The word of the clause that begins here, stepped over; '' when none does."""
    if not p._curr:
        return ""
    word = p._curr.text.upper()
    if word in BEFORE_AS:
        p._advance()
        return str(word)
    if p._next and f"{word} {p._next.text.upper()}" in CLAUSES:  # in some dialects they are two words
        p._advance(2)
        return f"{word} BY"
    return ""


def _rest(p: Any, source: Source, what: str, reason: str) -> Other:
    while p._curr:
        p._advance()
    return Other(source=source, what=what, reason=reason)


def read_create_view(p: Any, text: Text, source: Source) -> Statement:
    """CREATE [OR REPLACE] VIEW, from its name on."""
    read_exists(p, negated=True)
    name, project = read_made(p, "the view")
    columns = read_column_list(p, text) if p._curr and p._curr.text == "(" else ColumnList()
    options, _ = _read_clauses(p, text)
    if not p._match_text_seq("AS"):
        raise placed(p, "expected AS and a query", hint="CREATE VIEW name AS SELECT ...")
    query = read_query(p, text)
    read_end(p)
    if columns.columns:
        query = _renamed(query, [column.name for column in columns.columns])
    return CreateView(source=source, name=name, query=query, options=options, project=project)


def _renamed(query: Query, names: list[str]) -> Query:
    """The view's query with the column names of its list."""
    quote = "`" if query.source.dialect == "bigquery" else '"'
    shown = ", ".join(quote_name(name, quote) for name in names)
    inner = query.tree
    alias = exp.TableAlias(
        this=exp.to_identifier("renamed"), columns=[exp.to_identifier(name, quoted=True) for name in names]
    )
    tree = exp.select("*").from_(exp.Subquery(this=inner, alias=alias), copy=False)
    tree.meta.update(text=inner.meta["text"])
    source = with_changes(query.source, text=f"SELECT * FROM ({query.source.text}) AS renamed({shown})")
    return Query(source=source, tree=tree)
