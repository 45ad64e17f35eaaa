"""A settled plan as nodes of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np  # noqa: TID253

from tidemill.features.onnx_builder import Builder, GraphInput, declare, graph_input
from tidemill.features.onnx_nodes import instant_nodes
from tidemill.features.plan import (
    LARGEST,
    Feature,
    FeaturePlan,
    Instant,
    Label,
    MultiHot,
    Number,
    OneHot,
    Sparse,
    Target,
    Vector,
    encoding_width,
)
from tidemill.features.values import NULL_INTEGER, NULL_TEXT, read_integer

_ML = "ai.onnx.ml"
_INTEGERS = frozenset({"bool", "date", "time", "datetime"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphEncoding:
    """The encoding half of a graph.

    Parameters
    ----------
    tensor
        Name of the encoded matrix, float32 (float64 when precise), shape (N, plan.width).
    inputs
        What the graph is fed (see `onnx_feed`).
    reason
        '' when the graph takes raw columns. Otherwise why it takes the columns of TRANSFORM instead.
    """

    tensor: str
    inputs: tuple[GraphInput, ...]
    reason: str = ""


def onnx_inputs_and_encoding(plan: FeaturePlan, builder: Builder, *, precise: bool = False) -> GraphEncoding:
    """Append the nodes that encode raw columns with a settled plan: TRANSFORM too, where ONNX can say it.

    Parameters
    ----------
    precise
        Make the matrix float64. Linear models need it: their weights may be large where columns nearly repeat another.
    """
    if plan.transforms:
        from tidemill.features.onnx_sql import say_transform
        from tidemill.features.onnx_sql_graph import UnsayableError

        try:
            tensors, inputs = say_transform(plan, builder)
            return GraphEncoding(tensor=encode_in_graph(plan, builder, tensors, precise=precise), inputs=inputs)
        except UnsayableError as error:
            reason = f"TRANSFORM stays outside the graph: {error}"
    else:
        reason = ""
    inputs = feature_inputs(plan)
    tensors = {given.name: declare(builder, given) for given in inputs}
    tensors |= {f"{given.name}.value": f"{given.name}.value" for given in inputs if given.kind == "sparse"}
    return GraphEncoding(tensor=encode_in_graph(plan, builder, tensors, precise=precise), inputs=inputs, reason=reason)


def feature_inputs(plan: FeaturePlan) -> tuple[GraphInput, ...]:
    """What the features are read from, one input each."""
    return tuple(
        graph_input(feature, name=feature.name, column=feature.column, field=feature.field) for feature in plan.features
    )


class _Parts:
    """Pieces of the matrix, grouped so that many columns share one node, with the columns each piece fills."""

    def __init__(self) -> None:
        self.numbers: list[tuple[int, str, Number]] = []
        self.flags: list[tuple[range, str]] = []  # bool
        self.floats: list[tuple[range, str]] = []  # float32, ready


def encode_in_graph(plan: FeaturePlan, builder: Builder, tensors: Mapping[str, str], *, precise: bool = False) -> str:
    """Append encoding nodes over tensors by feature name; the matrix's name.

    Tensors follow the conventions of `onnx_builder`; a sparse array's values are under ``<name>.value``.
    """
    parts = _Parts()
    dtype = "double" if precise else "float"
    start = 0
    for feature in plan.features:
        width = encoding_width(feature.encoding)
        if width:
            _append(parts, builder, feature, tensors=tensors, columns=range(start, start + width))
        start += width
    pieces: list[str] = []
    order: list[int] = []
    if parts.numbers:
        pieces.append(_numbers(builder, parts.numbers, dtype))
        order += [column for column, _, _ in parts.numbers]
    if parts.flags:
        pieces.append(builder.cast(builder.join([tensor for _, tensor in parts.flags]), dtype))
        order += [column for columns, _ in parts.flags for column in columns]
    pieces += [builder.cast(tensor, dtype) if precise else tensor for _, tensor in parts.floats]
    order += [column for columns, _ in parts.floats for column in columns]
    matrix = builder.join(pieces)
    if order == sorted(order):
        return matrix
    places = np.argsort(np.array(order), kind="stable").astype(np.int64)
    return builder.node("Gather", matrix, builder.constant(places), axis=1)


def _append(parts: _Parts, builder: Builder, feature: Feature, *, tensors: Mapping[str, str], columns: range) -> None:
    encoding, kind, tensor = feature.encoding, feature.kind, tensors[feature.name]
    match encoding:
        case Number():
            parts.numbers.append((columns[0], tensor, encoding))
        case Label():
            values = [float(i + 1) for i in range(len(encoding.vocabulary))]
            parts.floats.append((columns, _look_up(builder, tensor, kind, encoding, values, null=0.0, other=0.0)))
        case OneHot():
            parts.flags.append((columns, _one_hot(builder, tensor, kind, encoding)))
        case Target():
            parts.floats.append((columns, _target(builder, tensor, kind, encoding)))
        case Instant():
            _instant(parts, builder, tensor, encoding=encoding, columns=columns)
        case Vector():
            parts.floats.append((columns, _vector(builder, tensor)))
        case MultiHot():
            parts.flags.append((columns, _members(builder, tensor, encoding)))
        case Sparse():
            value = tensors[f"{feature.name}.value"]
            parts.floats.append((columns, _sparse(builder, tensor, value, encoding.length)))


def _numbers(builder: Builder, numbers: Sequence[tuple[int, str, Number]], dtype: str) -> str:
    x = builder.join([tensor for _, tensor, _ in numbers])
    means = np.array([[number.mean for _, _, number in numbers]], np.float64)
    # 0 * x is NaN for NaN and for infinities: one test for all that is missing.
    missing = builder.node("IsNaN", builder.node("Mul", x, builder.constant(0.0)))
    x = builder.node("Where", missing, builder.constant(means), x)
    low, high = builder.constant(-LARGEST), builder.constant(LARGEST)
    x = builder.node("Clip", x, low, high)
    deviations = [number.deviation for _, _, number in numbers]
    if any(deviation is not None for deviation in deviations):
        # In a linear plan each number has both; the matrix has one style.
        x = builder.node("Sub", x, builder.constant(means))
        x = builder.node("Div", x, builder.constant(np.array([deviations], np.float64)))
        x = builder.node("Clip", x, low, high)
    return builder.cast(x, dtype)


def _keys(kind: str, vocabulary: Sequence[str]) -> tuple[str, list[str] | list[int]]:
    if kind in _INTEGERS:
        return "keys_int64s", [*(read_integer(kind, value) for value in vocabulary), NULL_INTEGER]
    return "keys_strings", [*vocabulary, NULL_TEXT]


def _look_up(
    builder: Builder,
    tensor: str,
    kind: str,
    encoding: Label | OneHot | Target | MultiHot,
    values: Sequence[float],
    *,
    null: float,
    other: float,
) -> str:
    """Float per category; ``null`` for NULL, ``other`` for what is unknown."""
    name, keys = _keys(kind, encoding.vocabulary)
    table = {name: keys, "values_floats": [*values, null], "default_float": other}
    return builder.node("LabelEncoder", tensor, domain=_ML, **table)


def _places(builder: Builder, tensor: str, kind: str, vocabulary: Sequence[str], places: Sequence[int]) -> str:
    """Whole number per category, the last of ``places`` for NULL; -1 for what is unknown."""
    name, keys = _keys(kind, vocabulary)
    table = {name: keys, "values_int64s": list(places), "default_int64": -1}
    return builder.node("LabelEncoder", tensor, domain=_ML, **table)


def _one_hot(builder: Builder, tensor: str, kind: str, encoding: OneHot) -> str:
    size = len(encoding.vocabulary)
    kept = [i for i in range(size + encoding.null) if i != encoding.dropped]
    place = {ordinal: i for i, ordinal in enumerate(kept)}
    places = [place.get(i, -1) for i in range(size + 1)]
    found = _places(builder, tensor, kind, encoding.vocabulary, places)
    return builder.node("Equal", found, builder.constant(np.arange(len(kept), dtype=np.int64).reshape(1, -1)))


def _target(builder: Builder, tensor: str, kind: str, encoding: Target) -> str:
    if encoding.values is None:
        raise ValueError("the plan is a draft: settle it first")
    unknown, *known, null = encoding.values
    if encoding.outputs == 1:
        values = [row[0] for row in known]
        return _look_up(builder, tensor, kind, encoding, values, null=null[0], other=unknown[0])
    size = len(encoding.vocabulary)
    # Gather takes -1 as the last row: the row of unknown values stands there.
    found = _places(builder, tensor, kind, encoding.vocabulary, range(size + 1))
    table = builder.constant(np.array([*known, null, unknown], np.float32))
    return builder.node("Squeeze", builder.node("Gather", table, found, axis=0), builder.constant([1], "int64"))


def _vector(builder: Builder, tensor: str) -> str:
    missing = builder.node("IsNaN", builder.node("Mul", tensor, builder.constant(0.0)))
    filled = builder.node("Where", missing, builder.constant(0.0), tensor)
    clipped = builder.node("Clip", filled, builder.constant(-LARGEST), builder.constant(LARGEST))
    return builder.cast(clipped, "float")


def _members(builder: Builder, tensor: str, encoding: MultiHot) -> str:
    size = len(encoding.vocabulary)
    found = _places(builder, tensor, "text", encoding.vocabulary, [*range(size), -1])
    same = _per_member(builder, found, size)
    some = builder.node("ReduceMax", builder.cast(same, "float"), builder.constant([1], "int64"), keepdims=0)
    return builder.cast(some, "bool")


def _per_member(builder: Builder, places: str, size: int) -> str:
    """(N, members) places to (N, members, size) booleans."""
    cube = builder.node("Unsqueeze", places, builder.constant([2], "int64"))
    return builder.node("Equal", cube, builder.constant(np.arange(size, dtype=np.int64).reshape(1, 1, -1)))


def _sparse(builder: Builder, index: str, value: str, size: int) -> str:
    same = builder.cast(_per_member(builder, index, size), "double")
    weights = builder.node("Unsqueeze", value, builder.constant([2], "int64"))
    summed = builder.node("ReduceSum", builder.node("Mul", same, weights), builder.constant([1], "int64"), keepdims=0)
    return builder.cast(summed, "float")


def _instant(parts: _Parts, builder: Builder, tensor: str, *, encoding: Instant, columns: range) -> None:
    missing = builder.node("Equal", tensor, builder.constant(np.array(NULL_INTEGER)))
    micros = builder.node("Where", missing, builder.constant(np.array(0)), tensor)
    seconds = builder.node("Div", builder.cast(micros, "double"), builder.constant(1e6))
    seconds = builder.node("Where", missing, builder.constant(np.nan), seconds)
    parts.numbers.append((columns[0], seconds, encoding.seconds))
    values = instant_nodes(builder, micros)
    if encoding.parts is None:
        joined = builder.node("Where", missing, builder.constant(np.array(-1)), builder.join(values))
        parts.floats.append((columns[1:], builder.cast(joined, "float")))
        return
    present = builder.node("Not", missing)
    flags = [
        builder.node("Equal", part, builder.constant(np.array([known], np.int64)))
        for part, known in zip(values, encoding.parts, strict=True)
        if known
    ]
    if flags:
        parts.flags.append((columns[1:], builder.node("And", builder.join(flags), present)))
