"""Queries inside statements, and the small readers every statement shares."""

from __future__ import annotations

from typing import Any

from sqlglot import exp  # noqa: TID253
from sqlglot.tokenizer_core import TokenType  # noqa: TID253

from tidemill.core.names import did_you_mean
from tidemill.sql.parse_errors import PlacedError, placed
from tidemill.sql.paths import made_path_of
from tidemill.sql.statements import Query
from tidemill.sql.text import Text


def read_query(p: Any, text: Text, *, any_tree: bool = False) -> Query:
    """The query that begins here. Its text is verbatim; its tree carries the whole text for places."""
    first = p._curr
    if not first:
        raise placed(p, "expected a query")
    tree = p._parse_statement()
    if isinstance(tree, exp.Subquery) and tree.is_wrapper:
        tree = tree.unnest()
    if isinstance(tree, exp.Table):
        tree = exp.select("*").from_(tree, copy=False)
    if tree is None or not (any_tree or isinstance(tree, exp.Query | exp.Values)):
        hint = did_you_mean(first.text, ("SELECT", "WITH", "FROM"))
        hint = hint if hint.startswith("did") else ""
        raise placed(p, "expected a query: SELECT, WITH or FROM", first, hint=hint)
    for cte in tree.find_all(exp.CTE):
        if not isinstance(cte.this, exp.Query | exp.Values):
            raise placed(p, f"WITH {cte.alias} is not a query: a query only reads", first)
    return make_query(tree, text, first.start, p._prev.end + 1)


def make_query(tree: exp.Expr, text: Text, start: int, stop: int) -> Query:
    """A tree with its text and place."""
    tree.meta["text"] = text
    tree.meta["span"] = (start, stop)
    return Query(source=text.source(start, stop), tree=tree)


def read_path(p: Any, what: str) -> str:
    """A dotted name, without the project in front of it."""
    return read_made(p, what)[0]


def read_made(p: Any, what: str) -> tuple[str, str]:
    """The dotted name of what is made, and the project in front of it; '' when there is none."""
    if not p._curr or p._curr.text in ("(", ")", ","):
        raise placed(p, f"expected the name of {what}")
    first = p._curr
    try:
        return made_path_of(p._parse_table_parts(schema=True), p)
    except PlacedError as error:
        if error.start != first.start:
            raise
        raise placed(p, f"expected the name of {what} before '{first.text[:40]}'", first) from None


def read_exists(p: Any, *, negated: bool) -> bool:
    """``IF [NOT] EXISTS``."""
    return bool(p._match_text_seq("IF", "NOT", "EXISTS") if negated else p._match_text_seq("IF", "EXISTS"))


def read_end(p: Any, hint: str = "") -> None:
    """Nothing may follow."""
    if p._curr:
        raise placed(p, f"unexpected '{p._curr.text[:40]}'", hint=hint)


def skip_to(p: Any, *words: str) -> None:
    """Step over tokens outside parentheses up to one of these words."""
    depth = 0
    while p._curr and not (depth == 0 and p._curr.text.upper() in words):
        if p._curr.token_type != TokenType.STRING:
            depth += {"(": 1, ")": -1}.get(p._curr.text, 0)
        p._advance()
