"""What a version was trained on and what it answered, as distributions: what its answers are compared with later.

Texts are counted over all training rows; numbers and times over at most `ROWS` of them, evenly spread, so that
training does not take longer for it. The columns are the raw ones that a prediction needs, from before TRANSFORM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.analysis.distribution_arrays import distribution_of, distribution_of_numbers, distribution_of_texts
from tidemill.core.distribution import Distribution
from tidemill.core.names import quote_name
from tidemill.core.words import class_text

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.features.learn_categories import Learned
    from tidemill.model_types.base import Labels
    from tidemill.training.source import TrainingRows
    from tidemill.training.split import Split

FORMAT = 1
ROWS = 100_000
MOST_CLASSES = 20  # with more, the probabilities of each are not kept


class Spread:
    """Every so-manieth training row of those that go by, so that about `ROWS` are kept."""

    def __init__(self, columns: Sequence[str], rows_train: int) -> None:
        self._columns = list(columns)
        self._step = -(-rows_train // ROWS) or 1
        self._passed = 0
        self._parts: list[pa.RecordBatch] = []

    def take(self, batch: pa.RecordBatch, trains: np.ndarray | None) -> None:
        """Look at the next rows; ``trains`` says which of them train (None: all)."""
        import pyarrow as pa

        count = batch.num_rows if trains is None else int(trains.sum())
        first = -self._passed % self._step
        self._passed += count
        if first >= count or not self._columns:
            return
        kept = batch.select(self._columns)
        if trains is None and self._step == 1:
            self._parts.append(kept)
            return
        places = np.arange(batch.num_rows) if trains is None else np.flatnonzero(trains)
        self._parts.append(kept.take(pa.array(places[first :: self._step])))

    def columns(self) -> Iterator[tuple[str, pa.ChunkedArray]]:
        """The rows that were kept, column by column."""
        import pyarrow as pa

        if self._parts:
            table = pa.Table.from_batches(self._parts)
            yield from zip(table.column_names, table.columns, strict=True)


def spread_of(rows: TrainingRows, names: Sequence[str], split: Split) -> Spread:
    """Read raw columns that training reads only through TRANSFORM."""
    spread = Spread(names, split.rows_train)
    if not names:
        return spread
    seen = 0
    for batch in rows.query(", ".join(map(quote_name, names))):
        spread.take(batch, None if split.trains is None else split.trains[seen : seen + batch.num_rows])
        seen += batch.num_rows
    return spread


def baseline(
    inputs: Sequence[str],
    spread: Spread,
    learned: Mapping[str, Learned],
    labels: Labels,
    *,
    y: np.ndarray,
    scores: np.ndarray,
    rows_train: int,
    held_out_seconds: float | None = None,
) -> dict[str, Any]:
    """The baseline as JSON can hold it.

    Parameters
    ----------
    inputs
        The raw columns a prediction needs. Those of types without a distribution are left out.
    learned
        Texts whose values were counted in all training rows.
    y
        The labels of the training rows, as `evaluation.judge` takes them.
    scores
        What the model answers to the rows it is judged on.
    held_out_seconds
        How long a time those rows are of, where they are the newest: `held_out_seconds`.
    """
    sampled = dict(spread.columns())
    found = {}
    for name in inputs:
        one = distribution_of(name, sampled[name]) if name in sampled else _counted(name, learned.get(name))
        if one is not None:
            found[name] = one.as_json()
    newest = {} if held_out_seconds is None else {"held_out_seconds": held_out_seconds}
    return {
        "format": FORMAT,
        "rows_train": rows_train,
        **newest,
        "inputs": found,
        "label": _labels(labels, y).as_json(),
        "prediction": _labels(labels, called(scores)).as_json(),
        "probabilities": {name: one.as_json() for name, one in _probabilities(labels, scores).items()},
    }


def held_out_seconds(rows: TrainingRows, split: Split) -> float | None:
    """How long a time the held-out rows are of, where they are the newest; None where they are spread or untimed."""
    import pyarrow as pa

    if not split.rows_eval or rows.task.options.get("data_split_method") != "SEQ":
        return None
    kind = rows.schema.field(rows.split).type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return None
    key = quote_name(rows.split)
    held = f"NOT ({split.where})" if split.where else ""
    seconds = [
        one for batch in rows.query(f"epoch(max({key})) - epoch(min({key})) AS s", held) for one in batch.column(0)
    ]
    found = seconds[0].as_py()
    return None if found is None else float(found)


def called(scores: np.ndarray) -> np.ndarray:
    """The class that is called by its probability (the last of two from 0.5 on), or the prediction of a regression."""
    if scores.ndim == 1:
        return scores
    return (scores[:, 1] >= 0.5).astype(np.int64) if scores.shape[1] == 2 else scores.argmax(axis=1)


def _counted(name: str, learned: Learned | None) -> Distribution | None:
    if learned is None:
        return None
    return distribution_of_texts(name, dict(zip(learned.values, learned.counts, strict=True)), nulls=learned.nulls)


def _labels(labels: Labels, y: np.ndarray) -> Distribution:
    if not labels.classes:
        return distribution_of_numbers(labels.column, _few(y))
    counts = np.bincount(y[y >= 0], minlength=len(labels.classes)).tolist()
    return Distribution(
        column=labels.column, kind="text", counts=tuple(counts), values=tuple(map(class_text, labels.classes))
    )


def _probabilities(labels: Labels, scores: np.ndarray) -> dict[str, Distribution]:
    """By class; of two only the positive one, whose probability tells that of the other."""
    if scores.ndim == 1 or scores.shape[1] > MOST_CLASSES:
        return {}
    names = [class_text(value) for value in labels.classes]
    wanted = [1] if len(names) == 2 else range(len(names))
    return {names[at]: distribution_of_numbers(names[at], _few(scores[:, at])) for at in wanted}


def _few(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[:: -(-len(values) // ROWS) or 1], dtype=np.float64)
