"""Texts of TRANSFORM as nodes: concatenation and LIKE, the operations ONNX says exactly.

Letter case, trimming, lengths and regular expressions are not here: ONNX's differ from the engine's beyond ASCII.
"""

from __future__ import annotations

from sqlglot import exp  # noqa: TID253

from tidemill.features.onnx_sql_graph import SqlGraph, UnsayableError, Value, bare

_SPECIAL = frozenset("\\.+*?()|[]{}^$")


def concatenated(graph: SqlGraph, tree: exp.Expr) -> Value:
    """``||``: NULL where either side is."""
    left, right = _text(graph, tree.this), _text(graph, tree.expression)
    joined = Value("text", graph.node("StringConcat", left.tensor, right.tensor))
    null = graph.null_like(joined)
    for part in (left, right):
        joined = graph.choose(graph.is_null(part), null, joined)
    return joined


def like(graph: SqlGraph, tree: exp.Expr) -> Value:
    """LIKE with a pattern written out: ``%`` is any text, ``_`` one character, all else stands for itself."""
    pattern = bare(tree.expression)
    if not (isinstance(pattern, exp.Literal) and pattern.is_string):
        raise UnsayableError("LIKE takes its pattern written out")
    if "\0" in pattern.name:
        raise UnsayableError("LIKE with a zero byte")
    wild = {"%": ".*", "_": "."}
    regex = "(?s)" + "".join(wild.get(char, f"\\{char}" if char in _SPECIAL else char) for char in pattern.name)
    value = _text(graph, tree.this)
    found = graph.builder.node("RegexFullMatch", value.tensor, pattern=regex)
    known = graph.node("Not", graph.is_null(value))
    return Value("condition", graph.node("And", found, known), graph.node("And", graph.node("Not", found), known))


def spelled_condition(graph: SqlGraph, value: Value) -> Value:
    """A condition as text: true or false."""
    words = {word: Value("text", graph.builder.constant([word])) for word in ("true", "false")}
    unless = graph.choose(value.other, words["false"], graph.null_like(words["true"]))
    return graph.choose(value.tensor, words["true"], unless)


def _text(graph: SqlGraph, tree: exp.Expr) -> Value:
    value = graph.value(tree)
    if value.kind != "text":
        raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} is a {value.kind}, not a text")
    return value
