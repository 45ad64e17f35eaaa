"""From values as JSON gave them to the tensors of a graph: an array a column, and no call of Python's a number.

What was measured, one row of ten numbers and six strings: one array of all numbers whose rows are handed out costs
2 us, an array a column 7 us. numpy turns None into NaN by itself where the array is float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError, InputError
from tidemill.core.names import name_key
from tidemill.features.onnx_builder import GraphInput
from tidemill.features.onnx_feed import Feed, tensors_of
from tidemill.features.row import value_of
from tidemill.features.values import NULL_INTEGER, NULL_TEXT, integer_of, spell_bytes
from tidemill.serving.online.types import JsonType, bytes_of, python_value

Pick = Callable[[Sequence[Any]], tuple[Any, ...]]

_WHOLE = frozenset({"bool", "date", "time", "datetime", "timestamp"})
_PLAIN_NUMBERS = frozenset({"number", "integer", "decimal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Graph inputs that share one array: their names, and how their columns' values are picked."""

    names: tuple[str, ...]
    pick: Pick


@dataclass(frozen=True, slots=True, kw_only=True)
class _Other:
    """A graph input whose values are read one by one."""

    given: GraphInput
    at: int
    type: JsonType


class FeedMaker:
    """Makes the tensors of a graph from the values of the model's columns.

    Parameters
    ----------
    inputs
        What the graph is fed.
    columns
        Name and type of each column, in the order in which values come.
    """

    def __init__(self, inputs: Sequence[GraphInput], columns: Sequence[tuple[str, JsonType]]) -> None:
        self._columns = tuple(columns)
        places = {name_key(name): i for i, (name, _) in enumerate(columns)}
        numbers: list[tuple[str, int]] = []
        texts: list[tuple[str, int]] = []
        whole: list[tuple[str, int]] = []
        self._readers: list[Callable[[Any], int]] = []
        self._others: list[_Other] = []
        for given in inputs:
            at = places[name_key(given.column)]
            type_ = columns[at][1]
            if given.kind == "number" and type_.kind in _PLAIN_NUMBERS:
                numbers.append((given.name, at))
            elif given.kind == "text" and type_.kind == "text":
                texts.append((given.name, at))
            elif given.kind in _WHOLE and type_.kind in _WHOLE:
                whole.append((given.name, at))
                self._readers.append(_reader(given.kind))
            else:
                self._others.append(_Other(given=given, at=at, type=type_))
        self._places_of_whole = dict(whole)
        self._numbers, self._texts, self._whole = _group(numbers), _group(texts), _group(whole)

    def of_row(self, values: Sequence[Any]) -> Feed:
        """The tensors of one row.

        Raises
        ------
        InputError
            A text is not of its column's form.
        """
        feed: Feed = {}
        if self._numbers is not None:
            found = np.array(self._numbers.pick(values), np.float64)
            feed.update(zip(self._numbers.names, found.reshape(-1, 1, 1), strict=True))
        if self._texts is not None:
            words = self._texts.pick(values)
            if None in words:
                words = tuple([NULL_TEXT if word is None else word for word in words])
            feed.update(zip(self._texts.names, np.array(words, object).reshape(-1, 1, 1), strict=True))
        if self._whole is not None or self._others:
            self._add_read(feed, [(value,) for value in values])
        return feed

    def of_columns(self, values: Sequence[Sequence[Any]]) -> Feed:
        """The tensors of many rows, whose values come by column.

        Raises
        ------
        InputError
            A text is not of its column's form.
        """
        feed: Feed = {}
        if self._numbers is not None:
            found = np.array(self._numbers.pick(values), np.float64)
            feed.update(zip(self._numbers.names, found[:, :, None], strict=True))
        if self._texts is not None:
            words = np.array(self._texts.pick(values), object)
            words[words == None] = NULL_TEXT  # noqa: E711  compared member by member
            feed.update(zip(self._texts.names, words[:, :, None], strict=True))
        if self._whole is not None or self._others:
            self._add_read(feed, values)
        return feed

    def _add_read(self, feed: Feed, values: Sequence[Sequence[Any]]) -> None:
        if self._whole is not None:
            for name, read, column in zip(self._whole.names, self._readers, self._whole.pick(values), strict=True):
                try:
                    found = [NULL_INTEGER if value is None else read(value) for value in column]
                except ValueError:
                    raise wrong_value(*self._columns[self._places_of_whole[name]], column, read) from None
                feed[name] = np.array(found, np.int64).reshape(-1, 1)
        for other in self._others:
            try:
                feed.update(_read(other, values[other.at]))
            except (ValueError, TypeError, DataError):
                raise wrong_value(*self._columns[other.at], values[other.at], partial(_read_one, other)) from None


def wrong_value(name: str, type_: JsonType, column: Sequence[Any], read: Callable[[Any], object]) -> InputError:
    """The error of the first value of a column that cannot be read."""
    for row, value in enumerate(column):
        try:
            if value is not None:
                read(value)
        except DataError as error:
            return InputError(f"row {row}, column {name}: {error.message}", row=row, column=name)
        except (ValueError, TypeError):
            message = f"row {row}: column {name} takes {type_.said}; got {str(value)[:60]!r}"
            return InputError(message, row=row, column=name)
    return InputError(f"column {name} cannot be read as {type_.said}", column=name)


def _group(members: Sequence[tuple[str, int]]) -> _Group | None:
    if not members:
        return None
    places = [at for _, at in members]
    pick: Pick = itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))
    return _Group(names=tuple(name for name, _ in members), pick=pick)


def _reader(kind: str) -> Callable[[Any], int]:
    return int if kind == "bool" else partial(integer_of, kind)


def _read(other: _Other, column: Sequence[Any]) -> Feed:
    given = other.given
    if given.kind == "bytes" and not given.field:
        words = [None if value is None else spell_bytes(bytes_of(value)) for value in column]
        return tensors_of(GraphInput(name=given.name, column=given.column, kind="text"), words)
    found = [python_value(other.type, value) for value in column]
    if given.field:
        found = [_field(value, given.field) for value in found]
    return tensors_of(given, found)


def _read_one(other: _Other, value: Any) -> Feed:
    return _read(other, [value])


def _field(value: Mapping[str, Any] | None, name: str) -> Any:
    return None if value is None else value_of(value, name)
