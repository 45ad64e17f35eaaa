"""Raw columns beside the score: what an estimate reads so that it holds for other kinds of rows.

A model may be honest on average and yet too sure of the old and too unsure of the young. While all come as they did,
that evens out; when more of the old come, it does not. So the curve that calibrates scores leans on columns as well.
Weighing held-out rows by how likely they are among the new ones (PAPE) aims at the same. It needs another model for
each window, and its weights grow wild where few held-out rows are like the new ones. Here one curve serves every
window, and its covariance widens the intervals there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.evaluation.smooth import spline_columns

if TYPE_CHECKING:
    import pyarrow as pa

KNOTS = (0.1, 0.5, 0.9)
MOST_VALUES, LEAST_ROWS = 10, 20
"""Texts of a column that count, and how many held-out rows each must have."""

MOST_COLUMNS = 60
"""Of more raw columns than this none is read: so many weights need more rows than are held out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A raw column: the knots of a number and what stands for a missing one, or the texts that count."""

    name: str
    knots: np.ndarray | None = None
    middle: float = 0.0
    texts: tuple[str, ...] = ()

    def columns(self, values: pa.ChunkedArray) -> np.ndarray:
        """Columns of numbers for some rows."""
        if self.knots is None:
            texts, places = _texts(values)
            at = {text: place for place, text in enumerate(texts)}
            return np.column_stack([(places == at.get(text, -1)).astype(np.float64) for text in self.texts])
        number = _numbers(values)
        return spline_columns(np.where(np.isfinite(number), number, self.middle), self.knots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The raw columns that are read, scaled to mean 0 and deviation 1 on held-out rows."""

    sides: tuple[Side, ...]
    centre: np.ndarray
    spread: np.ndarray

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        return [one.name for one in self.sides]

    def columns(self, rows: pa.Table) -> np.ndarray:
        """The columns of some rows, shape (n, width); values beyond those held out are taken no farther than 5."""
        raw = np.column_stack([one.columns(rows.column(one.name)) for one in self.sides])
        found: np.ndarray = np.clip((raw - self.centre) / self.spread, -5.0, 5.0)
        return found


def learn_sides(held: pa.Table) -> Sides | None:
    """What is read of the raw columns; None where there is nothing to read.

    Parameters
    ----------
    held
        The held-out rows, only the columns that a prediction may read.
    """
    if held.num_columns > MOST_COLUMNS or not held.num_rows:
        return None
    sides = [side for name in held.column_names if (side := _side(name, held.column(name))) is not None]
    if not sides:
        return None
    raw = np.column_stack([one.columns(held.column(one.name)) for one in sides])
    spread = raw.std(axis=0)
    return Sides(sides=tuple(sides), centre=raw.mean(axis=0), spread=np.where(spread > 0, spread, 1.0))


def _side(name: str, values: pa.ChunkedArray) -> Side | None:
    import pyarrow as pa

    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        number = _numbers(values)
        number = number[np.isfinite(number)]
        if not len(number) or number.min() == number.max():
            return None
        knots = np.unique(np.quantile(number, KNOTS))
        bends = len(knots) == len(KNOTS) and len(np.unique(number[:1_000])) > 5
        return Side(name=name, knots=knots if bends else np.empty(0), middle=float(np.median(number)))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind):
        texts, places = _texts(values)
        often = sorted(zip(np.bincount(places, minlength=len(texts)).tolist(), texts, strict=True), key=_most_first)
        kept = tuple(text for rows, text in often[:MOST_VALUES] if LEAST_ROWS <= rows < len(values))
        return Side(name=name, texts=kept) if kept else None
    return None


def _numbers(values: pa.ChunkedArray) -> np.ndarray:
    import pyarrow as pa

    found: np.ndarray = values.cast(pa.float64()).to_numpy()
    return found


def _texts(values: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """The texts of a column, a missing one as None reads, and which of them each row has.

    Truth values are written as JSON has them: the log of a deployment holds them so.
    """
    import pyarrow as pa

    coded = values.cast(pa.string()).fill_null("None").combine_chunks().dictionary_encode()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy()


def _most_first(one: tuple[int, str]) -> tuple[int, str]:
    rows, text = one
    return -rows, text
