"""Columns whose values are lists: vectors, members of a vocabulary, pairs of place and value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError
from tidemill.features.arrow import numbers

if TYPE_CHECKING:
    from tidemill.features.encode_texts import Codes

#: Writes rows [start, stop) of a prepared column into its columns of the matrix.
Write = Callable[[np.ndarray, int, int], None]


def _lists(array: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    """Row of each member, its position in the row's array, and the members; NULL arrays have none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_null(array.type):
        return np.empty(0, np.int64), np.empty(0, np.int64), None
    if not (
        pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type)
    ):
        raise DataError(f"an array is expected, and the column is {array.type}", type=str(array.type))
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    rows = np.repeat(np.arange(len(array)), lengths)
    starts = np.cumsum(lengths) - lengths
    return rows, np.arange(len(rows)) - starts[rows], array.flatten()


def write_vectors(array: Any, length: int) -> Write:
    """Vectors of one length, a column for each place."""
    rows, positions, members = _lists(array)
    matrix = np.zeros((len(array), length))
    if len(rows) and length:  # training saw no array at all when the length is 0
        per_row = np.bincount(rows, minlength=len(array))
        wrong = per_row[(per_row != length) & (per_row != 0)]
        if len(wrong):
            raise DataError(f"an array of {length} numbers is expected, and one has {wrong[0]}")
        values = numbers(members)
        matrix[rows, positions] = np.nan_to_num(values) if values.dtype.kind == "f" else values

    def write(out: np.ndarray, start: int, stop: int) -> None:
        out[:] = matrix[start:stop]

    return write


def write_members(array: Any, codes: Codes, size: int) -> Write:
    """Whether each value of the vocabulary is a member."""
    rows, _, members = _lists(array)
    found = codes(members) - 1 if members is not None else np.empty(0, np.int64)
    known = (found >= 0) & (found < size)
    return _write_cells(rows[known], found[known], np.ones(int(known.sum())), add=False)


def write_sparse(array: Any, length: int) -> Write:
    """Pairs of place and value."""
    rows, _, members = _lists(array)
    if members is None:
        return _write_cells(rows, rows, np.empty(0), add=True)
    if getattr(members.type, "num_fields", 0) != 2:
        raise DataError(f"an array of STRUCT<index, value> is expected, and the column is {array.type}")
    flat = members.flatten()
    if members.type.field(0).name == "value" and members.type.field(1).name == "index":
        flat.reverse()
    index, value = numbers(flat[0]), numbers(flat[1]).astype(np.float64)
    known = (index >= 0) & (index < length) & ~np.isnan(value)
    return _write_cells(rows[known], index[known].astype(np.int64), value[known], add=True)


def _write_cells(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, *, add: bool) -> Write:
    def write(out: np.ndarray, start: int, stop: int) -> None:
        out[:] = 0
        low, high = np.searchsorted(rows, (start, stop))
        place = (rows[low:high] - start, columns[low:high])
        if add:
            # Summed in doubles, as single rows and graphs do: in a matrix of floats what cancels leaves its rounding.
            total = np.zeros(out.shape)
            np.add.at(total, place, values[low:high])
            out[:] = total
        else:
            out[place] = values[low:high]

    return write
