"""Distributions of columns: learnt from a reference, and counted in the same bins on other rows.

Numbers are counted between quantiles of the reference. Windows of 100 rows that are shifted by 0.3 deviations (of the
logarithm, for a lognormal) are found at a p-value of 0.01 by chi-squared, Kolmogorov-Smirnov and the area between the
distribution functions: of a normal 22, 45 and 69 % with quantiles, 33, 47 and 73 % with equal widths; of a lognormal
25, 47 and 58 % with quantiles, 25, 15 and 24 % with equal widths, which put nearly all its rows into one bin. The edges
come from a sample; the counts are of all rows, so that a poor sample makes uneven bins and nothing worse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tidemill.analysis.distribution_sql import (
    TOP,
    Counted,
    as_number,
    count_numbers,
    count_texts,
    ends,
    in_parts,
    top_texts,
)
from tidemill.analysis.table import Column, Table, draw_sample
from tidemill.core.distribution import Distribution, DistributionKind
from tidemill.core.names import name_key

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BINS = 20
SAMPLE_ROWS = 25_000
MOST_VALUES = 1_000  # a text with more different values keeps the most frequent ones only
LEAST_SHARE = 0.001  # of the rows, for one of the most frequent
LONGEST = 200  # characters of a text that is counted by value
KINDS: Mapping[str, DistributionKind] = {
    "number": "number",
    "date": "time",
    "time": "time",
    "text": "text",
    "bool": "text",
}


def learn_distributions(
    table: Table, columns: Sequence[str] | None = None, *, bins: int = BINS, most_values: int = MOST_VALUES
) -> dict[str, Distribution]:
    """How the values of each column are distributed: the shape that later rows are counted in, and the counts.

    Parameters
    ----------
    columns
        Only these; else all columns of numbers, times, texts and booleans. Columns of other types are left out.
    bins
        About so many bins a number or time; those with fewer different values have one bin for each.
    most_values
        A text with more different values keeps the most frequent ones, and is not complete.
    """
    wanted = [
        column for column in table.columns if column.kind in KINDS and (columns is None or column.name in columns)
    ]
    sample = draw_sample(table, wanted, rows=SAMPLE_ROWS)
    numbers = [column for column in wanted if KINDS[column.kind] != "text"]
    texts = [column for column in wanted if KINDS[column.kind] == "text"]
    limits = ends(table, numbers)
    kept = _values(table, sample.relation, numbers)
    edges = {name: bin_edges(values, *limits[name], bins=bins) for name, values in kept.items()}
    counted = count_numbers(table, numbers, edges, limits)
    found = {
        column.name: _of_numbers(
            column,
            edges[column.name],
            counted[column.name],
            deviation_of(kept[column.name], edges[column.name], counted[column.name].counts),
        )
        for column in numbers
    }
    many = {} if sample.whole else _many(table, sample.relation, texts, most_values)
    found |= top_texts(table, [column for column in texts if column.name not in many], most=most_values)
    listed = {
        name: Distribution(column=name, kind="text", counts=(0,) * len(values), values=values, complete=False)
        for name, values in many.items()
    }
    found |= count_texts(table, [column for column in texts if column.name in many], listed)
    return {column.name: without_rare(found[column.name]) for column in wanted}


def count_like(table: Table, references: Mapping[str, Distribution]) -> dict[str, Distribution]:
    """Count the rows of a table in the bins of a reference.

    Columns that the table lacks, or has as another kind of values, are left out. Names are the same in any case of
    letters.

    Parameters
    ----------
    references
        Distributions by column.
    """
    known = {name_key(column.name): column for column in table.columns}
    wanted = [
        replace(known[name_key(name)], name=name)
        for name, reference in references.items()
        if name_key(name) in known and KINDS.get(known[name_key(name)].kind) == reference.kind
    ]
    numbers = [column for column in wanted if KINDS[column.kind] != "text"]
    edges = {column.name: references[column.name].edges for column in numbers}
    limits = ends(table, numbers)
    counted = count_numbers(table, numbers, edges, limits)
    found = {column.name: _of_numbers(column, edges[column.name], counted[column.name], None) for column in numbers}
    found |= count_texts(table, [column for column in wanted if KINDS[column.kind] == "text"], references)
    return {column.name: found[column.name] for column in wanted}


def bin_edges(values: Array, low: float | None, high: float | None, *, bins: int = BINS) -> tuple[float, ...]:
    """Edges of about so many bins with as many values each; a value of its own bin where many rows have it.

    What lies below the lowest or above the highest value has a bin too, which the reference leaves empty.

    Parameters
    ----------
    values
        Finite values of the column, all or a sample.
    low, high
        The column's least and greatest value.
    """
    import numpy as np

    if low is None or high is None:
        return ()
    different = np.unique(values)
    if different.size <= bins:
        inner = different
    else:
        inner = np.quantile(values, np.arange(1, bins) / bins, method="lower")
        spikes = np.unique(inner[1:][np.diff(inner) == 0])
        before = [math.nextafter(spike, -math.inf) for spike in spikes.tolist()]
        inner = np.unique(np.concatenate([inner, before]))
    around = [math.nextafter(low, -math.inf), high]
    edges = np.unique(np.concatenate([inner, around]))
    return tuple(edges[np.isfinite(edges)].tolist())


def _of_numbers(column: Column, edges: tuple[float, ...], counted: Counted, deviation: float | None) -> Distribution:
    return Distribution(
        column=column.name,
        kind=KINDS[column.kind],
        counts=counted.counts,
        edges=edges,
        nulls=counted.nulls,
        not_finite=counted.not_finite,
        mean=counted.mean,
        deviation=deviation,
        low=counted.low,
        high=counted.high,
    )


def _values(table: Table, relation: str, columns: Sequence[Column]) -> dict[str, Array]:
    """The finite values of each column in the sample."""
    import numpy as np

    found = {}
    for part in in_parts(columns):
        asked = ", ".join(f"{as_number(column)} AS x{number}" for number, column in enumerate(part))
        for column, kept in zip(part, table.read(f"SELECT {asked} FROM {relation}").columns, strict=True):
            values = kept.to_numpy()  # NULL becomes NaN
            found[column.name] = values[np.isfinite(values)]
    return found


def deviation_of(values: Array, edges: Sequence[float], counts: Sequence[int]) -> float | None:
    """The deviation of all rows: how many stand in each bin is known, and how they are spread there is the sample's.

    In a table that is ordered by time, the deviation of the sample itself was 10 % off.
    """
    import numpy as np

    if not values.size or sum(counts) < 2:
        return None
    centre, scale = float(np.median(values)), float(np.abs(values).max()) or 1.0  # values may be as large as numbers go
    scaled = values / scale - centre / scale
    places = np.searchsorted(edges, values)
    seen, first, second = (
        np.bincount(places, weights=weights, minlength=len(counts)) for weights in (None, scaled, scaled * scaled)
    )
    weights = np.asarray(counts) * (seen > 0) / np.maximum(seen, 1)
    rows = float((weights * seen).sum())
    mean = float((weights * first).sum()) / rows
    square = float((weights * second).sum()) / rows
    return math.sqrt(max(0.0, square - mean * mean) * rows / max(1.0, rows - 1)) * scale


def _many(table: Table, relation: str, columns: Sequence[Column], most: int) -> dict[str, tuple[str, ...]]:
    """Texts that have too many different values in the sample already, with their most frequent ones there.

    To group ten million keys costs more than everything else together.
    """
    if not columns:
        return {}
    asked = [f"count(DISTINCT {column.sql})" for column in columns]
    counts = table.first(asked, relation)
    crowded = [column for column, count in zip(columns, counts, strict=True) if count > most]
    sampled = top_texts(replace(table, relation=relation, relations={}), crowded, most=TOP)
    return {name: one.values for name, one in sampled.items()}


def without_rare(found: Distribution) -> Distribution:
    """Without the values that are no categories: rare ones of very many, and long texts."""
    if found.kind != "text":
        return found
    least = 0 if found.complete else max(2, LEAST_SHARE * found.filled)
    pairs = list(zip(found.values, found.counts, strict=True))
    kept = [(value, count) for value, count in pairs if count >= least and len(value) <= LONGEST]
    left = sum(found.counts) - sum(count for _, count in kept)
    return replace(
        found,
        values=tuple(value for value, _ in kept),
        counts=tuple(count for _, count in kept),
        other=found.other + left,
        complete=found.complete and len(kept) == len(pairs),
    )


def outer(found: Distribution) -> list[tuple[float, float]]:
    """The ends of each bin of a number or time; the outermost reach to the least and greatest value."""
    low = min(found.edges[0], found.low if found.low is not None else found.edges[0])
    high = max(found.edges[-1], found.high if found.high is not None else found.edges[-1])
    return list(pairwise([low, *found.edges, high]))
