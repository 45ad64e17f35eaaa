"""Golden rows: a few rows of the training query with the trained model's answers, kept in the artifact.

Whoever loads a version answers them again and compares: a server with another library, another machine, another
Tidemill finds out before anybody is answered wrongly. They are rows as people gave them, so they may hold personal
data like the training rows do: they are few, and lie beside the model, whose access they share.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

if TYPE_CHECKING:
    import pyarrow as pa

#: As many rows are kept, if the training query has them.
ROWS = 20
#: Of them, so many are not chosen for their NULLs.
_PLAIN = 5
_EXACT = 2**53


def golden_rows(raw: pa.RecordBatch, scores: np.ndarray, *, most: int = ROWS) -> dict[str, Any]:
    """Rows as JSON can hold them, and their scores: a number each, or the classes' probabilities in ascending order.

    Rows with a NULL come first, one for each column that has any, then rows from the beginning. A row that JSON cannot
    say exactly (numbers that are not finite, dates out of Python's range) is left out.

    Parameters
    ----------
    raw
        The columns that a prediction needs, of some rows.
    scores
        What the trained model answers to them.
    most
        As many rows are kept at most.
    """
    rows: list[dict[str, Any]] = []
    answers: list[Any] = []
    for at in _candidates(raw):
        if len(rows) == most:
            break
        row = _row(raw, at)
        if row is not None:
            rows.append(row)
            answers.append(scores[at].tolist())
    return {"rows": rows, "scores": answers}


def _candidates(raw: pa.RecordBatch) -> Iterator[int]:
    first: dict[int, None] = {}
    for column in raw.columns:
        if column.null_count:
            at = column.is_null().index(True).as_py()
            if len(first) < ROWS - _PLAIN:
                first[at] = None
    yield from first
    yield from (at for at in range(raw.num_rows) if at not in first)


def _row(raw: pa.RecordBatch, at: int) -> dict[str, Any] | None:
    import pyarrow as pa

    try:
        (row,) = raw.slice(at, 1).to_pylist()
        return {name: _plain(value) for name, value in row.items()}
    except (ValueError, OverflowError, pa.ArrowException):
        return None


def _plain(value: Any) -> Any:
    """A value as JSON says it.

    Raises
    ------
    ValueError
        It cannot be said exactly.
    """
    match value:
        case None | bool() | str():
            return value
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list():
            return [_plain(item) for item in value]
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case dt.date() | dt.time():
            return value.isoformat()
        case int() | decimal.Decimal() | float():
            number = float(value)
            if not math.isfinite(number) or (abs(number) > _EXACT and value != number):
                raise ValueError(value)
            return value if isinstance(value, int) else number
        case _:
            raise ValueError(value)
