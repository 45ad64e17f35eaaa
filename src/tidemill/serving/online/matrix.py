"""From values as JSON gave them to the encoded matrix of a tree model: what its graph of scores takes.

The graph of raw columns spends more on a row than its trees do: each column is a tensor, each category a string that
is copied and hashed. Measured with 100 trees, 10 numbers and 6 strings: 20 us a row and 140 us for 100 rows through
raw columns, 13 and 110 with the matrix made here. Categories are looked up in dictionaries, numbers go into one array;
what is neither is encoded by the row reader, which training has held against the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError
from tidemill.core.names import name_key
from tidemill.features.onnx_feed import Feed
from tidemill.features.plan import LARGEST, Feature, FeaturePlan, Label, Number, Target, encoding_width
from tidemill.features.row import feature_encoder, value_of
from tidemill.serving.online.feed import wrong_value
from tidemill.serving.online.types import JsonType, python_value

_PLAIN_NUMBERS = frozenset({"number", "integer", "decimal"})


@dataclass(frozen=True, slots=True)
class _Codes:
    """Codes by category, and the one of categories that training did not see.

    A plain dictionary: a subclass that answers for what it lacks takes three times as long.
    """

    known: dict[str | None, float]
    unknown: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One feature: where its value is and how it is encoded: a number, a code, or by a function."""

    at: int
    place: int
    width: int
    mean: float | None = None
    codes: _Codes | None = None
    encode: Callable[[Any], Sequence[float]] | None = None


@dataclass(slots=True)
class _Places:
    """Columns of the matrix that are filled together, and the places of their values."""

    columns: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)


class MatrixMaker:
    """Makes the matrix of a settled plan of trees without TRANSFORM.

    Parameters
    ----------
    columns
        Name and type of each column, in the order in which values come.
    """

    def __init__(self, plan: FeaturePlan, columns: Sequence[tuple[str, JsonType]]) -> None:
        self._columns = tuple(columns)
        self._width = plan.width
        places = {name_key(name): i for i, (name, _) in enumerate(columns)}
        self._steps: list[_Step] = []
        start = 0
        for feature in plan.features:
            at = places[name_key(feature.column)]
            self._steps.append(_step(feature, columns[at][1], at, start))
            start += encoding_width(feature.encoding)
        self._numbers = _Places()
        self._codes = _Places()
        self._looked_up: list[tuple[Callable[..., float], float, int]] = []
        for step in self._steps:
            if step.mean is not None:
                self._numbers.columns.append(step.place)
                self._numbers.values.append(step.at)
            elif step.codes is not None:
                self._codes.columns.append(step.place)
                self._looked_up.append((step.codes.known.get, step.codes.unknown, step.at))
        self._means = np.array([step.mean for step in self._steps if step.mean is not None])[:, None]
        self._others = [step for step in self._steps if step.encode is not None]
        self._plain = None if self._others else [(step.at, step.mean, *_lookup(step.codes)) for step in self._steps]

    def of_row(self, values: Sequence[Any]) -> Feed:
        """The matrix of one row.

        Raises
        ------
        InputError
            A text is not of its column's form.
        """
        if self._plain is None:
            return self.of_columns([(value,) for value in values])
        flat = []
        for at, mean, look_up, unknown in self._plain:
            value = values[at]
            if look_up is not None:
                value = look_up(value, unknown)
            elif value is None:
                value = mean
            flat.append(value)
        if max(flat) > LARGEST or min(flat) < -LARGEST:
            flat = [min(max(number, -LARGEST), LARGEST) for number in flat]
        return {"x": np.array([flat], np.float32)}

    def of_columns(self, values: Sequence[Sequence[Any]]) -> Feed:
        """The matrix of many rows, whose values come by column.

        Raises
        ------
        InputError
            A text is not of its column's form.
        """
        x = np.empty((self._width, len(values[0])), np.float64)
        if self._numbers.columns:
            x[self._numbers.columns] = self._filled([values[at] for at in self._numbers.values])
        if self._codes.columns:
            found = [map(look_up, values[at], repeat(unknown)) for look_up, unknown, at in self._looked_up]
            codes = np.fromiter(chain.from_iterable(found), np.float64, len(found) * x.shape[1])
            x[self._codes.columns] = codes.reshape(len(found), -1)
        for step in self._others:
            x[step.place : step.place + step.width] = self._encoded(step, values)
        return {"x": np.ascontiguousarray(x.T, np.float32)}

    def _filled(self, columns: Sequence[Sequence[Any]]) -> np.ndarray:
        numbers = np.array(columns, np.float64)
        # The greatest is NaN where anything is missing: clean rows cost two reductions.
        if not (numbers.max() <= LARGEST and numbers.min() >= -LARGEST):
            np.copyto(numbers, self._means, where=np.isnan(numbers))
            if not (numbers.max() <= LARGEST and numbers.min() >= -LARGEST):
                np.clip(numbers, -LARGEST, LARGEST, out=numbers)
        return numbers

    def _encoded(self, step: _Step, values: Sequence[Sequence[Any]]) -> np.ndarray:
        encode = step.encode
        assert encode is not None  # noqa: S101  these steps have one
        try:
            return np.array([encode(value) for value in values[step.at]], np.float64).reshape(-1, step.width).T
        except (ValueError, TypeError, DataError):
            name, type_ = self._columns[step.at]
            raise wrong_value(name, type_, values[step.at], encode) from None


def _step(feature: Feature, type_: JsonType, at: int, place: int) -> _Step:
    width = encoding_width(feature.encoding)
    match feature.encoding:
        case Number(mean=float() | int() as mean) if type_.kind in _PLAIN_NUMBERS and not feature.field:
            return _Step(at=at, place=place, width=1, mean=float(mean))
        case Label(vocabulary=words) if _plain_text(feature, type_):
            return _Step(
                at=at, place=place, width=1, codes=_codes(words, [i + 1.0 for i in range(len(words))], 0.0, 0.0)
            )
        case Target(vocabulary=words, outputs=1, values=tuple() as rows) if _plain_text(feature, type_):
            unknown, *known, null = (row[0] for row in rows)
            return _Step(at=at, place=place, width=1, codes=_codes(words, known, null, unknown))
    return _Step(at=at, place=place, width=width, encode=_reader(feature, type_))


def _plain_text(feature: Feature, type_: JsonType) -> bool:
    return feature.kind == "text" and type_.kind == "text" and not feature.field


def _codes(words: Sequence[str], values: Sequence[float], null: float, unknown: float) -> _Codes:
    return _Codes({**dict(zip(words, values, strict=True)), None: null}, unknown)


def _lookup(codes: _Codes | None) -> tuple[Callable[..., float] | None, float]:
    return (None, 0.0) if codes is None else (codes.known.get, codes.unknown)


def _reader(feature: Feature, type_: JsonType) -> Callable[[Any], Sequence[float]]:
    encode = feature_encoder(feature)
    field_name = feature.field

    def read(value: Any) -> Sequence[float]:
        found = python_value(type_, value)
        if field_name and found is not None:
            found = value_of(found, field_name)
        return encode(found)

    return read
