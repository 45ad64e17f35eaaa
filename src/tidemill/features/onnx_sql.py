"""Frozen TRANSFORM columns as nodes of a graph, where ONNX can say them.

A number is a DOUBLE whose NULL is NaN; a string is a STRING whose NULL is `values.NULL_TEXT`; a condition is two
tensors, where it is true and where it is false (neither: NULL), so that three-valued logic comes out as in SQL. What
has no counterpart (most string functions, arrays, hashing, regular expressions) raises `UnsayableError` with the
reason; then the graph takes the columns of TRANSFORM instead of raw ones. Numbers that are not finite are NULL here
from the start, as in every reader of features.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np  # noqa: TID253
from sqlglot import exp  # noqa: TID253

from tidemill.features.onnx_builder import Builder, GraphInput
from tidemill.features.onnx_sql_conditions import among, between, both, compare, either, equal, is_what, negate
from tidemill.features.onnx_sql_graph import SqlGraph, UnsayableError, Value, Writer, bare
from tidemill.features.onnx_sql_texts import concatenated, like, spelled_condition
from tidemill.features.onnx_sql_times import cast_moment, date_diff, date_part, subtract_dates, written_moment
from tidemill.features.plan import FeaturePlan
from tidemill.features.values import NULL_TEXT


def say_transform(plan: FeaturePlan, builder: Builder) -> tuple[dict[str, str], tuple[GraphInput, ...]]:
    """Tensors of the features by name, and the raw inputs they come from.

    Raises
    ------
    UnsayableError
        Some column has no counterpart in ONNX.
    """
    SqlGraph(plan, Builder(), _WRITERS).tensors()  # a trial: a graph is never left half said
    graph = SqlGraph(plan, builder, _WRITERS)
    return graph.tensors(), tuple(graph.inputs)


def _literal(graph: SqlGraph, tree: exp.Expr) -> Value:
    if tree.is_string:
        return Value("text", graph.builder.constant([tree.name]))
    return Value("number", graph.real(float(tree.name)))


def _arithmetic(operator: str) -> Writer:
    def write(graph: SqlGraph, tree: exp.Expr) -> Value:
        return Value("number", graph.node(operator, graph.number(tree.this), graph.number(tree.expression)))

    return write


def _modulo(graph: SqlGraph, tree: exp.Expr) -> Value:
    left, right = graph.number(tree.this), graph.number(tree.expression)
    return Value("number", graph.builder.node("Mod", left, right, fmod=1))  # the sign of the dividend, as in SQL


def _function(*operators: str) -> Writer:
    def write(graph: SqlGraph, tree: exp.Expr) -> Value:
        tensor = graph.number(tree.this)
        for operator in operators:
            tensor = graph.node(operator, tensor)
        return Value("number", tensor)

    return write


def _case(graph: SqlGraph, tree: exp.Expr) -> Value:
    default = tree.args.get("default")
    result = graph.value(default) if default is not None else Value("null")
    for branch in reversed(tree.args["ifs"]):
        test = branch.this
        if tree.this is not None:
            test = exp.EQ(this=tree.this.copy(), expression=test.copy())
        result = graph.choose(graph.condition(test).tensor, graph.value(branch.args["true"]), result)
    return result


def _if(graph: SqlGraph, tree: exp.Expr) -> Value:
    no = tree.args.get("false")
    other = graph.value(no) if no is not None else Value("null")
    return graph.choose(graph.condition(tree.this).tensor, graph.value(tree.args["true"]), other)


def _coalesce(graph: SqlGraph, tree: exp.Expr) -> Value:
    *first, result = [graph.value(part) for part in (tree.this, *tree.expressions)]
    for value in reversed(first):
        if value.kind == "null":
            continue
        result = graph.choose(graph.is_null(value), result, value)
    return result


def _nullif(graph: SqlGraph, tree: exp.Expr) -> Value:
    same = equal(graph, exp.EQ(this=tree.this.copy(), expression=tree.expression.copy()))
    return graph.choose(same.tensor, Value("null"), graph.value(tree.this))


def _extreme(operator: str) -> Writer:
    def write(graph: SqlGraph, tree: exp.Expr) -> Value:
        # SQL's GREATEST and LEAST look over NULLs (DuckDB), ONNX's Max and Min do not.
        result = Value("number", graph.number(tree.this))
        for part in tree.expressions:
            other = Value("number", graph.number(part))
            best = Value("number", graph.node(operator, result.tensor, other.tensor))
            with_other = graph.choose(graph.is_null(result), other, best)
            result = graph.choose(graph.is_null(other), result, with_other)
        return result

    return write


def _round(graph: SqlGraph, tree: exp.Expr) -> Value:
    x = graph.number(tree.this)
    digits = tree.args.get("decimals")
    power = 10.0 ** float(digits.name) if isinstance(digits, exp.Literal) else 1.0
    if digits is not None and not isinstance(digits, exp.Literal):
        raise UnsayableError("ROUND takes its digits written out")
    scaled = graph.node("Mul", graph.node("Abs", x), graph.real(power)) if power != 1 else graph.node("Abs", x)
    # Halves go away from zero; ONNX's Round takes them to the even number.
    whole = graph.node("Floor", graph.node("Add", scaled, graph.real(0.5)))
    signed = graph.node("Mul", whole, graph.node("Sign", x))
    return Value("number", graph.node("Div", signed, graph.real(power)) if power != 1 else signed)


_NUMERIC = {"DOUBLE", "FLOAT", "DECIMAL", "UDOUBLE"}
_WHOLE = {"BIGINT", "INT", "SMALLINT", "TINYINT", "INT128", "UBIGINT", "UINT", "USMALLINT", "UTINYINT"}


def _cast(graph: SqlGraph, tree: exp.Expr) -> Value:
    kind = tree.args["to"].this
    name = str(getattr(kind, "value", kind)).upper()
    written = written_moment(graph, tree.this, name)
    if written is not None:
        return written
    value = graph.value(tree.this)
    if value.kind == "text" and name in ("VARCHAR", "TEXT"):
        return value
    if value.kind == "condition" and name in ("VARCHAR", "TEXT"):
        return spelled_condition(graph, value)
    moment = cast_moment(graph, value, name)
    if moment is not None:
        return moment
    if value.kind == "condition" and name in _NUMERIC | _WHOLE:
        known = graph.node("Where", value.other, graph.real(0.0), graph.real(np.nan))
        return Value("number", graph.node("Where", value.tensor, graph.real(1.0), known))
    if value.kind != "number" or (name == "DECIMAL" and tree.args["to"].expressions):
        raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} has no counterpart in ONNX")
    if name in _NUMERIC:
        return value
    if name in _WHOLE:
        return Value("number", graph.node("Round", value.tensor))  # halves to the even number, as the engine casts
    raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} has no counterpart in ONNX")


def _anonymous(graph: SqlGraph, tree: exp.Expr) -> Value:
    if tree.name.lower() == "enum_code" and isinstance(bare(tree.expressions[0]), exp.TryCast):
        return _enum_code(graph, bare(tree.expressions[0]))
    raise UnsayableError(f"{tree.name.lower()}() has no counterpart in ONNX")


def _enum_code(graph: SqlGraph, cast: exp.Expr) -> Value:
    value = graph.value(cast.this)
    words = [word.name for word in cast.args["to"].expressions]
    if value.kind != "text":
        raise UnsayableError(f"the words of a {value.kind}")
    table = {word: float(i) for i, word in enumerate(words)} | {NULL_TEXT: -1.0}
    found = graph.builder.node(
        "LabelEncoder",
        value.tensor,
        domain="ai.onnx.ml",
        keys_strings=list(table),
        values_floats=list(table.values()),
        default_float=-1.0,
    )
    codes = graph.builder.cast(found, "double")
    unknown = graph.node("Less", codes, graph.real(0.0))
    return Value("number", graph.node("Where", unknown, graph.real(np.nan), codes))


def _array(graph: SqlGraph, tree: exp.Expr) -> Value:
    items = [bare(item) for item in tree.expressions]
    if len(items) != 1 or not isinstance(items[0], exp.Struct):
        raise UnsayableError("arrays are not built in the graph")
    parts = _struct(graph, items[0]).fields
    if set(parts) != {"index", "value"} or any(part.kind != "number" for part in parts.values()):
        raise UnsayableError("arrays are not built in the graph")
    index = parts["index"].tensor
    # A value that is a constant gets a row for each index.
    values = graph.node("Add", graph.node("Mul", index, graph.real(0.0)), parts["value"].tensor)
    return Value("pair", graph.builder.cast(index, "int64"), values)


def _struct(graph: SqlGraph, tree: exp.Expr) -> Value:
    fields = {}
    for item in tree.expressions:
        if not isinstance(item, exp.PropertyEQ):
            raise UnsayableError("a STRUCT without names")
        fields[item.this.name] = graph.value(item.expression)
    return Value("struct", fields=fields)


def _extract(graph: SqlGraph, tree: exp.Expr) -> Value:
    return date_part(graph, tree.name.upper(), tree.expression)


def _part(name: str) -> Writer:
    return lambda graph, tree: date_part(graph, name, tree.this)


def _subtract(graph: SqlGraph, tree: exp.Expr) -> Value:
    left, right = graph.value(tree.this), graph.value(tree.expression)
    if left.kind == right.kind == "date":
        return subtract_dates(graph, left, right)
    return _arithmetic("Sub")(graph, tree)


def _boolean(graph: SqlGraph, tree: exp.Expr) -> Value:
    yes, no = (graph.builder.constant(np.array(value)) for value in (bool(tree.this), not tree.this))
    return Value("condition", yes, no)


_WRITERS: Mapping[type, Writer] = MappingProxyType(
    {
        exp.Column: SqlGraph.column,
        exp.Literal: _literal,
        exp.Null: lambda *_: Value("null"),
        exp.Boolean: _boolean,
        exp.Neg: _function("Neg"),
        exp.Add: _arithmetic("Add"),
        exp.Sub: _subtract,
        exp.Mul: _arithmetic("Mul"),
        exp.Div: _arithmetic("Div"),
        exp.Mod: _modulo,
        exp.Pow: _arithmetic("Pow"),
        exp.Abs: _function("Abs"),
        exp.Ln: _function("Log"),
        exp.Exp: _function("Exp"),
        exp.Sqrt: _function("Sqrt"),
        exp.Floor: _function("Floor"),
        exp.Ceil: _function("Ceil"),
        exp.Round: _round,
        exp.Greatest: _extreme("Max"),
        exp.Least: _extreme("Min"),
        exp.LT: compare("Less", "GreaterOrEqual"),
        exp.GTE: compare("GreaterOrEqual", "Less"),
        exp.GT: compare("Greater", "LessOrEqual"),
        exp.LTE: compare("LessOrEqual", "Greater"),
        exp.EQ: equal,
        exp.NEQ: equal,
        exp.In: among,
        exp.Between: between,
        exp.And: both,
        exp.Or: either,
        exp.Not: negate,
        exp.Is: is_what,
        exp.Case: _case,
        exp.If: _if,
        exp.Coalesce: _coalesce,
        exp.Nullif: _nullif,
        exp.Cast: _cast,
        exp.TryCast: _cast,
        exp.Anonymous: _anonymous,
        exp.Array: _array,
        exp.Struct: _struct,
        exp.Extract: _extract,
        exp.Year: _part("YEAR"),
        exp.Month: _part("MONTH"),
        exp.Day: _part("DAY"),
        exp.DayOfMonth: _part("DAY"),
        exp.DayOfWeek: _part("DOW"),
        exp.DayOfYear: _part("DOY"),
        exp.Quarter: _part("QUARTER"),
        exp.Hour: _part("HOUR"),
        exp.Minute: _part("MINUTE"),
        exp.Second: _part("SECOND"),
        exp.DateDiff: date_diff,
        exp.DPipe: concatenated,
        exp.Like: like,
    }
)
