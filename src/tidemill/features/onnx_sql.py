"""Frozen TRANSFORM columns as nodes of a graph, where ONNX can say them.

A number is a DOUBLE whose NULL is NaN; a string is a STRING whose NULL is `values.NULL_TEXT`; a condition is two
tensors, where it is true and where it is false (neither: NULL), so that three-valued logic comes out as in SQL. What
has no counterpart (string functions, arrays, hashing, regular expressions) raises `UnsayableError` with the reason;
then the graph takes the columns of TRANSFORM instead of raw ones. Numbers that are not finite are NULL here from the
start, as in every reader of features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np  # noqa: TID253
from sqlglot import exp, parse_one  # noqa: TID253

from tidemill.core.names import name_key
from tidemill.features.onnx_builder import Builder, GraphInput, declare, graph_input
from tidemill.features.onnx_nodes import civil_nodes, floor_divide
from tidemill.features.plan import Feature, FeaturePlan
from tidemill.features.values import NULL_INTEGER, NULL_TEXT

_DAY = 86_400_000_000


class UnsayableError(Exception):
    """ONNX has no nodes for this expression; the message says which part."""


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression became. ``kind``: number, text, condition, date, timestamp, pair or struct."""

    kind: str
    tensor: str = ""
    other: str = ""  # condition: where it is false; pair: the values beside the indexes
    fields: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))


class SqlGraph:
    """Translates the TRANSFORM columns of one plan; declares the raw columns it meets."""

    def __init__(self, plan: FeaturePlan, builder: Builder) -> None:
        self.plan = plan
        self.builder = builder
        self.inputs: list[GraphInput] = []
        self._types = {name_key(column.name): column for column in plan.inputs}
        self._declared: dict[tuple[str, str, str], str] = {}
        self._columns = {name_key(column.name): parse_one(column.sql, dialect="duckdb") for column in plan.transforms}
        self._done: dict[str, Value] = {}

    def tensors(self) -> dict[str, str]:
        """The tensors of all features, by name, as `onnx_encoding.encode_in_graph` takes them.

        Raises
        ------
        UnsayableError
            One of them cannot be said.
        """
        found: dict[str, str] = {}
        for feature in self.plan.features:
            found |= self._feature(feature)
        return found

    def _feature(self, feature: Feature) -> dict[str, str]:
        tree = _bare(self._columns[name_key(feature.column)])
        passed = _path(tree)
        if passed is not None and not (passed[1] and feature.field):
            return self._pass(feature, passed[0], feature.field or passed[1])
        if tree.find(exp.Column) is None:
            raise UnsayableError(f"{feature.column} reads no column")
        if feature.column not in self._done:
            self._done[feature.column] = self.value(tree)
        value = self._done[feature.column]
        if feature.field:
            value = value.fields[feature.field]
        if feature.kind == "bool" and value.kind == "condition":
            return {feature.name: self._whole(value)}
        if feature.kind == "sparse" and value.kind == "pair":
            return {feature.name: value.tensor, f"{feature.name}.value": value.other}
        if feature.kind != value.kind:
            raise UnsayableError(f"{feature.name} is a {feature.kind}, which the graph has no expressions of")
        return {feature.name: value.tensor}

    def _pass(self, feature: Feature, column: str, part: str) -> dict[str, str]:
        given = graph_input(feature, name=f"{column}_{part}" if part else column, column=column, field=part)
        tensor = self._declare(given)
        return {feature.name: tensor} | (
            {f"{feature.name}.value": f"{given.name}.value"} if given.kind == "sparse" else {}
        )

    def _declare(self, given: GraphInput) -> str:
        key = (given.column, given.field, given.kind)
        if key not in self._declared:
            if any(other.name == given.name for other in self.inputs):
                raise UnsayableError(f"{given.name} is read in two ways")
            self._declared[key] = declare(self.builder, given)
            self.inputs.append(given)
        return self._declared[key]

    # -- expressions

    def value(self, tree: exp.Expr) -> Value:
        """Translate one expression."""
        tree = _bare(tree)
        write = _WRITERS.get(type(tree))
        if write is None:
            raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} has no counterpart in ONNX")
        return write(self, tree)

    def number(self, tree: exp.Expr) -> str:
        """Translate an expression that must be a number."""
        value = self.value(tree)
        if value.kind != "number":
            raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} is a {value.kind}, not a number")
        return value.tensor

    def condition(self, tree: exp.Expr) -> Value:
        """Translate an expression that must be a condition."""
        value = self.value(tree)
        if value.kind != "condition":
            raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} is a {value.kind}, not a condition")
        return value

    def column(self, tree: exp.Expr) -> Value:
        """A raw column by its type."""
        given = self._types.get(name_key(tree.name))
        if given is None or not isinstance(tree, exp.Column) or tree.table:
            raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} is not a column of the query")
        kind = _kind_of_text(given.type)
        tensor = self._declare(GraphInput(name=given.name, column=given.name, kind=kind))
        if kind != "bool":
            return Value(kind, tensor)
        yes, no = (self.node("Equal", tensor, self.whole(number)) for number in (1, 0))
        return Value("condition", yes, no)

    def _whole(self, value: Value) -> str:
        unless = self.node("Where", value.other, self.whole(0), self.whole(NULL_INTEGER))
        return self.node("Where", value.tensor, self.whole(1), unless)

    def node(self, operator: str, *inputs: str) -> str:
        """Append a node."""
        return self.builder.node(operator, *inputs)

    def real(self, value: float) -> str:
        """A number as a constant."""
        return self.builder.constant(np.array(value, np.float64))

    def whole(self, value: int) -> str:
        """A whole number as a constant."""
        return self.builder.constant(np.array(value, np.int64))

    def choose(self, condition: str, yes: Value, no: Value) -> Value:
        """``yes`` where a condition is true, else ``no``; both of one kind."""
        if yes.kind == "null":
            yes = self.null_like(no)
        if no.kind == "null":
            no = self.null_like(yes)
        if yes.kind != no.kind or yes.kind not in ("number", "text"):
            raise UnsayableError(f"a choice between a {yes.kind} and a {no.kind}")
        return Value(yes.kind, self.node("Where", condition, yes.tensor, no.tensor))

    def null_like(self, value: Value) -> Value:
        """NULL of a kind."""
        if value.kind == "text":
            return Value("text", self.builder.constant([NULL_TEXT]))
        return Value("number", self.real(np.nan))

    def is_null(self, value: Value) -> str:
        """Where a value is NULL, as a boolean tensor."""
        match value.kind:
            case "number":
                return self.node("IsNaN", self.node("Mul", value.tensor, self.real(0.0)))
            case "text":
                return self.node("Equal", self.match_text(value, [], null=1), self.real(1.0))
            case "condition":
                return self.node("Not", self.node("Or", value.tensor, value.other))
            case "date" | "timestamp":
                return self.node("Equal", value.tensor, self.whole(NULL_INTEGER))
        raise UnsayableError(f"IS NULL of a {value.kind}")

    def match_text(self, value: Value, words: list[str], *, null: float) -> str:
        """1 for the given words, 0 for others, ``null`` for NULL; a double."""
        table = dict.fromkeys(words, 1.0) | {NULL_TEXT: float(null)}
        found = self.builder.node(
            "LabelEncoder",
            value.tensor,
            domain="ai.onnx.ml",
            keys_strings=list(table),
            values_floats=list(table.values()),
            default_float=0.0,
        )
        return self.builder.cast(found, "double")


def say_transform(plan: FeaturePlan, builder: Builder) -> tuple[dict[str, str], tuple[GraphInput, ...]]:
    """Tensors of the features by name, and the raw inputs they come from.

    Raises
    ------
    UnsayableError
        Some column has no counterpart in ONNX.
    """
    SqlGraph(plan, Builder()).tensors()  # a trial: a graph is never left half said
    graph = SqlGraph(plan, builder)
    return graph.tensors(), tuple(graph.inputs)


def _bare(tree: exp.Expr) -> exp.Expr:
    while isinstance(tree, exp.Paren):
        tree = tree.this
    return tree


def _path(tree: exp.Expr) -> tuple[str, str] | None:
    """Column and field of an expression that reads no more than that."""
    if isinstance(tree, exp.Column) and not tree.table:
        return tree.name, ""
    if isinstance(tree, exp.StructExtract):
        inner = _path(_bare(tree.this))
        name = tree.expression.name
        return (inner[0], name) if inner is not None and not inner[1] else None
    return None


def _kind_of_text(type_: str) -> str:
    if type_.startswith(("int", "uint", "double", "float", "halffloat", "decimal")):
        return "number"
    if type_ in ("string", "large_string", "string_view") or type_.startswith("dictionary<values=string"):
        return "text"
    if type_ == "bool":
        return "bool"
    if type_.startswith("date"):
        return "date"
    if type_.startswith("timestamp"):
        return "timestamp"
    raise UnsayableError(f"columns of type {type_} are not fed to expressions")


def _literal(graph: SqlGraph, tree: exp.Expr) -> Value:
    if tree.is_string:
        return Value("text", graph.builder.constant([tree.name]))
    return Value("number", graph.real(float(tree.name)))


def _arithmetic(operator: str) -> Callable[[SqlGraph, exp.Expr], Value]:
    def write(graph: SqlGraph, tree: exp.Expr) -> Value:
        return Value("number", graph.node(operator, graph.number(tree.this), graph.number(tree.expression)))

    return write


def _modulo(graph: SqlGraph, tree: exp.Expr) -> Value:
    left, right = graph.number(tree.this), graph.number(tree.expression)
    return Value("number", graph.builder.node("Mod", left, right, fmod=1))  # the sign of the dividend, as in SQL


def _function(*operators: str) -> Callable[[SqlGraph, exp.Expr], Value]:
    def write(graph: SqlGraph, tree: exp.Expr) -> Value:
        tensor = graph.number(tree.this)
        for operator in operators:
            tensor = graph.node(operator, tensor)
        return Value("number", tensor)

    return write


def _compare(true: str, false: str) -> Callable[[SqlGraph, exp.Expr], Value]:
    def write(graph: SqlGraph, tree: exp.Expr) -> Value:
        left, right = graph.value(tree.this), graph.value(tree.expression)
        if left.kind != "number" or right.kind != "number":
            raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} compares a {left.kind} with a {right.kind}")
        # Both are false where one side is NaN: NULL.
        return Value(
            "condition", graph.node(true, left.tensor, right.tensor), graph.node(false, left.tensor, right.tensor)
        )

    return write


def _equal(graph: SqlGraph, tree: exp.Expr) -> Value:
    word = _bare(tree.expression)
    if isinstance(word, exp.Literal) and word.is_string:
        found = _among(graph, graph.value(tree.this), [word])
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


def _in(graph: SqlGraph, tree: exp.Expr) -> Value:
    words = [_bare(word) for word in tree.args.get("expressions") or ()]
    if not words or any(isinstance(word, exp.Null) for word in words):
        raise UnsayableError("IN takes a list of values written out")
    return _among(graph, graph.value(tree.this), words)


def _between(graph: SqlGraph, tree: exp.Expr) -> Value:
    low = exp.GTE(this=tree.this.copy(), expression=tree.args["low"].copy())
    high = exp.LTE(this=tree.this.copy(), expression=tree.args["high"].copy())
    return _and(graph, exp.And(this=low, expression=high))


def _and(graph: SqlGraph, tree: exp.Expr) -> Value:
    a, b = graph.condition(tree.this), graph.condition(tree.expression)
    return Value("condition", graph.node("And", a.tensor, b.tensor), graph.node("Or", a.other, b.other))


def _or(graph: SqlGraph, tree: exp.Expr) -> Value:
    a, b = graph.condition(tree.this), graph.condition(tree.expression)
    return Value("condition", graph.node("Or", a.tensor, b.tensor), graph.node("And", a.other, b.other))


def _not(graph: SqlGraph, tree: exp.Expr) -> Value:
    value = graph.condition(tree.this)
    return Value("condition", value.other, value.tensor)


def _is(graph: SqlGraph, tree: exp.Expr) -> Value:
    asked = _bare(tree.expression)
    if isinstance(asked, exp.Null):
        missing = graph.is_null(graph.value(tree.this))
        return Value("condition", missing, graph.node("Not", missing))
    if isinstance(asked, exp.Boolean):
        value = graph.condition(tree.this)
        yes = value.tensor if asked.this else value.other
        return Value("condition", yes, graph.node("Not", yes))
    raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} has no counterpart in ONNX")


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
    same = _equal(graph, exp.EQ(this=tree.this.copy(), expression=tree.expression.copy()))
    return graph.choose(same.tensor, Value("null"), graph.value(tree.this))


def _extreme(operator: str) -> Callable[[SqlGraph, exp.Expr], Value]:
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
    value = graph.value(tree.this)
    if value.kind == "text" and name in ("VARCHAR", "TEXT"):
        return value
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
    if tree.name.lower() == "enum_code" and isinstance(_bare(tree.expressions[0]), exp.TryCast):
        return _enum_code(graph, _bare(tree.expressions[0]))
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
    items = [_bare(item) for item in tree.expressions]
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
    return _date_part(graph, tree.name.upper(), tree.expression)


def _part(name: str) -> Callable[[SqlGraph, exp.Expr], Value]:
    return lambda graph, tree: _date_part(graph, name, tree.this)


def _date_part(graph: SqlGraph, part: str, tree: exp.Expr) -> Value:
    value = graph.value(tree)
    if value.kind not in ("date", "timestamp"):
        raise UnsayableError(f"{part} of a {value.kind}")
    missing = graph.is_null(value)
    moment = graph.node("Where", missing, graph.whole(0), value.tensor)
    days = moment if value.kind == "date" else floor_divide(graph.builder, moment, _DAY)
    if part in ("HOUR", "MINUTE"):
        if value.kind == "date":
            raise UnsayableError(f"{part} of a date")
        of_day = graph.node("Sub", moment, graph.node("Mul", days, graph.whole(_DAY)))
        minutes = graph.node("Div", of_day, graph.whole(60_000_000))
        found = graph.node("Div" if part == "HOUR" else "Mod", minutes, graph.whole(60))
    elif part in ("DOW", "DAYOFWEEK", "WEEKDAY"):  # DuckDB: Sunday is 0
        found = graph.node("Mod", graph.node("Add", days, graph.whole(4)), graph.whole(7))
    else:
        found = _calendar(graph, part, days)
    number = graph.builder.cast(found, "double")
    return Value("number", graph.node("Where", missing, graph.real(np.nan), number))


def _calendar(graph: SqlGraph, part: str, days: str) -> str:
    year, month, day, of_year = civil_nodes(graph.builder, days)
    match part:
        case "YEAR":
            return year
        case "MONTH":
            return month
        case "DAY" | "DAYOFMONTH":
            return day
        case "DOY" | "DAYOFYEAR":
            return graph.node("Add", of_year, graph.whole(1))
        case "QUARTER":
            return graph.node("Div", graph.node("Add", month, graph.whole(2)), graph.whole(3))
    raise UnsayableError(f"EXTRACT({part}) has no nodes yet")


def _boolean(graph: SqlGraph, tree: exp.Expr) -> Value:
    yes, no = (graph.builder.constant(np.array(value)) for value in (bool(tree.this), not tree.this))
    return Value("condition", yes, no)


_WRITERS: Mapping[type, Callable[[SqlGraph, exp.Expr], Value]] = MappingProxyType(
    {
        exp.Column: SqlGraph.column,
        exp.Literal: _literal,
        exp.Null: lambda *_: Value("null"),
        exp.Boolean: _boolean,
        exp.Neg: _function("Neg"),
        exp.Add: _arithmetic("Add"),
        exp.Sub: _arithmetic("Sub"),
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
        exp.LT: _compare("Less", "GreaterOrEqual"),
        exp.GTE: _compare("GreaterOrEqual", "Less"),
        exp.GT: _compare("Greater", "LessOrEqual"),
        exp.LTE: _compare("LessOrEqual", "Greater"),
        exp.EQ: _equal,
        exp.NEQ: _equal,
        exp.In: _in,
        exp.Between: _between,
        exp.And: _and,
        exp.Or: _or,
        exp.Not: _not,
        exp.Is: _is,
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
    }
)
