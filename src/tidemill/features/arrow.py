"""Arrow columns as the readers want them: numbers, whole numbers or codes, without a Python object per row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError
from tidemill.features.plan import LARGEST
from tidemill.features.values import NULL_INTEGER, SPELL_INTEGER, spell_bytes

if TYPE_CHECKING:
    import pyarrow as pa

_UNIT_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_MICROS = 1_000_000
_LARGEST_INTEGER = 2**63 - 1


def plain(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array without extension types, chunks or views (which most of Arrow's functions do not take)."""
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())
    return array.cast(pa.large_binary()) if pa.types.is_binary_view(array.type) else array


def null_mask(array: pa.Array) -> np.ndarray | None:
    """True where NULL; None when nothing is."""
    if not array.null_count:
        return None
    mask: np.ndarray = array.is_null().to_numpy(zero_copy_only=False)
    return mask


def _primitive(array: pa.Array, dtype: str) -> np.ndarray:
    """The values of a fixed-width array without a copy; what stands at NULLs is arbitrary."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), dtype)
    width = np.dtype(dtype).itemsize
    return np.frombuffer(buffer, dtype, count=len(array), offset=array.offset * width)


def numbers(array: pa.Array) -> np.ndarray:
    """A numeric column as numpy numbers, with NaN for NULL, NaN and infinities, inside the range of float32.

    Without NULLs it is the column's own memory (integers stay integers): do not write to it.

    Raises
    ------
    DataError
        The column is not numeric.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    array = plain(array)
    type_ = array.type
    if pa.types.is_null(type_):
        return np.full(len(array), np.nan)
    if pa.types.is_dictionary(type_):
        return numbers(array.dictionary_decode())
    if pa.types.is_decimal(type_):
        array = pc.cast(array, pa.float64(), safe=False)
    elif not (pa.types.is_integer(type_) or pa.types.is_floating(type_)):
        raise DataError(f"a number is expected, and the column is {type_}", type=str(type_))
    values = _primitive(array, array.type.to_pandas_dtype())
    if values.dtype.kind == "f":
        values = values.astype(np.float64, copy=False)  # arithmetic is in float64, whatever the column
    mask = null_mask(array)
    if mask is not None:
        values = values.astype(np.float64)
        values[mask] = np.nan
    return values if values.dtype.kind in "iu" else _bounded(values)


def _bounded(values: np.ndarray) -> np.ndarray:
    # NaN makes both comparisons false, so that clean columns cost two reductions and no copy.
    if not len(values) or (values.min() >= -LARGEST and values.max() <= LARGEST):
        return values
    values = values.astype(np.float64)
    values[np.isinf(values)] = np.nan
    clipped: np.ndarray = np.clip(values, -LARGEST, LARGEST)
    return clipped


def whole_numbers(array: pa.Array, kind: str) -> np.ndarray:
    """Days, microseconds or 0/1 as int64, with `NULL_INTEGER` for NULL (and for infinite timestamps).

    Raises
    ------
    DataError
        The column's type has no such meaning.
    """
    import pyarrow as pa

    array = plain(array)
    type_ = array.type
    if pa.types.is_null(type_):
        return np.full(len(array), NULL_INTEGER)
    if pa.types.is_dictionary(type_):
        return whole_numbers(array.dictionary_decode(), kind)
    if kind == "bool" and pa.types.is_boolean(type_):
        values: np.ndarray = array.fill_null(False).to_numpy(zero_copy_only=False).astype(np.int64)
    elif kind == "date" and pa.types.is_date(type_):
        values = _primitive(array, "int32").astype(np.int64)
        if pa.types.is_date64(type_):
            values = _primitive(array, "int64") // 86_400_000
    elif kind == "time" and pa.types.is_time(type_):
        values = _micros(_primitive(array, "int32" if pa.types.is_time32(type_) else "int64"), type_.unit)
    elif kind in ("datetime", "timestamp") and pa.types.is_timestamp(type_):
        raw = _primitive(array, "int64")
        values = _micros(raw, type_.unit)
        values[(raw == _LARGEST_INTEGER) | (raw == -_LARGEST_INTEGER)] = NULL_INTEGER
    elif kind in ("datetime", "timestamp") and pa.types.is_date32(type_):
        values = _primitive(array, "int32").astype(np.int64) * 86_400_000_000
    else:
        raise DataError(f"a {kind} is expected, and the column is {type_}", type=str(type_))
    mask = null_mask(array)
    if mask is not None:
        values[mask] = NULL_INTEGER
    return values


def _micros(values: np.ndarray, unit: str) -> np.ndarray:
    per_second = _UNIT_PER_SECOND[unit]
    wide = values.astype(np.int64)
    micros: np.ndarray = wide * (_MICROS // per_second) if per_second <= _MICROS else wide // (per_second // _MICROS)
    return micros


def spelled(array: pa.Array, kind: str) -> list[str | None]:
    """Each value of a categorical column as its written form; None for NULL."""
    import pyarrow as pa

    array = plain(array)
    if kind == "text":
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        check_text(array.type)
        texts: list[str | None] = array.to_pylist()
        return texts
    if kind == "bytes":
        return [None if value is None else spell_bytes(value) for value in array.to_pylist()]
    spell = SPELL_INTEGER[kind]
    return [None if number == NULL_INTEGER else spell(number) for number in whole_numbers(array, kind).tolist()]


def check_text(type_: Any) -> None:
    """Refuse a column that is not text.

    Raises
    ------
    DataError
        It is not.
    """
    import pyarrow as pa

    t = pa.types
    if not (t.is_string(type_) or t.is_large_string(type_) or t.is_string_view(type_) or t.is_null(type_)):
        raise DataError(f"a string is expected, and the column is {type_}", hint="CAST it AS STRING", type=str(type_))
