"""Learn what the plan needs: categories by SQL before the rows are loaded, numbers from the loaded matrix after.

The order of calls, for a client that trains:

    learned = learn_categories(session, sql, schema, features=names)      # exact counts, whatever the row order
    draft = draft_plan(schema, learned, features=names, style="linear")   # fixes the width
    encoder = BatchEncoder(draft)                                         # encode.py: NaN where a number is missing
    ...                                                                   # load x, shape (rows, draft.width)
    plan = settle(draft, x_train, y=y)                                    # learns, and finishes x_train in place
    finish(plan, x_eval)                                                  # finishes rows loaded with the draft
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.errors import Where
from tidemill.features.learn_categories import Learned
from tidemill.features.plan import (
    Encoding,
    Feature,
    FeaturePlan,
    FrozenColumn,
    InputColumn,
    Instant,
    Label,
    MultiHot,
    Number,
    OneHot,
    Sparse,
    Style,
    Target,
    Vector,
    encoding_width,
)
from tidemill.features.sources import Datetimes, Source, find_column, list_sources

if TYPE_CHECKING:
    import pyarrow as pa

_SMOOTHING = 10.0  # rows of the overall mean that each category's mean is mixed with in TARGET_ENCODING


def draft_plan(
    schema: pa.Schema,
    learned: Mapping[str, Learned],
    *,
    features: Sequence[str],
    style: Style,
    method: str = "",
    outputs: int = 1,
    inputs: Sequence[InputColumn] | None = None,
    transforms: Sequence[FrozenColumn] = (),
    datetimes: Datetimes = "expanded",
    where: Where | None = None,
) -> FeaturePlan:
    """Fix the matrix's columns. Means and deviations are still open: see `settle`.

    Parameters
    ----------
    schema
        Of the rows that features are read from (TRANSFORM's output, when there is one).
    learned
        From `learn_categories` on the same features.
    method
        CATEGORY_ENCODING_METHOD: ONE_HOT_ENCODING, DUMMY_ENCODING, LABEL_ENCODING or TARGET_ENCODING; '' is the
        style's own (one-hot for linear, labels for trees).
    outputs
        For TARGET_ENCODING: 1 for a number or a binary label, else the number of classes.
    inputs
        The raw columns a prediction needs; by default the columns of the features.

    References
    ----------
    .. [1] https://cloud.google.com/bigquery/docs/auto-preprocessing
    """
    sources = list_sources(schema, features, datetimes=datetimes, where=where)
    if inputs is None:
        columns = dict.fromkeys(source.column for source in sources)
        inputs = [InputColumn(name=name, type=str(schema.field(find_column(schema, name)).type)) for name in columns]
    chosen = method or ("ONE_HOT_ENCODING" if style == "linear" else "LABEL_ENCODING")
    return FeaturePlan(
        style=style,
        inputs=tuple(inputs),
        transforms=tuple(transforms),
        features=tuple(
            Feature(
                name=source.name,
                column=source.column,
                field=source.field,
                kind=source.kind,
                encoding=_draft(source, learned.get(source.name, Learned()), style, chosen, outputs),
            )
            for source in sources
        ),
    )


def _draft(source: Source, learned: Learned, style: Style, method: str, outputs: int) -> Encoding:
    match source.kind:
        case "number":
            return Number()
        case "timestamp":
            return Instant(parts=learned.parts if style == "linear" else None)
        case "vector":
            return Vector(length=learned.length)
        case "sparse":
            return Sparse(length=learned.length)
        case "texts":
            return MultiHot(vocabulary=learned.values)
        case _:
            return _categorical(learned, method, outputs)


def _categorical(learned: Learned, method: str, outputs: int) -> Encoding:
    if method == "LABEL_ENCODING":
        return Label(vocabulary=learned.values)
    if method == "TARGET_ENCODING":
        return Target(vocabulary=learned.values, outputs=outputs)
    null = learned.nulls > 0
    dropped = None
    if method == "DUMMY_ENCODING":
        counts = [*learned.counts, learned.nulls] if null else list(learned.counts)
        # The first of equals: the most frequent, and alphabetically first among the most frequent.
        dropped = counts.index(max(counts)) if counts else None
    return OneHot(vocabulary=learned.values, null=null, dropped=dropped)


def settle(
    draft: FeaturePlan, x: np.ndarray, *, rows: slice | np.ndarray | None = None, y: np.ndarray | None = None
) -> FeaturePlan:
    """Learn means, deviations (n - 1) and target values from loaded rows, then finish all of ``x`` in place.

    Deterministic given the order of the rows.

    Parameters
    ----------
    x
        Rows encoded with the draft, shape (n, width).
    rows
        Which of them to learn from (a slice, a mask or indexes); None learns from all.
    y
        For TARGET_ENCODING: the numeric label, or the class index, shape (n,).
    """
    start = 0
    features = []
    for feature in draft.features:
        width = encoding_width(feature.encoding)
        block = x[:, start : start + width]
        features.append(replace(feature, encoding=_settled(feature.encoding, block, draft.style, rows=rows, y=y)))
        start += width
    plan = replace(draft, features=tuple(features))
    finish(plan, x)
    return plan


def _settled(
    encoding: Encoding, block: np.ndarray, style: Style, *, rows: slice | np.ndarray | None, y: np.ndarray | None
) -> Encoding:
    if isinstance(encoding, Number):
        return _learn_number(block[:, 0], style, rows)
    if isinstance(encoding, Instant):
        return replace(encoding, seconds=_learn_number(block[:, 0], style, rows))
    if isinstance(encoding, Target):
        if y is None:
            raise TypeError("TARGET_ENCODING is learnt from the label: pass y")
        return _learn_target(encoding, block[:, 0], rows=rows, y=y)
    return encoding


def _learn_number(column: np.ndarray, style: Style, rows: slice | np.ndarray | None) -> Number:
    values = np.ascontiguousarray(column if rows is None else column[rows], dtype=np.float64)
    missing = np.isnan(values)
    if missing.any():
        values = values[~missing]
    mean, deviation = _moments(values)
    return Number(mean=mean, deviation=deviation if style == "linear" else None)


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and sample deviation; a constant column (or none at all) has deviation 1, so that it becomes zeros."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low, 1.0
    mean = float(np.add.reduce(values)) / len(values)
    centred = values - mean
    deviation = float(np.sqrt(np.add.reduce(centred * centred) / (len(values) - 1)))
    return mean, deviation if deviation > np.finfo(np.float64).tiny else 1.0


def _learn_target(encoding: Target, column: np.ndarray, *, rows: slice | np.ndarray | None, y: np.ndarray) -> Target:
    codes = np.asarray(column if rows is None else column[rows]).astype(np.int64)
    labels = y if rows is None else y[rows]
    size = len(encoding.vocabulary) + 2
    counts = np.bincount(codes, minlength=size).astype(np.float64)
    table = np.empty((size, encoding.outputs))
    for output in range(encoding.outputs):
        target = labels.astype(np.float64) if encoding.outputs == 1 else (labels == output).astype(np.float64)
        overall = float(np.add.reduce(target)) / len(target) if len(target) else 0.0
        sums = np.bincount(codes, weights=target, minlength=size)
        table[:, output] = (sums + _SMOOTHING * overall) / (counts + _SMOOTHING)
        table[0, output] = overall
    return replace(encoding, values=tuple(tuple(row) for row in table.tolist()))


def finish(plan: FeaturePlan, x: np.ndarray) -> None:
    """Turn rows that were encoded with the draft into what the settled plan gives, in place: fill and scale."""
    from tidemill.features.encode import scale

    start = 0
    for feature in plan.features:
        encoding = feature.encoding
        width = encoding_width(encoding)
        number = encoding.seconds if isinstance(encoding, Instant) else encoding
        if isinstance(number, Number):
            x[:, start] = scale(np.array(x[:, start], dtype=np.float64), number)
        elif isinstance(encoding, Target):
            table = np.array(encoding.values)
            x[:, start : start + width] = table[x[:, start].astype(np.int64)]
        start += width
