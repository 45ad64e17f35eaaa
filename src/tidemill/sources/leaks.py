"""Columns that give a label away: they know it, or together they add up to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.sources.column_codes import codes, is_measure, is_number, numbers, ranks

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

NEVER_RIGHT = 0.01  # a column leaks when it leaves less than this share of the errors of a constant guess
MOST_SUMMANDS = 60
MEASURED_ROWS = 500  # in fewer, an honest measurement may part the classes too
PARTED = 0.9995


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Columns that together give the label away, and how."""

    columns: tuple[str, ...]
    why: str


def find_leaks(table: pa.Table, label: str, *, regression: bool) -> list[Leak]:
    """Look for columns of a sample that give its label away.

    A single column leaks when its values, learnt on every other row, predict the label of the rows between with next to
    no error; so does whether it is missing. For a number, columns leak when the label is a sum of them (each with a
    factor), or when one rises exactly as it does.

    Parameters
    ----------
    table
        The sample: the label and the columns that may be features.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kept = table.filter(table[label].is_valid())
    if regression:
        kept = kept.filter(pc.is_finite(kept[label].cast("float64", safe=False)))
    if kept.num_rows < 50:
        return []
    # Rows that come in turns (yes, no, yes, no) would mislead a look at every other row.
    kept = kept.take(pa.array(np.argsort(np.arange(kept.num_rows, dtype="uint64") * 2_654_435_761 % 2**32)))
    names = [name for name in kept.column_names if name != label]
    if not regression:
        labels = codes(kept[label])
        return [Leak(columns=(name,), why=why) for name in names if (why := _tells_class(kept[name], labels))]
    y = numbers(kept[label])
    leaks = _sums(kept, names, label, y)
    known = {name for leak in leaks for name in leak.columns}
    y_ranks = ranks(y)
    for name in names:
        if name in known:
            continue
        why = _tells_number(kept[name], y, y_ranks)
        if why and np.unique(y).size > 2:
            leaks.append(Leak(columns=(name,), why=why))
    return leaks


def _tells_class(column: pa.ChunkedArray, labels: np.ndarray[Any, Any]) -> str:
    keys = codes(column)
    measured = is_measure(column)
    if not (measured and labels.size < MEASURED_ROWS) and _error_left(keys, labels) < NEVER_RIGHT:
        return "its value gives the answer away"
    if measured and labels.size >= MEASURED_ROWS and _parts_two(column, labels):
        return "below a threshold it is always the one, above it the other"
    if column.null_count:
        import numpy as np

        if _error_left(np.asarray(column.is_null()).astype("int64"), labels) < NEVER_RIGHT:
            return "whether it is filled in gives the answer away"
    return ""


def _parts_two(column: pa.ChunkedArray, labels: np.ndarray[Any, Any]) -> bool:
    """Whether a number ranks one of two classes wholly below the other: the area under its ROC curve."""
    import numpy as np

    values = numbers(column)
    kept = ~np.isnan(values)
    positive = labels[kept] == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if labels.max() != 1 or ones < 5 or zeros < 5:
        return False
    above = ranks(values[kept])[positive].sum() - ones * (ones + 1) / 2
    area = float(above) / (ones * zeros)
    return max(area, 1 - area) > PARTED


def _error_left(keys: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> float:
    """Errors on odd rows of the commonest class per key on even rows, as a share of a constant guess's errors."""
    import numpy as np

    classes = int(labels.max()) + 1
    even, odd = slice(0, None, 2), slice(1, None, 2)
    base = int(np.bincount(labels, minlength=classes).argmax())
    wrong_always = int((labels[odd] != base).sum())
    if wrong_always < 5:
        return 1.0
    width = int(keys.max()) + 1
    if width * classes > 50_000_000:
        return 1.0
    counts = np.bincount(keys[even] * classes + labels[even], minlength=width * classes).reshape(width, classes)
    guess = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), base)
    return float((guess[keys[odd]] != labels[odd]).sum()) / wrong_always


def _tells_number(column: pa.ChunkedArray, y: np.ndarray[Any, Any], y_ranks: np.ndarray[Any, Any]) -> str:
    import numpy as np

    if is_number(column):
        values = numbers(column)
        kept = ~np.isnan(values)
        if kept.sum() < 50 or np.ptp(values[kept]) == 0 or np.ptp(y[kept]) == 0:
            return ""
        rank = abs(float(np.corrcoef(ranks(values[kept]), y_ranks[kept])[0, 1]))
        return "it rises and falls exactly as the answer does" if rank > 0.9999 else ""
    keys = codes(column)
    even, odd = slice(0, None, 2), slice(1, None, 2)
    width = int(keys.max()) + 1
    count = np.bincount(keys[even], minlength=width)
    mean = np.bincount(keys[even], weights=y[even], minlength=width) / np.maximum(count, 1)
    guess = np.where(count > 0, mean, y.mean())[keys[odd]]
    spread = float(((y[odd] - y.mean()) ** 2).sum())
    left = float(((y[odd] - guess) ** 2).sum())
    return "its value gives the answer away" if spread and left / spread < NEVER_RIGHT**2 else ""


def _sums(table: pa.Table, names: Sequence[str], label: str, y: np.ndarray[Any, Any]) -> list[Leak]:
    """The label as an exact linear combination of number columns, if it is one, with no column to spare."""
    import numpy as np

    columns = {name: numbers(table[name]) for name in names if is_number(table[name])}
    columns = {name: values for name, values in columns.items() if np.isnan(values).mean() < 0.5}
    if not columns:
        return []
    kept = ~np.isnan(np.column_stack([*columns.values(), y])).any(axis=1)
    if not kept.any():
        return []
    columns = {name: values[kept] for name, values in columns.items() if np.ptp(values[kept]) > 0}
    target = y[kept]
    if not columns or target.size < max(50, 10 * len(columns)) or np.ptp(target) == 0:
        return []
    strength = {name: abs(float(np.corrcoef(values, target)[0, 1])) for name, values in columns.items()}
    order = sorted(columns, key=lambda name: strength[name])[-MOST_SUMMANDS:]
    rows = slice(0, 20 * len(order) + 500)
    if not _fits(columns, order, target, rows):
        return []
    needed = list(order)
    for name in order:  # the weakest first: what the sum does without is not part of it
        fewer = [other for other in needed if other != name]
        if fewer and _fits(columns, fewer, target, rows):
            needed = fewer
    if not _fits(columns, needed, target, slice(None)):
        return []
    return [
        Leak(columns=tuple(name for name in names if name in needed), why=_sum_text(label, needed, columns, target))
    ]


def _fits(
    columns: dict[str, np.ndarray[Any, Any]], names: Sequence[str], target: np.ndarray[Any, Any], rows: slice
) -> bool:
    factors, y, x = _solve(columns, names, target, rows)
    left = float(((y - x @ factors) ** 2).sum())
    return left <= 1e-9 * float(((y - y.mean()) ** 2).sum())


def _solve(
    columns: dict[str, np.ndarray[Any, Any]], names: Sequence[str], target: np.ndarray[Any, Any], rows: slice
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    import numpy as np

    # Scaled to one size, so that the solution does not depend on the columns' units.
    x = np.column_stack([*(columns[name][rows] / np.abs(columns[name]).max() for name in names)])
    x = np.column_stack([x, np.ones(len(x))])
    y = target[rows]
    return np.linalg.lstsq(x, y, rcond=None)[0], y, x


def _sum_text(
    label: str, names: Sequence[str], columns: dict[str, np.ndarray[Any, Any]], target: np.ndarray[Any, Any]
) -> str:
    """The sum in words: ``cnt = casual + registered`` when the factors are plain."""
    import numpy as np

    factors, _, _ = _solve(columns, names, target, slice(None))
    plain = [float(factor / np.abs(columns[name]).max()) for factor, name in zip(factors, names, strict=False)]
    offset = float(factors[-1])
    size = float(np.abs(target).max())
    pairs = sorted(zip(names, plain, strict=True), key=lambda pair: list(columns).index(pair[0]))
    if abs(offset) < 1e-6 * size and all(abs(abs(factor) - 1) < 1e-6 for _, factor in pairs):
        pairs.sort(key=lambda pair: pair[1] < 0)
        text = " ".join(f"{'-' if factor < 0 else '+'} {name}" for name, factor in pairs).removeprefix("+ ")
        return f"{label} = {text} in every row"
    if len(names) == 1:
        tail = "" if abs(offset) < 1e-6 * size else f" {'-' if offset < 0 else '+'} {abs(offset):.6g}"
        return f"{label} = {plain[0]:.6g} * {names[0]}{tail} in every row"
    return f"{label} can be computed exactly from {', '.join(name for name, _ in pairs)}"
