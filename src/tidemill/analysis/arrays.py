"""Arrow's columns of numbers as numpy arrays, from their buffers: pyarrow's own conversion imports pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]


def values_of(column: pa.Array) -> tuple[Array, Array | None]:
    """The values of a column of whole or floating-point numbers, and where there is one; None for everywhere.

    What stands where there is no value is arbitrary.
    """
    import numpy as np

    validity, data = column.buffers()
    kind = np.dtype(_dtype(column.type))
    end = column.offset + len(column)
    values = np.frombuffer(data, dtype=kind, count=end)[column.offset :] if data else np.zeros(len(column), dtype=kind)
    if validity is None or not column.null_count:
        return values, None
    bits = np.unpackbits(np.frombuffer(validity, dtype="uint8"), bitorder="little")
    return values, bits[column.offset : end].astype(bool)


def floats(column: pa.ChunkedArray) -> Array:
    """A column of float64, NaN for NULL."""
    import numpy as np

    parts = [
        values if there is None else np.where(there, values, np.nan) for values, there in map(values_of, column.chunks)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def wholes(column: pa.ChunkedArray, *, null: int = 0) -> Array:
    """A column of whole numbers as int64, with a number for NULL."""
    import numpy as np

    parts = [
        values if there is None else np.where(there, values, null) for values, there in map(values_of, column.chunks)
    ]
    return np.concatenate(parts).astype("int64") if parts else np.zeros(0, dtype="int64")


def different(ordered: Array) -> tuple[Array, Array]:
    """The different values of a sorted array, and how often each comes.

    numpy's own `unique` sorts once more, and imports `numpy.ma` where no counts are asked for (0.03 s).
    """
    import numpy as np

    starts = np.flatnonzero(np.concatenate([np.ones(min(1, ordered.size), bool), ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.diff(starts, append=ordered.size)


def quantiles(ordered: Array, shares: Sequence[float]) -> Array:
    """Quantiles of a sorted array of at least one value, on a straight line between two ranks (as numpy's default)."""
    import numpy as np

    places = np.asarray(shares) * (ordered.size - 1)
    low = np.floor(places)
    left, right = ordered[low.astype("int64")], ordered[np.ceil(places).astype("int64")]
    found: Array = left + (right - left) * (places - low)
    return found


def _dtype(kind: pa.DataType) -> str:
    import pyarrow.types as kinds

    letter = "f" if kinds.is_floating(kind) else "u" if kinds.is_unsigned_integer(kind) else "i"
    return f"{letter}{kind.bit_width // 8}"
