"""A column as plain arrays: numbers, ranks, and small integers, for a look at what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BINS = 100


def is_number(column: pa.ChunkedArray) -> bool:
    """Whether it holds whole numbers, floats or decimals."""
    import pyarrow.types as kinds

    kind = column.type
    return bool(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind))


def is_measure(column: pa.ChunkedArray) -> bool:
    """Whether it holds numbers with too many values to meet each again."""
    import numpy as np

    if not is_number(column):
        return False
    values = numbers(column)
    return np.unique(values[~np.isnan(values)]).size > max(2, values.size // 20)


def numbers(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Values as float64; NULL is NaN, and so is what no sum survives."""
    import numpy as np
    import pyarrow as pa

    values = np.array(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype="float64")
    values[~np.isfinite(values)] = np.nan
    return values


def codes(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Each value as a small integer, NULL too; numbers with many values in bins of like size."""
    import numpy as np

    if is_measure(column):
        values = numbers(column)
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
        return np.where(np.isnan(values), edges.size + 1, np.searchsorted(edges, values, side="right"))
    coded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return np.asarray(coded.indices.to_numpy(zero_copy_only=False), dtype="int64")


def ranks(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Ranks with ties at their mean."""
    import numpy as np

    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2)[place]
