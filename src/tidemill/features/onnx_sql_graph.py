"""The raw columns and expressions of one TRANSFORM clause on their way into a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np  # noqa: TID253
from sqlglot import exp, parse_one  # noqa: TID253

from tidemill.core.names import name_key
from tidemill.features.onnx_builder import Builder, GraphInput, declare, graph_input
from tidemill.features.plan import Feature, FeaturePlan
from tidemill.features.values import NULL_INTEGER, NULL_TEXT


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

    def __init__(self, plan: FeaturePlan, builder: Builder, writers: Mapping[type, Writer]) -> None:
        self.plan = plan
        self._writers = writers
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
        tree = bare(self._columns[name_key(feature.column)])
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
        tree = bare(tree)
        write = self._writers.get(type(tree))
        if write is None:
            raise UnsayableError(f"{tree.sql(dialect='duckdb')[:60]} has no counterpart in ONNX")
        value = write(self, tree)
        if tree.args.get("negate"):  # NOT LIKE, NOTNULL: the parser leaves the NOT inside
            return Value("condition", value.other, value.tensor)
        return value

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


#: Translates one kind of expression.
Writer = Callable[[SqlGraph, exp.Expr], Value]


def bare(tree: exp.Expr) -> exp.Expr:
    """An expression without the parentheses around it."""
    while isinstance(tree, exp.Paren):
        tree = tree.this
    return tree


def _path(tree: exp.Expr) -> tuple[str, str] | None:
    """Column and field of an expression that reads no more than that."""
    if isinstance(tree, exp.Column) and not tree.table:
        return tree.name, ""
    if isinstance(tree, exp.StructExtract):
        inner = _path(bare(tree.this))
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
