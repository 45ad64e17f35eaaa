"""What is said of columns of numbers: of few different values exactly, of many from counts between edges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.analysis.arrays import different, quantiles
from tidemill.analysis.bins import count_bins
from tidemill.analysis.profile import few, numbers
from tidemill.analysis.profile.draft import Draft
from tidemill.analysis.profile.personal import PERSONAL, passes_luhn
from tidemill.analysis.profile.result import Suspect, Value
from tidemill.analysis.profile.statistics import QUANTILES
from tidemill.analysis.table import Sample, Table
from tidemill.core.names import quote_name

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TOP = 10
FEW_IN_SAMPLE = 1000
CARD = 10**12  # whole numbers from here on may be numbers of cards


def read_numbers(table: Table, sample: Sample, drafts: Sequence[Draft]) -> tuple[dict[str, Array], Array | None]:
    """Facts of the columns of numbers; their values in the sample, and their correlations in all rows."""
    import numpy as np

    drafts = [draft for draft in drafts if draft.filled]
    columns = [draft.column for draft in drafts]
    arrays = numbers.read_sample(table, sample, columns)
    moments, square = numbers.count_moments(table, columns, [arrays[column.name] for column in columns])
    many: dict[str, tuple[Draft, list[float], list[float]]] = {}
    for draft, moment in zip(drafts, moments, strict=True):
        if (
            moment.count + draft.facts.get("infinite", 0) + draft.facts.get("nan", 0)
            < table.rows - draft.facts["nulls"]
        ):
            draft.look_for_finite(table, always=True)  # statistics of Parquet files know of no NaN
        draft.facts |= {"mean": moment.mean, "sd": moment.sd, "skew": moment.skew, "kurtosis": moment.kurtosis}
        values = arrays[draft.column.name]
        kept = np.sort(values[~np.isnan(values)])
        bars, edges = numbers.edges_of(draft.column, kept, float(draft.facts["min"]), float(draft.facts["max"]))
        found, counts = different(kept)
        if found.size <= FEW_IN_SAMPLE and (each := few.count_each(table, draft.column)) is not None:
            _few_numbers(draft, each, bars, edges)
        elif kept.size:
            _top_numbers(draft, found, counts, whole=sample.whole)
            if sample.whole:
                draft.facts["quantiles"] = _named(quantiles(kept, QUANTILES))
            many[draft.column.name] = draft, bars, edges
    for name, bins in count_bins(table, {name: edges for name, (_, _, edges) in many.items()}).items():
        draft, bars, _ = many[name]
        low, high = float(draft.facts["min"]), float(draft.facts["max"])
        draft.facts |= {**numbers.signs_of(bins), "histogram": numbers.histogram_of(bins, bars, low)}
        if not sample.whole:
            shown = [bins.quantile(share, low=low, high=high) for share in QUANTILES]
            draft.facts["quantiles"] = _named([round(value) for value in shown] if draft.column.is_whole else shown)
            draft.approximate.add("quantiles")
    return arrays, square


def _few_numbers(draft: Draft, each: Sequence[Value], bars: list[float], edges: list[float]) -> None:
    import numpy as np

    values = np.array([float(value.value) for value in each])
    counts = np.array([value.rows for value in each], dtype="int64")
    draft.facts["distinct"] = len(each) + bool(draft.facts.get("nan")) + bool(draft.facts.get("infinite"))
    draft.approximate.discard("distinct")
    draft.facts["top"] = tuple(each[:TOP])
    draft.facts["at_ends"] = (int(counts[values.argmin()]), int(counts[values.argmax()]))
    draft.facts["quantiles"] = _named(few.quantiles(values, counts, QUANTILES))
    bins = few.bins_of(values, counts, edges)
    low = float(draft.facts["min"])
    draft.facts |= {**numbers.signs_of(bins), "histogram": numbers.histogram_of(bins, bars, low)}


def _top_numbers(draft: Draft, values: Array, counts: Array, *, whole: bool) -> None:
    import numpy as np

    order = np.lexsort((values, -counts))[:TOP]
    as_whole = draft.column.is_whole
    draft.facts["top"] = tuple(
        Value(value=int(values[at]) if as_whole else float(values[at]), rows=int(counts[at])) for at in order
    )
    ends = float(draft.facts["min"]), float(draft.facts["max"])
    draft.facts["at_ends"] = tuple(int(counts[values == end].sum()) for end in ends)
    if not whole:
        draft.sampled.add("top")
        draft.facts["rows_seen"] = int(counts.sum())
    elif not draft.facts.get("nan") and not draft.facts.get("infinite") and abs(values).max() < 2**53:
        draft.facts["distinct"] = int(values.size)
        draft.approximate.discard("distinct")


def _named(values: Iterable[float]) -> dict[str, float]:
    return {f"{share:g}": float(value) for share, value in zip(QUANTILES, values, strict=True)}


def suspect_cards(table: Table, sample: Sample, draft: Draft) -> None:
    """Numbers of payment cards that are stored as whole numbers."""
    low, high = draft.facts.get("min"), draft.facts.get("max")
    if not draft.column.is_whole or not isinstance(low, int) or not isinstance(high, int) or not CARD <= high < 10**19:
        return
    card = next(kind for kind in PERSONAL if kind.check is passes_luhn)
    name = quote_name(draft.column.name)
    sql = f"SELECT DISTINCT CAST({name} AS VARCHAR) FROM {sample.relation} WHERE {name} > {CARD} LIMIT 300"
    texts = [str(text) for (text,) in table.rows_of(sql)]
    passing = sum(map(passes_luhn, texts)) / len(texts) if texts else 0.0
    if passing >= 0.5:
        draft.facts["personal"] = (Suspect(kind=card.name, share=passing),)
