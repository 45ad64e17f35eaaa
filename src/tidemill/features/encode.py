"""The batch reader: Arrow batches into a matrix, column by column, without a Python object per row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError
from tidemill.features.arrow import numbers, plain, whole_numbers
from tidemill.features.encode_lists import Write, write_members, write_sparse, write_vectors
from tidemill.features.encode_texts import Codes, coder
from tidemill.features.plan import (
    LARGEST,
    PARTS,
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
    encoding_width,
)
from tidemill.features.sources import find_column
from tidemill.features.values import NULL_INTEGER

if TYPE_CHECKING:
    import pyarrow as pa


_BLOCK = 16_384  # rows written at a time: the block of the matrix stays in the processor's cache
_MANY = 131_072  # rows prepared at a time: bounds the memory of prepared columns


class BatchEncoder:
    """Encodes batches with one plan, whose vocabularies are prepared once.

    Parameters
    ----------
    plan
        A settled plan, or a draft: then missing numbers are NaN, numbers are unscaled, and a `Target` column holds
        the category's code in its first column.
    """

    def __init__(self, plan: FeaturePlan) -> None:
        self.plan = plan
        self._prepare = [_preparer(feature) for feature in plan.features]
        self._widths = [encoding_width(feature.encoding) for feature in plan.features]

    def encode(self, batch: pa.RecordBatch, out: np.ndarray) -> None:
        """Fill ``out``, shape (rows, width), from a batch that has the features' columns (others are ignored).

        Columns are found by name, letter case aside.

        Raises
        ------
        BindError
            A feature's column is missing.
        DataError
            A column is of another type, or an array of another length.
        """
        if out.shape != (batch.num_rows, self.plan.width):
            raise ValueError(f"out has shape {out.shape}, not {(batch.num_rows, self.plan.width)}")
        columns = [_column_of(batch, feature) for feature in self.plan.features]
        for start in range(0, batch.num_rows, _MANY):
            rows = min(_MANY, batch.num_rows - start)
            self._encode_rows([column.slice(start, rows) for column in columns], out[start : start + rows])

    def matrix(self, batch: pa.RecordBatch) -> np.ndarray:
        """A new matrix for a batch."""
        out = np.empty((batch.num_rows, self.plan.width), self.plan.dtype)
        self.encode(batch, out)
        return out

    def _encode_rows(self, columns: Sequence[pa.Array], out: np.ndarray) -> None:
        writes: list[tuple[slice, Write]] = []
        position = 0
        for feature, prepare, width, column in zip(
            self.plan.features, self._prepare, self._widths, columns, strict=True
        ):
            try:
                writes.append((slice(position, position + width), prepare(column)))
            except DataError as error:
                raise DataError(
                    f"feature {feature.name}: {error.message}", hint=error.hint, feature=feature.name, **error.facts
                ) from error
            position += width
        for start in range(0, len(out), _BLOCK):
            stop = min(start + _BLOCK, len(out))
            for place, write in writes:
                write(out[start:stop, place], start, stop)


def _column_of(batch: pa.RecordBatch, feature: Feature) -> pa.Array:
    import pyarrow.compute as pc

    column = plain(batch.column(find_column(batch.schema, feature.column)))
    if not feature.field:
        return column
    names = {column.type.field(i).name for i in range(getattr(column.type, "num_fields", 0))}
    if feature.field not in names:
        raise DataError(
            f"column {feature.column} is {column.type}, without the field {feature.field}", column=feature.column
        )
    return plain(pc.struct_field(column, feature.field))


def scale(values: np.ndarray, number: Number) -> np.ndarray:
    """Fill and standardise: the one place where a number becomes a feature, for training and for serving.

    ``values`` has NaN where missing. Drafts change nothing.
    """
    if number.mean is None:
        return values
    if values.dtype.kind == "f":
        missing = np.isnan(values)
        if missing.any():
            values = np.where(missing, number.mean, values)
    if number.deviation is None:
        return values
    with np.errstate(over="ignore"):
        scaled: np.ndarray = (values - number.mean) / number.deviation
    return np.clip(scaled, -LARGEST, LARGEST, out=scaled)


def _preparer(feature: Feature) -> Callable[[Any], Write]:
    encoding, kind = feature.encoding, feature.kind
    match encoding:
        case Number():
            return lambda array: _write_column(scale(numbers(array), encoding))
        case Label():
            codes = coder(encoding.vocabulary, kind)
            unknown = len(encoding.vocabulary) + 1
            return lambda array: _write_labels(codes(array), unknown)
        case OneHot():
            return _one_hot(encoding, coder(encoding.vocabulary, kind))
        case Target():
            return _target(encoding, coder(encoding.vocabulary, kind))
        case Instant():
            return lambda array: _write_instants(whole_numbers(array, kind), encoding)
        case Vector():
            return lambda array: write_vectors(array, encoding.length)
        case MultiHot():
            codes = coder(encoding.vocabulary, "text")
            return lambda array: write_members(array, codes, len(encoding.vocabulary))
        case Sparse():
            return lambda array: write_sparse(array, encoding.length)


def _write_column(values: np.ndarray) -> Write:
    def write(out: np.ndarray, start: int, stop: int) -> None:
        out[:, 0] = values[start:stop]

    return write


def _write_labels(codes: np.ndarray, null: int) -> Write:
    return _write_column(np.where(codes == null, 0, codes))


def _one_hot(encoding: OneHot, codes: Codes) -> Callable[[Any], Write]:
    # From a code (0 unknown, 1..k, k + 1 NULL) to a position among the columns, -1 for none.
    places = np.full(len(encoding.vocabulary) + 2, -1)
    kept = [i for i in range(len(encoding.vocabulary) + encoding.null) if i != encoding.dropped]
    for place, ordinal in enumerate(kept):
        places[ordinal + 1] = place

    def prepare(array: Any) -> Write:
        chosen = places[codes(array)]

        def write(out: np.ndarray, start: int, stop: int) -> None:
            out[:] = 0
            here = chosen[start:stop]
            rows = np.flatnonzero(here >= 0)
            out[rows, here[rows]] = 1

        return write

    return prepare


def _target(encoding: Target, codes: Codes) -> Callable[[Any], Write]:
    table = None if encoding.values is None else np.array(encoding.values).reshape(-1, encoding.outputs)

    def prepare(array: Any) -> Write:
        found = codes(array)

        def write(out: np.ndarray, start: int, stop: int) -> None:
            if table is None:
                out[:] = 0
                out[:, 0] = found[start:stop]
            else:
                out[:] = table[found[start:stop]]

        return write

    return prepare


def _write_instants(micros: np.ndarray, encoding: Instant) -> Write:
    missing = micros == NULL_INTEGER
    seconds = np.where(missing, np.nan, micros / 1e6)
    scaled = scale(seconds, encoding.seconds)
    parts = split_instants(np.where(missing, 0, micros))
    if encoding.parts is None:
        plain_parts = [np.where(missing, -1, part) for part in parts]

        def write_plain(out: np.ndarray, start: int, stop: int) -> None:
            out[:, 0] = scaled[start:stop]
            for i, part in enumerate(plain_parts):
                out[:, i + 1] = part[start:stop]

        return write_plain
    known = encoding.parts

    def write(out: np.ndarray, start: int, stop: int) -> None:
        out[:, 0] = scaled[start:stop]
        position = 1
        for part, values in zip(parts, known, strict=True):
            same = part[start:stop, None] == np.array(values, dtype=np.int64)[None, :]
            same[missing[start:stop]] = False
            out[:, position : position + len(values)] = same
            position += len(values)

    return write


def split_instants(micros: np.ndarray) -> list[np.ndarray]:
    """The parts of instants in UTC, in the order of `plan.PARTS`: `values.instant_parts`, for many at once."""
    days = micros // 86_400_000_000
    minutes = (micros - days * 86_400_000_000) // 60_000_000
    shifted = days + 719_468
    era = shifted // 146_097
    day_of_era = shifted - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_index = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_index + 2) // 5 + 1
    month = np.where(month_index < 10, month_index + 3, month_index - 9)
    year = year_of_era + era * 400 + (month <= 2)
    weekday = (days + 4) % 7
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    # day_of_year counts from 1 March; from 1 January it is 59 (60) more, or 306 less in January and February.
    from_january = np.where(month <= 2, day_of_year - 306, day_of_year + 59 + leap)
    week = (from_january + 7 - weekday) // 7
    parts = [day, weekday + 1, month, minutes // 60, minutes % 60, week, year]
    assert len(parts) == len(PARTS)  # noqa: S101  one per part, in the same order
    return parts
