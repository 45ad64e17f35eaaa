"""The rows of ML.FEATURE_INFO: what each feature looked like in the training rows.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-feature
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.features.learn import Learned
from tidemill.features.plan import Feature, FeaturePlan, Instant, Number, Sparse, Vector, encoding_width


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


def _describe(feature: Feature, learned: Learned, block: np.ndarray) -> dict[str, Any]:
    row: dict[str, Any] = {
        "input": feature.name,
        "min": None,
        "max": None,
        "mean": None,
        "median": None,
        "stddev": None,
        "category_count": None,
        "null_count": learned.nulls,
        "dimension": None,
    }
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
