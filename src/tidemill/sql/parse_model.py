"""CREATE MODEL, as BigQuery ML's grammar has it.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp  # noqa: TID253
from sqlglot.tokenizer_core import TokenType  # noqa: TID253

from tidemill.core.errors import UnsupportedError
from tidemill.sql.bigquery import mend_functions
from tidemill.sql.dialects import generate
from tidemill.sql.parse_columns import read_name
from tidemill.sql.parse_errors import placed
from tidemill.sql.parse_literals import expect, read_options
from tidemill.sql.parse_query import read_end, read_exists, read_made, read_query
from tidemill.sql.statements import CreateModel, OptionValue, Query, Source, TransformItem
from tidemill.sql.text import Text

ORDER = "the clauses stand in this order: TRANSFORM (...), OPTIONS (...), AS query"


@dataclass(slots=True)
class _Clauses:
    transform: tuple[TransformItem, ...] = ()
    options: tuple[OptionValue, ...] = ()
    extras: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


def read_create_model(p: Any, text: Text, source: Source, *, replace: bool) -> CreateModel:
    """CREATE [OR REPLACE] MODEL, from its name on."""
    if_not_exists = read_exists(p, negated=True)
    if replace and if_not_exists:
        raise placed(p, "OR REPLACE and IF NOT EXISTS exclude each other", p._prev)
    name, project = read_made(p, "the model")
    clauses = _Clauses()
    while p._curr and p._curr.text.upper() != "AS":
        _read_clause(p, text, clauses)
    query: Query | None = None
    if p._match_text_seq("AS"):
        query = _read_query_list(p, text, clauses) if _at_query_list(p) else read_query(p, text)
    read_end(p, hint=ORDER)
    return CreateModel(
        source=source,
        name=name,
        query=query,
        replace=replace,
        if_not_exists=if_not_exists,
        transform=clauses.transform,
        options=clauses.options,
        extras=tuple(clauses.extras),
        project=project,
    )


def _read_clause(p: Any, text: Text, clauses: _Clauses) -> None:
    token = p._curr
    word = token.text.upper()
    if token.token_type == TokenType.IDENTIFIER or word not in ("TRANSFORM", "OPTIONS", "INPUT", "OUTPUT", "REMOTE"):
        hint = ORDER
        if word in ("SELECT", "WITH"):
            hint = f"write AS before {word}"
        raise placed(p, f"unexpected '{token.text[:40]}'", hint=hint)
    if word in clauses.seen:
        raise placed(p, f"{word} stands twice", token)
    clauses.seen.add(word)
    p._advance()
    if word == "TRANSFORM":
        clauses.transform = read_transform(p, text)
    elif word == "OPTIONS":
        clauses.options = read_options(p, text)
    elif word == "REMOTE":
        clauses.extras.append("remote")
        if p._match_text_seq("WITH", "CONNECTION"):
            p._match_text_seq("DEFAULT") or p._parse_table_parts()
    else:
        clauses.extras.append(word.lower())
        _skip_group(p)


def _skip_group(p: Any) -> None:
    expect(p, "(")
    depth = 1
    while p._curr and depth:
        if p._curr.token_type != TokenType.STRING:
            depth += {"(": 1, ")": -1}.get(p._curr.text, 0)
        p._advance()
    if depth:
        raise placed(p, "expected )")


def _at_query_list(p: Any) -> bool:
    """Whether ``(training_data AS (`` stands here."""
    ahead = [token.text.upper() for token in p._tokens[p._index : p._index + 4]]
    return len(ahead) == 4 and ahead[0] == "(" and ahead[2:] == ["AS", "("] and ahead[1] not in ("SELECT", "WITH")


def _read_query_list(p: Any, text: Text, clauses: _Clauses) -> Query:
    """``(training_data AS (query) [, custom_holiday AS (query)])``."""
    found: Query | None = None
    expect(p, "(")
    while True:
        first = p._curr
        name = read_name(p, "a query").lower()
        p._match_text_seq("AS")
        expect(p, "(")
        query = read_query(p, text)
        expect(p, ")")
        if name == "training_data":
            found = query
        elif name == "custom_holiday":
            clauses.extras.append(name)
        else:
            raise placed(p, f"unexpected query '{name}'", first, hint="it is training_data or custom_holiday")
        if not p._match(TokenType.COMMA):
            break
    expect(p, ")")
    if found is None:
        raise placed(p, "expected training_data AS (query)")
    return found


def read_transform(p: Any, text: Text) -> tuple[TransformItem, ...]:
    """``(item, ...)`` of TRANSFORM, the parser standing at the parenthesis."""
    expect(p, "(")
    items = [_read_item(p, text)]
    while p._match(TokenType.COMMA):
        if p._curr and p._curr.text == ")":  # GoogleSQL lets a select list end with a comma
            break
        items.append(_read_item(p, text))
    expect(p, ")")
    return tuple(items)


def _read_item(p: Any, text: Text) -> TransformItem:
    first = p._curr
    tree = p._parse_expression()
    if tree is None:
        raise placed(p, "expected an expression")
    line, column = text.line_column(first.start)
    item = _item_of(tree, text, line, column)
    tree.meta.update(text=text, span=(first.start, p._prev.end + 1))
    return item


def _item_of(tree: exp.Expr, text: Text, line: int, column: int) -> TransformItem:
    if isinstance(tree, exp.Star):
        excepted = tuple(part.name for part in tree.args.get("except_") or ())
        replaced = tuple(_item_of(part, text, line, column) for part in tree.args.get("replace") or ())
        return TransformItem(star=True, excepted=excepted, replaced=replaced, tree=tree, line=line, column=column)
    value = tree.this if isinstance(tree, exp.Alias) else tree
    name = tree.alias if isinstance(tree, exp.Alias) else value.name if isinstance(value, exp.Column) else ""
    value.meta.setdefault("text", text)
    if text.dialect == "bigquery":
        with suppress(UnsupportedError):  # it is refused, with its reason, where the clause is checked
            value = mend_functions(value.copy())
    return TransformItem(name=name, sql=generate(value, "duckdb"), tree=value, line=line, column=column)
