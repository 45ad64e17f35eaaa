"""Distributions of values that are in memory already: the same bins and counts as the engine would make of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.analysis.distributions import MOST_VALUES, bin_edges, deviation_of, without_rare
from tidemill.core.distribution import Distribution, DistributionKind

if TYPE_CHECKING:
    import pyarrow as pa

_INFINITE_US = 2**63 - 2  # how the engine hands over an infinite time, give or take one and the sign
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def distribution_of(name: str, values: pa.Array | pa.ChunkedArray) -> Distribution | None:
    """The distribution of an Arrow column; None when its type has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    t, type_ = pa.types, values.type
    if t.is_dictionary(type_):
        values, type_ = values.cast(type_.value_type), type_.value_type
    nulls, filled = values.null_count, values.drop_null()
    if t.is_boolean(type_) or t.is_string(type_) or t.is_large_string(type_):
        counted = pc.value_counts(filled.cast(pa.string()))
        texts, rows = (counted.field(part).to_pylist() for part in ("values", "counts"))
        return distribution_of_texts(name, dict(zip(texts, rows, strict=True)), nulls=nulls)
    if t.is_integer(type_) or t.is_floating(type_) or t.is_decimal(type_):
        return distribution_of_numbers(name, _doubles(filled), nulls=nulls)
    if t.is_date(type_) or t.is_timestamp(type_):
        return distribution_of_numbers(name, _seconds(filled), nulls=nulls, kind="time")
    return None


def distribution_of_numbers(
    name: str, values: np.ndarray[Any, Any], *, nulls: int = 0, kind: DistributionKind = "number"
) -> Distribution:
    """The distribution of numbers, or of seconds since 1970.

    Parameters
    ----------
    values
        Those that are not NULL; any that are not finite are counted apart.
    """
    finite = np.sort(values[np.isfinite(values)])
    low, high = (float(finite[0]), float(finite[-1])) if finite.size else (None, None)
    edges = bin_edges(finite, low, high)
    ends = np.searchsorted(finite, edges, side="right")
    counts = np.diff(ends, prepend=0, append=finite.size)
    return Distribution(
        column=name,
        kind=kind,
        counts=tuple(counts.tolist()),
        edges=edges,
        nulls=nulls,
        not_finite=int(values.size - finite.size),
        mean=_mean(finite),
        deviation=deviation_of(finite, edges, counts.tolist()),
        low=low,
        high=high,
    )


def distribution_of_texts(
    name: str, counts: Mapping[str, int], *, nulls: int = 0, most_values: int = MOST_VALUES
) -> Distribution:
    """The distribution of texts from the rows of each."""
    pairs = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    kept = pairs[:most_values]
    return without_rare(
        Distribution(
            column=name,
            kind="text",
            counts=tuple(rows for _, rows in kept),
            values=tuple(text for text, _ in kept),
            other=sum(rows for _, rows in pairs[most_values:]),
            complete=len(pairs) <= most_values,
            nulls=nulls,
        )
    )


def _mean(values: np.ndarray[Any, Any]) -> float | None:
    if not values.size:
        return None
    with np.errstate(over="ignore"):
        mean = float(values.mean())
    return mean if np.isfinite(mean) else float((values / values.size).sum())


def _doubles(values: pa.Array | pa.ChunkedArray) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    if pa.types.is_decimal(values.type):  # read from the text: Arrow's own cast is off by a digit (96.10000000000001)
        values = values.cast(pa.string())
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _seconds(values: pa.Array | pa.ChunkedArray) -> np.ndarray[Any, Any]:
    import pyarrow as pa

    if pa.types.is_date(values.type):
        days = values.cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.float64)
        return np.where(np.abs(days) >= 2**31 - 2, np.inf, days * 86_400)
    whole = np.asarray(values.cast(pa.int64()).to_numpy())
    seconds = whole / _PER_SECOND[values.type.unit]
    return np.where(np.abs(whole) >= _INFINITE_US, np.inf, seconds)
