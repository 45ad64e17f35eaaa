"""A settled plan as nodes of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np  # noqa: TID253

from tidemill.features.onnx_builder import Builder, GraphInput, declare
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
        Name of the encoded matrix, float32, shape (N, plan.width).
    inputs
        What the graph is fed (see `onnx_feed`).
    reason
        '' when the graph takes raw columns. Otherwise why it takes the columns of TRANSFORM instead.
    """

    tensor: str
    inputs: tuple[GraphInput, ...]
    reason: str = ""


def onnx_inputs_and_encoding(plan: FeaturePlan, builder: Builder) -> GraphEncoding:
    """Append the nodes that encode raw columns with a settled plan."""
    inputs = feature_inputs(plan)
    tensors = {given.name: declare(builder, given) for given in inputs}
    return GraphEncoding(tensor=encode_in_graph(plan, builder, tensors), inputs=inputs)


def feature_inputs(plan: FeaturePlan) -> tuple[GraphInput, ...]:
    """What the features are read from, one input each."""
    return tuple(
        GraphInput(
            name=feature.name,
            column=feature.column,
            field=feature.field,
            kind=feature.kind,
            size=encoding_width(feature.encoding) if isinstance(feature.encoding, Vector) else 1,
        )
        for feature in plan.features
    )


class _Parts:
    """Pieces of the matrix, grouped so that many columns share one node, with the columns each piece fills."""

    def __init__(self) -> None:
        self.numbers: list[tuple[int, str, Number]] = []
        self.flags: list[tuple[range, str]] = []  # bool
        self.floats: list[tuple[range, str]] = []  # float32, ready


def encode_in_graph(plan: FeaturePlan, builder: Builder, tensors: Mapping[str, str]) -> str:
    """Append encoding nodes over tensors by feature name (the conventions of `onnx_builder`); the matrix's name."""
    parts = _Parts()
    start = 0
    for feature in plan.features:
        width = encoding_width(feature.encoding)
        if width:
            _append(parts, builder, feature, tensor=tensors[feature.name], columns=range(start, start + width))
        start += width
    pieces: list[str] = []
    order: list[int] = []
    if parts.numbers:
        pieces.append(_numbers(builder, parts.numbers))
        order += [column for column, _, _ in parts.numbers]
    if parts.flags:
        pieces.append(builder.cast(builder.join([tensor for _, tensor in parts.flags]), "float"))
        order += [column for columns, _ in parts.flags for column in columns]
    pieces += [tensor for _, tensor in parts.floats]
    order += [column for columns, _ in parts.floats for column in columns]
    matrix = builder.join(pieces)
    if order == sorted(order):
        return matrix
    places = np.argsort(np.array(order), kind="stable").astype(np.int64)
    return builder.node("Gather", matrix, builder.constant(places), axis=1)


def _append(parts: _Parts, builder: Builder, feature: Feature, *, tensor: str, columns: range) -> None:
    encoding, kind = feature.encoding, feature.kind
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
            values_name = tensor.removesuffix(".index") + ".value"
            parts.floats.append((columns, _sparse(builder, tensor, values_name, encoding.length)))


def _numbers(builder: Builder, numbers: Sequence[tuple[int, str, Number]]) -> str:
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
    return builder.cast(x, "float")


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


def floor_divide(builder: Builder, x: str, divisor: int) -> str:
    """Whole-number division that rounds down (ONNX's rounds towards zero)."""
    constant = builder.constant(np.array(divisor))
    return builder.node("Div", builder.node("Sub", x, builder.node("Mod", x, constant)), constant)


def civil_nodes(builder: Builder, days: str) -> tuple[str, str, str, str]:
    """Year, month, day and day of the year (0 = 1 January) of day numbers; the arithmetic of `values.civil`."""

    def c(value: int) -> str:
        return builder.constant(np.array(value))

    def op(name: str, a: str, b: str) -> str:
        return builder.node(name, a, b)

    shifted = op("Add", days, c(719_468))
    era = floor_divide(builder, shifted, 146_097)
    of_era = op("Sub", shifted, op("Mul", era, c(146_097)))
    leap_days = op(
        "Sub", op("Sub", op("Div", of_era, c(36_524)), op("Div", of_era, c(1460))), op("Div", of_era, c(146_096))
    )
    year_of_era = op("Div", op("Add", of_era, leap_days), c(365))
    whole_years = op(
        "Add", op("Mul", year_of_era, c(365)), op("Sub", op("Div", year_of_era, c(4)), op("Div", year_of_era, c(100)))
    )
    from_march = op("Sub", of_era, whole_years)
    month_index = op("Div", op("Add", op("Mul", from_march, c(5)), c(2)), c(153))
    day = op("Add", op("Sub", from_march, op("Div", op("Add", op("Mul", month_index, c(153)), c(2)), c(5))), c(1))
    early = builder.node("Less", month_index, c(10))
    month = builder.node("Where", early, op("Add", month_index, c(3)), op("Sub", month_index, c(9)))
    winter = builder.node("Not", early)  # January and February belong to the next civil year
    year = op("Add", op("Add", year_of_era, op("Mul", era, c(400))), builder.cast(winter, "int64"))
    by_4, by_100, by_400 = (builder.node("Equal", op("Mod", year, c(n)), c(0)) for n in (4, 100, 400))
    leap = builder.node("And", by_4, builder.node("Or", builder.node("Not", by_100), by_400))
    spring = op("Add", op("Add", from_march, c(59)), builder.cast(leap, "int64"))
    of_year = builder.node("Where", winter, op("Sub", from_march, c(306)), spring)
    return year, month, day, of_year


def instant_nodes(builder: Builder, micros: str) -> list[str]:
    """The seven parts of instants, in the order of `plan.PARTS`; the arithmetic of `values.instant_parts`."""

    def c(value: int) -> str:
        return builder.constant(np.array(value))

    days = floor_divide(builder, micros, 86_400_000_000)
    of_day = builder.node("Sub", micros, builder.node("Mul", days, c(86_400_000_000)))
    minutes = builder.node("Div", of_day, c(60_000_000))
    year, month, day, of_year = civil_nodes(builder, days)
    weekday = builder.node("Mod", builder.node("Add", days, c(4)), c(7))
    week = builder.node("Div", builder.node("Sub", builder.node("Add", of_year, c(7)), weekday), c(7))
    hour, minute = builder.node("Div", minutes, c(60)), builder.node("Mod", minutes, c(60))
    return [day, builder.node("Add", weekday, c(1)), month, hour, minute, week, year]
