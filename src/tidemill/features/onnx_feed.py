"""Tensors for a graph, from a batch or from one row: the conventions of `onnx_builder`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError
from tidemill.features.arrow import numbers, plain, spelled, whole_numbers
from tidemill.features.onnx_builder import GraphInput
from tidemill.features.row import number_of, pairs_of, text_of, value_of, whole_of
from tidemill.features.sources import find_column
from tidemill.features.values import NULL_TEXT

if TYPE_CHECKING:
    import pyarrow as pa

Feed = dict[str, np.ndarray]


def feed(inputs: Sequence[GraphInput], batch: pa.RecordBatch) -> Feed:
    """The tensors of a batch, by input name.

    Raises
    ------
    BindError
        A column is missing.
    DataError
        A column is of another type.
    """
    import pyarrow.compute as pc

    tensors: Feed = {}
    for given in inputs:
        array = plain(batch.column(find_column(batch.schema, given.column)))
        if given.field:
            array = plain(pc.struct_field(array, given.field))
        if given.kind in ("vector", "texts", "sparse"):
            tensors |= tensors_of(given, array.to_pylist())
        elif given.kind == "number":
            tensors[given.name] = numbers(array).astype(np.float64).reshape(-1, 1)
        elif given.kind in ("text", "bytes"):
            tensors[given.name] = _texts(spelled(array, given.kind))
        else:
            tensors[given.name] = whole_numbers(array, given.kind).reshape(-1, 1)
    return tensors


def feed_row(inputs: Sequence[GraphInput], row: Mapping[str, Any]) -> Feed:
    """The tensors of one row, by input name; values as `row.RowEncoder` takes them."""
    tensors: Feed = {}
    for given in inputs:
        value = value_of(row, given.column)
        if given.field and value is not None:
            value = value_of(value, given.field)
        try:
            tensors |= tensors_of(given, [value])
        except (ValueError, TypeError) as error:
            raise DataError(f"column {given.name}: {value!r} is not a {given.kind}", column=given.name) from error
    return tensors


def tensors_of(given: GraphInput, values: Sequence[Any]) -> Feed:
    """The tensors of one graph input over some rows; values as `row.RowEncoder` takes them.

    Raises
    ------
    ValueError, TypeError, DataError
        A value is of another type.
    """
    name = given.name
    match given.kind:
        case "number":
            return {name: np.array([[number_of(value)] for value in values], np.float64)}
        case "text" | "bytes":
            return {name: _texts([text_of(given.kind, value) for value in values])}
        case "vector":
            return {name: _vectors(values, given.size)}
        case "texts":
            rows = [[NULL_TEXT if item is None else text_of("text", item) for item in value or ()] for value in values]
            return {name: _padded(rows, NULL_TEXT, np.object_)}
        case "sparse":
            pairs = [pairs_of(value) for value in values]
            index = _padded([[pair[0] for pair in row] for row in pairs], -1, np.int64)
            weights = _padded([[pair[1] for pair in row] for row in pairs], 0.0, np.float64)
            return {f"{name}.index": index, f"{name}.value": weights}
        case _:
            return {name: np.array([[whole_of(given.kind, value)] for value in values], np.int64)}


def _texts(texts: Sequence[str | None]) -> np.ndarray:
    out = np.empty((len(texts), 1), dtype=object)
    out[:, 0] = [NULL_TEXT if text is None else text for text in texts]
    return out


def _vectors(values: Sequence[Sequence[Any] | None], length: int) -> np.ndarray:
    out = np.full((len(values), length), math.nan)
    for i, value in enumerate(values):
        if value and length:
            if len(value) != length:
                raise DataError(f"an array of {length} numbers is expected, and one has {len(value)}")
            out[i] = [number_of(item) for item in value]
    return out


def _padded(rows: Sequence[Sequence[Any]], filler: Any, dtype: Any) -> np.ndarray:
    width = max([1, *(len(row) for row in rows)])
    out = np.full((len(rows), width), filler, dtype=dtype)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out
