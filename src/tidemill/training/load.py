"""One reading of the rows into one matrix: training rows first, evaluation rows after them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.errors import EmptyDataError, SpaceError
from tidemill.core.names import quote_name
from tidemill.features.encode import BatchEncoder
from tidemill.features.plan import FeaturePlan
from tidemill.training.baseline import Spread
from tidemill.training.labels import LabelFacts, encode_labels
from tidemill.training.source import TrainingRows
from tidemill.training.split import Split, changed_rows

if TYPE_CHECKING:
    import pyarrow as pa

# Rows kept as they came, for comparing the ways to score them.
SAMPLE_ROWS = 1_000
_ROWS_PER_BATCH = 131_072
# A matrix larger than this share of the machine's memory would not leave room to train.
_MOST_OF_MEMORY = 0.6


@dataclass(slots=True, kw_only=True)
class Loaded:
    """Rows encoded with a draft of the plan; the first ``split.rows_train`` of them train.

    ``sample`` holds the columns that features are read from, of the first rows in the query's order;
    ``sample_at`` says where in ``x`` those rows stand.
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    sample: pa.RecordBatch
    sample_at: np.ndarray


def load_rows(
    rows: TrainingRows,
    draft: FeaturePlan,
    label: LabelFacts,
    split: Split,
    *,
    computed: Mapping[str, str],
    spread: Spread | None = None,
) -> Loaded:
    """Read all rows once, encode them batch by batch and put each where it belongs.

    Memory is the matrix and a few batches.

    Parameters
    ----------
    computed
        The columns of TRANSFORM: name to SQL. Empty without a TRANSFORM.
    spread
        Keeps some of the training rows as they came.

    Raises
    ------
    SpaceError
        The matrix does not fit in this machine's memory.
    """
    total = split.rows_train + split.rows_eval
    _check_size(rows, draft, total)
    x = np.empty((total, draft.width), dtype=draft.dtype)
    y = np.empty(total, dtype=np.int64 if label.labels.classes else np.float64)
    weight = np.empty(total) if rows.weight else None
    encoder = BatchEncoder(draft)
    sample: list[pa.RecordBatch] = []
    sample_at: list[np.ndarray] = []
    seen = trained = evaluated = kept = 0
    for labels, weights, batch in _batches(rows, draft, label, computed):
        count = batch.num_rows
        if seen + count > total:
            raise changed_rows(rows)
        trains = None if split.trains is None else split.trains[seen : seen + count]
        if spread is not None:
            spread.take(batch, trains)
        size = count if trains is None else int(trains.sum())
        at = _places(trains, trained, split.rows_train + evaluated, count)
        _encode(encoder, batch, x, at, whole=trains is None or size in (0, count))
        y[at] = encode_labels(labels, label.labels.classes)
        if weight is not None and weights is not None:
            weight[at] = encode_labels(weights, ())
        if kept < SAMPLE_ROWS:
            part = min(SAMPLE_ROWS - kept, count)
            sample.append(batch.slice(0, part))
            sample_at.append(np.arange(total)[at][:part] if isinstance(at, slice) else at[:part])
            kept += part
        seen, trained, evaluated = seen + count, trained + size, evaluated + count - size
        rows.task.progress("reading rows", seen, total)
    if seen != total:
        raise changed_rows(rows)
    return Loaded(x=x, y=y, weight=weight, sample=_joined(sample), sample_at=np.concatenate(sample_at))


def _batches(rows: TrainingRows, draft: FeaturePlan, label: LabelFacts, computed: Mapping[str, str]):  # type: ignore[no-untyped-def]
    """Label, weight and features of each batch. The first two go by position: their names may be taken."""
    import pyarrow as pa

    names = list(dict.fromkeys(feature.column for feature in draft.features))
    selected = [f"{label.sql} AS tm_label"]
    if rows.weight:
        selected.append(f"CAST({quote_name(rows.weight)} AS DOUBLE) AS tm_weight")
    leading = len(selected)
    selected += [f"{computed[name]} AS {quote_name(name)}" if name in computed else quote_name(name) for name in names]
    query = f"SELECT {', '.join(selected)} FROM ({rows.sql}) AS tm_rows"
    for batch in rows.task.session.query(query, rows_per_batch=_ROWS_PER_BATCH):
        columns = batch.columns
        features = pa.RecordBatch.from_arrays(columns[leading:], names=names)
        yield columns[0], columns[1] if rows.weight else None, features


def _places(trains: np.ndarray | None, trained: int, evaluated: int, count: int) -> slice | np.ndarray:
    """Where each row of a batch stands in the matrix."""
    if trains is None or trains.all():
        return slice(trained, trained + count)
    if not trains.any():
        return slice(evaluated, evaluated + count)
    at = np.empty(count, dtype=np.int64)
    size = int(trains.sum())
    at[trains] = np.arange(trained, trained + size)
    at[~trains] = np.arange(evaluated, evaluated + count - size)
    return at


def _encode(
    encoder: BatchEncoder, batch: pa.RecordBatch, x: np.ndarray, at: slice | np.ndarray, *, whole: bool
) -> None:
    if whole:
        encoder.encode(batch, x[at])
    else:
        x[at] = encoder.matrix(batch)


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.concat_batches(parts)


def _check_size(rows: TrainingRows, draft: FeaturePlan, total: int) -> None:
    if not draft.width:
        raise EmptyDataError(
            f"model {rows.task.name} has nothing to learn from: no feature has a value",
            where=rows.task.where,
            hint="check the query: every feature is NULL in all training rows",
        )
    needed = total * draft.width * np.dtype(draft.dtype).itemsize
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed <= memory * _MOST_OF_MEMORY:
        return
    widest = max(draft.features, key=lambda feature: len(getattr(feature.encoding, "vocabulary", ())))
    raise SpaceError(
        f"{total:,} rows of {draft.width:,} encoded features need {needed / 1e9:.1f} GB of memory; "
        f"this machine has {memory / 1e9:.1f} GB",
        where=rows.task.where,
        hint=f"leave out or bucketize columns with many distinct values (most: {widest.name}), or train on a sample",
        bytes=needed,
        rows=total,
        features=draft.width,
    )
