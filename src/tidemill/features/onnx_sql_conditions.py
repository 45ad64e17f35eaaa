"""Conditions of TRANSFORM as nodes: comparisons and three-valued logic."""

from __future__ import annotations

from sqlglot import exp  # noqa: TID253

from tidemill.features.onnx_sql_graph import SqlGraph, UnsayableError, Value, Writer, bare
from tidemill.features.onnx_sql_times import MOMENTS, compare_moments


def compare(true: str, false: str) -> Writer:
    """A comparison of numbers, by the operators that say it is true and that it is false."""

    def write(graph: SqlGraph, tree: exp.Expr) -> Value:
        left, right = graph.value(tree.this), graph.value(tree.expression)
        if left.kind in MOMENTS and right.kind in MOMENTS:
            return compare_moments(graph, left, right, true)
        if left.kind != "number" or right.kind != "number":
            raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} compares a {left.kind} with a {right.kind}")
        # Both are false where one side is NaN: NULL.
        return Value(
            "condition", graph.node(true, left.tensor, right.tensor), graph.node(false, left.tensor, right.tensor)
        )

    return write


def equal(graph: SqlGraph, tree: exp.Expr) -> Value:
    """``=`` and ``<>``."""
    word = bare(tree.expression)
    if isinstance(word, exp.Literal) and word.is_string:
        found = _among(graph, graph.value(tree.this), [word])
    elif (left := graph.value(tree.this)).kind in MOMENTS and (right := graph.value(tree.expression)).kind in MOMENTS:
        found = compare_moments(graph, left, right, "Equal")
    else:
        same = graph.node("Equal", graph.number(tree.this), graph.number(tree.expression))
        known = _both_known(graph, tree)
        found = Value("condition", same, graph.node("And", graph.node("Not", same), known))
    return Value("condition", found.other, found.tensor) if isinstance(tree, exp.NEQ) else found


def _both_known(graph: SqlGraph, tree: exp.Expr) -> str:
    left, right = graph.value(tree.this), graph.value(tree.expression)
    return graph.node("Not", graph.node("Or", graph.is_null(left), graph.is_null(right)))


def _among(graph: SqlGraph, value: Value, words: list[exp.Expr]) -> Value:
    if value.kind == "text":
        if not all(isinstance(word, exp.Literal) and word.is_string for word in words):
            raise UnsayableError("strings are compared with strings written out")
        found = graph.match_text(value, [word.name for word in words], null=2)
        yes, no = (graph.node("Equal", found, graph.real(number)) for number in (1.0, 0.0))
        return Value("condition", yes, no)
    if value.kind != "number":
        raise UnsayableError(f"IN for a {value.kind}")
    same = graph.node("Equal", value.tensor, graph.number(words[0]))
    for word in words[1:]:
        same = graph.node("Or", same, graph.node("Equal", value.tensor, graph.number(word)))
    unknown = graph.is_null(value)
    return Value("condition", same, graph.node("Not", graph.node("Or", same, unknown)))


def among(graph: SqlGraph, tree: exp.Expr) -> Value:
    """IN with values written out."""
    words = [bare(word) for word in tree.args.get("expressions") or ()]
    if not words or any(isinstance(word, exp.Null) for word in words):
        raise UnsayableError("IN takes a list of values written out")
    return _among(graph, graph.value(tree.this), words)


def between(graph: SqlGraph, tree: exp.Expr) -> Value:
    """BETWEEN."""
    low = exp.GTE(this=tree.this.copy(), expression=tree.args["low"].copy())
    high = exp.LTE(this=tree.this.copy(), expression=tree.args["high"].copy())
    return both(graph, exp.And(this=low, expression=high))


def both(graph: SqlGraph, tree: exp.Expr) -> Value:
    """AND."""
    a, b = graph.condition(tree.this), graph.condition(tree.expression)
    return Value("condition", graph.node("And", a.tensor, b.tensor), graph.node("Or", a.other, b.other))


def either(graph: SqlGraph, tree: exp.Expr) -> Value:
    """OR."""
    a, b = graph.condition(tree.this), graph.condition(tree.expression)
    return Value("condition", graph.node("Or", a.tensor, b.tensor), graph.node("And", a.other, b.other))


def negate(graph: SqlGraph, tree: exp.Expr) -> Value:
    """NOT."""
    value = graph.condition(tree.this)
    return Value("condition", value.other, value.tensor)


def is_what(graph: SqlGraph, tree: exp.Expr) -> Value:
    """IS [NOT] NULL, TRUE, FALSE."""
    asked = bare(tree.expression)
    if isinstance(asked, exp.Null):
        missing = graph.is_null(graph.value(tree.this))
        return Value("condition", missing, graph.node("Not", missing))
    if isinstance(asked, exp.Boolean):
        value = graph.condition(tree.this)
        yes = value.tensor if asked.this else value.other
        return Value("condition", yes, graph.node("Not", yes))
    raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} has no counterpart in ONNX")
