"""The rows of ML.FEATURE_INFO: what each feature looked like in the training rows.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-feature
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.names import quote_name
from tidemill.features.learn_categories import Learned
from tidemill.features.plan import (
    LARGEST,
    Feature,
    FeaturePlan,
    InputColumn,
    Instant,
    Number,
    Sparse,
    Vector,
    encoding_width,
)
from tidemill.features.sources import kind_of
from tidemill.training.source import TrainingRows


def describe_features(
    draft: FeaturePlan, learned: Mapping[str, Learned], x: np.ndarray, *, threads: int
) -> tuple[dict[str, Any], ...]:
    """One row per feature: numbers have moments, categories their count; TIMESTAMPs are in seconds since 1970.

    Parameters
    ----------
    x
        The training rows as the draft encodes them: numbers as they are, NaN where missing.
    """
    starts = np.cumsum([0, *(encoding_width(feature.encoding) for feature in draft.features)])

    def one(ordinal: int) -> dict[str, Any]:
        feature = draft.features[ordinal]
        return _describe(feature, learned.get(feature.name, Learned()), x[:, starts[ordinal] : starts[ordinal + 1]])

    with ThreadPoolExecutor(max(1, threads)) as pool:
        return tuple(pool.map(one, range(len(draft.features))))


def describe_inputs(rows: TrainingRows, training_sql: str, inputs: Sequence[InputColumn]) -> tuple[dict[str, Any], ...]:
    """One row per raw column that TRANSFORM reads, over the training rows.

    Counts are made by the engine; numbers are read in the rows' fixed order, so that their sums are always the same.

    Parameters
    ----------
    training_sql
        The training rows before TRANSFORM.
    inputs
        The raw columns.
    """
    if not inputs:
        return ()
    session = rows.task.session
    kinds = {column.name: kind_of(rows.schema.field(column.name).type) for column in inputs}
    counts = [_COUNTS.get(kinds[column.name] or "", _NO_COUNT).format(quote_name(column.name)) for column in inputs]
    nulls = [f"count(*) - count({quote_name(column.name)})" for column in inputs]
    parts = [f"{sql} AS c{at}" for at, sql in enumerate([*counts, *nulls])]
    counted = session.query(f"SELECT {', '.join(parts)} FROM ({training_sql}) AS tm_raw").read_all().to_pylist()[0]
    numbers = _numbers(rows, training_sql, {name: kind for name, kind in kinds.items() if kind in _NUMBERS})
    found = []
    for at, column in enumerate(inputs):
        row = _EMPTY | {"input": column.name, "null_count": int(counted[f"c{len(inputs) + at}"])}
        count = counted[f"c{at}"]
        if column.name in numbers:
            row |= _moments(numbers[column.name])
        elif count is not None:
            row["dimension" if kinds[column.name] in ("vector", "sparse") else "category_count"] = int(count)
        found.append(row)
    return tuple(found)


# What is counted of a column, by the kind of what it holds; nothing of numbers, nor of what cannot be a feature.
_COUNTS = dict.fromkeys(("text", "bool", "bytes", "date", "time", "datetime"), "count(DISTINCT {})") | {
    "vector": "max(len({}))",
    "sparse": "1 + list_max(flatten(list(list_transform({}, lambda part: part['index']))))",
    "texts": "len(list_distinct(flatten(list({}))))",
}
_NO_COUNT = "NULL"
# How a column becomes numbers.
_NUMBERS = {"number": "CAST({} AS DOUBLE)", "timestamp": "epoch({})"}


def _numbers(rows: TrainingRows, training_sql: str, kinds: Mapping[str, str | None]) -> dict[str, np.ndarray]:
    if not kinds:
        return {}
    selected = ", ".join(
        f"{_NUMBERS[str(kind)].format(quote_name(name))} AS c{at}" for at, (name, kind) in enumerate(kinds.items())
    )
    parts: list[list[np.ndarray]] = [[] for _ in kinds]
    for batch in rows.task.session.query(f"SELECT {selected} FROM ({training_sql}) AS tm_raw"):
        for at, column in enumerate(batch.columns):
            values = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
            parts[at].append(np.clip(values, -LARGEST, LARGEST))
    return {name: np.concatenate(part) if part else np.empty(0) for name, part in zip(kinds, parts, strict=True)}


_EMPTY: dict[str, Any] = dict.fromkeys(
    ("input", "min", "max", "mean", "median", "stddev", "category_count", "null_count", "dimension")
)


def _describe(feature: Feature, learned: Learned, block: np.ndarray) -> dict[str, Any]:
    row = _EMPTY | {"input": feature.name, "null_count": learned.nulls}
    if isinstance(feature.encoding, Vector | Sparse):
        return row | {"dimension": feature.encoding.length}
    if not isinstance(feature.encoding, Number | Instant):
        return row | {"category_count": len(learned.values)}
    return row | _moments(block[:, 0])


def _moments(column: np.ndarray) -> dict[str, Any]:
    values = np.array(column, dtype=np.float64)
    values = values[~np.isnan(values)]
    nulls = len(column) - len(values)
    if not len(values):
        return {"null_count": nulls}
    low, high, mean = float(values.min()), float(values.max()), float(values.mean())
    centred = values - mean
    spread = float(np.sqrt(centred @ centred / (len(values) - 1))) if len(values) > 1 else 0.0
    # The lower median, as in ML.EVALUATE; one selection is all it takes.
    middle = (len(values) - 1) // 2
    values.partition(middle)
    return {
        "min": low,
        "max": high,
        "mean": mean,
        "median": float(values[middle]),
        "stddev": spread,
        "null_count": nulls,
    }
