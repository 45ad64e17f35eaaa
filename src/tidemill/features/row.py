"""The row reader: one row as plain Python values into a list of numbers. It must agree with `encode` and the graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tidemill.core.errors import BindError, DataError
from tidemill.core.names import did_you_mean, name_key
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
)
from tidemill.features.values import NULL_INTEGER, SPELL_INTEGER, instant_parts, integer_of, spell_bytes

#: Encodes one value (None is NULL) into its columns.
Encode = Callable[[Any], Sequence[float]]


class RowEncoder:
    """Encodes single rows with one settled plan, whose vocabularies are prepared once."""

    def __init__(self, plan: FeaturePlan) -> None:
        self.plan = plan
        self._encoders = [(feature, feature_encoder(feature)) for feature in plan.features]

    def encode(self, row: Mapping[str, Any]) -> list[float]:
        """The row's numbers, in the order of the plan's encoded columns.

        Dates and times may be Python objects or ISO text; a STRUCT is a mapping, an ARRAY a list.

        Raises
        ------
        BindError
            A feature's column is missing (NULL must be said: None).
        DataError
            A value is of another type.
        """
        out: list[float] = []
        for feature, encode in self._encoders:
            value = value_of(row, feature.column)
            if feature.field and value is not None:
                value = value_of(value, feature.field)
            try:
                out += encode(value)
            except (ValueError, TypeError) as error:
                raise DataError(
                    f"feature {feature.name}: {value!r} is not a {feature.kind}", feature=feature.name
                ) from error
        return out


def value_of(row: Mapping[str, Any], name: str) -> Any:
    """A value by its column's name, letter case aside (exact spelling first).

    Raises
    ------
    BindError
        The row has no such column.
    """
    if name in row:
        return row[name]
    wanted = name_key(name)
    for other in row:
        if name_key(other) == wanted:
            return row[other]
    raise BindError(f"there is no column {name}", hint=did_you_mean(name, row), column=name)


def number_of(value: Any) -> float:
    """A Python number as the readers hold it: NaN for NULL and for what is not finite, inside float32's range.

    Raises
    ------
    TypeError
        It is not a number.
    """
    if value is None:
        return math.nan
    if isinstance(value, bool | str | bytes):
        raise TypeError("not a number")
    try:
        number = float(value)
    except OverflowError:  # a whole number outside float64
        number = LARGEST if value > 0 else -LARGEST
    if not math.isfinite(number):
        return math.nan
    return min(max(number, -LARGEST), LARGEST)


def whole_of(kind: str, value: Any) -> int:
    """A date, time or boolean as its whole number; `NULL_INTEGER` for NULL."""
    return NULL_INTEGER if value is None else integer_of(kind, value)


def text_of(kind: str, value: Any) -> str | None:
    """A categorical value as its written form; None for NULL.

    Raises
    ------
    TypeError, ValueError
        It is of another kind.
    """
    if value is None:
        return None
    if kind == "text":
        if not isinstance(value, str):
            raise TypeError("not a string")
        return value
    if kind == "bytes":
        return spell_bytes(bytes(memoryview(value)))
    return SPELL_INTEGER[kind](integer_of(kind, value))


def _scaled(value: float, number: Number) -> float:
    if number.mean is None:
        raise ValueError("the plan is a draft: settle it first")
    if math.isnan(value):
        value = number.mean
    if number.deviation is None:
        return value
    scaled = (value - number.mean) / number.deviation
    return min(max(scaled, -LARGEST), LARGEST)


def feature_encoder(feature: Feature) -> Encode:
    """What encodes one value of a feature."""
    encoding, kind = feature.encoding, feature.kind
    match encoding:
        case Number():
            return lambda value: (_scaled(number_of(value), encoding),)
        case Label():
            labels: dict[str | None, tuple[float]] = {v: (float(i + 1),) for i, v in enumerate(encoding.vocabulary)}
            return lambda value: labels.get(text_of(kind, value), (0.0,))
        case OneHot():
            return _one_hot(encoding, kind)
        case Target():
            return _target(encoding, kind)
        case Instant():
            return lambda value: _instant(whole_of("timestamp", value), encoding)
        case Vector():
            return lambda value: _vector(value, encoding.length)
        case MultiHot():
            places: dict[str | None, int] = {value: i for i, value in enumerate(encoding.vocabulary)}
            return lambda value: _members(value, places)
        case Sparse():
            return lambda value: _sparse(value, encoding.length)


def _one_hot(encoding: OneHot, kind: str) -> Encode:
    categories: list[str | None] = [*encoding.vocabulary, *([None] if encoding.null else [])]
    dropped = encoding.dropped
    kept = [value for i, value in enumerate(categories) if i != dropped]
    places = {value: i for i, value in enumerate(kept)}

    def encode(value: Any) -> list[float]:
        out = [0.0] * len(kept)
        place = places.get(text_of(kind, value))
        if place is not None:
            out[place] = 1.0
        return out

    return encode


def _target(encoding: Target, kind: str) -> Encode:
    if encoding.values is None:
        raise ValueError("the plan is a draft: settle it first")
    unknown, *rows = encoding.values
    known: dict[str | None, tuple[float, ...]] = dict(zip([*encoding.vocabulary, None], rows, strict=True))
    return lambda value: known.get(text_of(kind, value), unknown)


def _instant(micros: int, encoding: Instant) -> list[float]:
    missing = micros == NULL_INTEGER
    out = [_scaled(math.nan if missing else micros / 1e6, encoding.seconds)]
    parts = instant_parts(0 if missing else micros)
    if encoding.parts is None:
        return out + [-1.0 if missing else float(part) for part in parts]
    for part, values in zip(parts, encoding.parts, strict=True):
        out += [float(not missing and part == value) for value in values]
    return out


def _vector(value: Sequence[Any] | None, length: int) -> list[float]:
    if not value or not length:  # training saw no array at all when the length is 0
        return [0.0] * length
    if len(value) != length:
        raise DataError(f"an array of {length} numbers is expected, and one has {len(value)}")
    numbers = [number_of(item) for item in value]
    return [0.0 if math.isnan(number) else number for number in numbers]


def _members(value: Sequence[Any] | None, places: Mapping[str | None, int]) -> list[float]:
    out = [0.0] * len(places)
    for item in value or ():
        place = places.get(text_of("text", item))
        if place is not None:
            out[place] = 1.0
    return out


def _sparse(value: Sequence[Mapping[str, Any]] | None, length: int) -> list[float]:
    out = [0.0] * length
    for index, number in pairs_of(value):
        if 0 <= index < length:
            out[index] += number
    return out


def pairs_of(value: Sequence[Mapping[str, Any]] | None) -> list[tuple[int, float]]:
    """Index and value of each member of an ARRAY<STRUCT<index, value>>, without missing ones.

    Fields go by the names ``index`` and ``value`` when they have them, else by their order.
    """
    pairs = []
    for item in value or ():
        if item is None:
            continue
        first, second = (item["index"], item["value"]) if {"index", "value"} <= item.keys() else item.values()
        index, number = number_of(first), number_of(second)
        if not math.isnan(index) and not math.isnan(number):
            pairs.append((int(index), number))
    return pairs
