"""Statistics of columns in TensorFlow Data Validation's form, as ML.TFDV_DESCRIBE gives them.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-tfdv-describe
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tidemill.analysis.distribution_sql import Counted, as_number, count_numbers, ends
from tidemill.analysis.tfdv_arrays import WRITTEN, open_array, refused, with_lengths
from tidemill.core.names import quote_name

if TYPE_CHECKING:
    from tidemill.analysis.table import Column, Table

EXACT_ROWS = 1_000_000  # quantiles of more rows are estimates (t-digest)


def describe(table: Table, *, buckets: int, quantiles: int, ranks: int, values: int) -> dict[str, Any]:
    """A DatasetFeatureStatisticsList of one data set.

    Parameters
    ----------
    buckets, quantiles, ranks
        How many buckets histograms of equal width, of quantiles, and of values by rank have.
    values
        How many buckets the histogram of an array's lengths has.

    Raises
    ------
    UnsupportedError
        A column is of a type that is not described.
    """
    arrays = {column.name: open_array(table, column) for column in table.columns if column.kind == "list"}
    for column in table.columns:
        if column.kind not in ("number", "list", *WRITTEN):
            raise refused(column)
    plain = replace(table, columns=tuple(column for column in table.columns if column.name not in arrays))
    found = _features(plain, buckets=buckets, quantiles=quantiles, ranks=ranks)
    for name, one in arrays.items():
        items = _features(one.items, buckets=buckets, quantiles=quantiles, ranks=ranks)
        found[name] = with_lengths(items[name], one.lengths(values))
    features = [found[column.name] for column in table.columns]
    return {"datasets": [{"numExamples": str(table.rows), "features": features}]}


def _features(table: Table, *, buckets: int, quantiles: int, ranks: int) -> dict[str, dict[str, Any]]:
    """The statistics of columns that are no arrays, by name."""
    numbers = [column for column in table.columns if column.kind == "number"]
    limits = ends(table, numbers)
    edges = {column.name: _edges(*limits[column.name], buckets) for column in numbers}
    inner = {name: [math.nextafter(edge, -math.inf) for edge in listed[1:-1]] for name, listed in edges.items()}
    counted = count_numbers(table, numbers, inner, limits) if numbers else {}
    return {
        column.name: _number(table, column, counted[column.name], edges[column.name], quantiles)
        if column.kind == "number"
        else _text(table, column, ranks)
        for column in table.columns
    }


def _edges(low: float | None, high: float | None, buckets: int) -> list[float]:
    """Edges of equal width from the least to the greatest value; equal ones when all values are one."""
    if low is None or high is None:
        return []
    if not math.isfinite(high - low) or high == low:
        return [low, high]
    edges = [low + (high - low) * at / buckets for at in range(buckets)]
    return [*edges, high] if all(a < b for a, b in zip(edges, [*edges[1:], high], strict=True)) else [low, high]


def _number(table: Table, column: Column, counted: Counted, edges: Sequence[float], quantiles: int) -> dict[str, Any]:
    value = as_number(column, finite=True)
    function = "quantile_disc" if table.rows <= EXACT_ROWS else "approx_quantile"
    shares = ", ".join(repr(at / quantiles) for at in range(quantiles + 1))
    plain = as_number(column)
    nans = f"count_if(isnan({plain}))" if column.is_float else "0"
    zeros, deviation, median, cuts, nan = table.first(
        [
            f"count_if({value} = 0)",
            f"stddev_pop({value} / {_scale(counted)!r}) * {_scale(counted)!r}",
            f"{function}({value}, 0.5)",
            f"{function}({value}, [{shares}])",
            nans,
        ]
    )
    finite = sum(counted.counts)
    standard = [
        _bucket(left, right, count) for (left, right), count in zip(pairwise(edges), counted.counts, strict=False)
    ]
    by_rank = [_bucket(left, right, finite / quantiles) for left, right in pairwise(cuts or ())]
    stats = {
        "commonStats": _common(table.rows, table.rows - counted.nulls),
        "mean": counted.mean,
        "stdDev": deviation,
        "numZeros": str(int(zeros or 0)),
        "min": counted.low,
        "median": median,
        "max": counted.high,
        "histograms": [
            {"type": "STANDARD", "numNan": str(int(nan or 0)), "buckets": standard + _infinite(counted, int(nan or 0))},
            {"type": "QUANTILES", "numNan": str(int(nan or 0)), "buckets": by_rank},
        ],
    }
    kind = "INT" if column.is_whole else "FLOAT"
    kept = {name: value for name, value in stats.items() if value is not None}
    return {"path": {"step": [column.name]}, "type": kind, "numStats": kept}


def _scale(counted: Counted) -> float:
    """What numbers are divided by before they are squared, for they may be as large as numbers go."""
    return max(abs(counted.low or 0.0), abs(counted.high or 0.0)) or 1.0


def _infinite(counted: Counted, nan: int) -> list[dict[str, Any]]:
    rows = counted.not_finite - nan
    return [{"lowValue": "Infinity", "highValue": "Infinity", "sampleCount": float(rows)}] if rows > 0 else []


def _bucket(low: float, high: float, rows: float) -> dict[str, Any]:
    return {"lowValue": low, "highValue": high, "sampleCount": float(rows)}


def _common(rows: int, filled: int) -> dict[str, Any]:
    common: Mapping[str, Any] = {"numNonMissing": str(filled), "numMissing": str(rows - filled)}
    one = {"minNumValues": "1", "maxNumValues": "1", "avgNumValues": 1.0} if filled else {}
    return {**common, **one, "totNumValues": str(filled)}


def _text(table: Table, column: Column, ranks: int) -> dict[str, Any]:
    text = f"CAST({quote_name(column.name)} AS VARCHAR)"
    groups = f"g AS MATERIALIZED (SELECT {text} AS t, count(*) AS n FROM {table.relation} GROUP BY ALL)"
    filled = "FILTER (t IS NOT NULL)"
    rows, different, length, listed = table.first_of(
        groups,
        [
            f"coalesce(sum(n) {filled}, 0)",
            "count(t)",
            f"sum(length(t) * n) {filled} / sum(n) {filled}",
            f"max({{'n': n, 't': t}}, {ranks}) {filled}",
        ],
    )
    pairs = sorted(((one["t"], int(one["n"])) for one in listed or ()), key=lambda pair: (-pair[1], pair[0]))
    buckets = [
        {"lowRank": str(at), "highRank": str(at), "label": value, "sampleCount": float(count)}
        for at, (value, count) in enumerate(pairs)
    ]
    stats = {
        "commonStats": _common(table.rows, int(rows)),
        "unique": str(int(different)),
        "topValues": [{"value": value, "frequency": float(count)} for value, count in pairs[:10]],
        "avgLength": float(length or 0.0),
        "rankHistogram": {"buckets": buckets},
    }
    return {"path": {"step": [column.name]}, "type": "STRING", "stringStats": stats}
