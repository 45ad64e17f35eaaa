"""The two numbers that an assertion compares, for its error: a count says how far off it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.core.errors import TidemillError

if TYPE_CHECKING:
    from sqlglot import exp

    from tidemill.runner.execute import OpenQuery
    from tidemill.warehouse.protocol import Session


def told_values(opened: OpenQuery, session: Session) -> str:
    """What stood on both sides, as in ``: it was 19998 = 19999``; '' where they are no counts.

    Only counts are told: other values may be those of columns that are shown nowhere.
    """
    from sqlglot.errors import SqlglotError

    try:
        found = _sides(opened.sql)
        if found is None:
            return ""
        sql, sign = found
        rows = session.query(sql, opened.relations).read_all().to_pylist()
    except (SqlglotError, TidemillError):
        return ""  # the assertion failed all the same, which is said
    if len(rows) != 1 or not all(isinstance(value, int | float) for value in rows[0].values()):
        return ""
    return ": it was " + f" {sign} ".join(str(value) for value in rows[0].values())


def _sides(sql: str) -> tuple[str, str] | None:
    """A query for the sides of the comparison that a query is, and the comparison's sign."""
    from sqlglot import exp, parse_one

    signs = {exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
    tree: exp.Expr = parse_one(sql, dialect="duckdb")
    while isinstance(tree, exp.Select) and len(tree.expressions) == 1 and tree.args.get("with_") is None:
        inner = tree.expressions[0].unalias().unnest()
        sign = signs.get(type(inner))
        if sign is not None and _is_count(inner.this) and _is_count(inner.expression):
            return tree.select(inner.this.as_("a"), inner.expression.as_("b"), append=False).sql("duckdb"), sign
        if tree.args.get("from_") is not None or not isinstance(inner, exp.Select):
            return None
        tree = inner
    return None


def _is_count(node: exp.Expr) -> bool:
    """Whether a value is a number of rows, a literal number, or made of these."""
    from sqlglot import exp

    node = node.unalias()
    if isinstance(node, exp.Literal):
        return not node.is_string
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div):
        return _is_count(node.this) and _is_count(node.expression)
    if isinstance(node, exp.Paren | exp.Neg | exp.Subquery):
        return _is_count(node.this)
    if isinstance(node, exp.Select):
        return len(node.expressions) == 1 and _is_count(node.expressions[0])
    return isinstance(node, exp.Count)
