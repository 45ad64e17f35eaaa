"""Arrow's columns of numbers as numpy arrays, from their buffers: pyarrow's own conversion imports pandas."""

from __future__ import annotations

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


def _dtype(kind: pa.DataType) -> str:
    import pyarrow.types as kinds

    letter = "f" if kinds.is_floating(kind) else "u" if kinds.is_unsigned_integer(kind) else "i"
    return f"{letter}{kind.bit_width // 8}"
