"""Models whose TRANSFORM the graph cannot say: an engine computes its columns, and the graph takes those."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tidemill.core.errors import DataError, InputError
from tidemill.core.names import name_key
from tidemill.features.onnx_builder import GraphInput
from tidemill.features.onnx_feed import Feed, tensors_of
from tidemill.features.plan import FeaturePlan
from tidemill.features.row import value_of
from tidemill.serving.online.types import JsonType

#: Raw columns (values as JSON has them) to the columns of TRANSFORM (Python values), by name.
RowTransform = Callable[[Mapping[str, Sequence[Any]]], Mapping[str, Sequence[Any]]]

#: Makes a `RowTransform` from (name, Arrow type) of the raw columns and (name, SQL, Arrow type) of TRANSFORM's.
OpenTransform = Callable[[Sequence[tuple[str, str]], Sequence[tuple[str, str, str]]], RowTransform]


def read_columns(plan: FeaturePlan, read: Iterable[str]) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    """What an `OpenTransform` takes, for the columns of TRANSFORM that are read."""
    wanted = {name_key(name) for name in read}
    raw = [(column.name, column.type) for column in plan.inputs]
    made = [(column.name, column.sql, column.type) for column in plan.transforms if name_key(column.name) in wanted]
    return raw, made


class TransformedFeed:
    """Makes the tensors of a graph that is fed the columns of TRANSFORM; stands in for a `FeedMaker`."""

    def __init__(
        self,
        plan: FeaturePlan,
        inputs: Sequence[GraphInput],
        columns: Sequence[tuple[str, JsonType]],
        transform: OpenTransform,
    ) -> None:
        self._inputs = tuple(inputs)
        self._names = [name for name, _ in columns]
        self._transform = transform(*read_columns(plan, {given.column for given in inputs}))

    def of_row(self, values: Sequence[Any]) -> Feed:
        """The tensors of one row."""
        return self.of_columns([(value,) for value in values])

    def of_columns(self, values: Sequence[Sequence[Any]]) -> Feed:
        """The tensors of many rows, whose values come by column.

        Raises
        ------
        InputError
            The engine cannot read a value, or TRANSFORM cannot be computed for it.
        """
        made = self._transform(dict(zip(self._names, values, strict=False)))
        feed: Feed = {}
        for given in self._inputs:
            column = value_of(made, given.column)
            if given.field:
                column = [None if value is None else value_of(value, given.field) for value in column]
            try:
                feed.update(tensors_of(given, column))
            except (ValueError, TypeError, DataError) as error:
                raise InputError(f"TRANSFORM's column {given.name}: {error}", column=given.name) from error
        return feed
