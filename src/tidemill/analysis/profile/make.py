"""Makes a profile: a scan for what aggregates say, a pass for moments, one for counts, then groups and the sample.

Measured on 10 M rows x 20 columns (docs/performance.md): most of the time goes to reading Parquet, so each part reads
only its own columns, and quantiles come out of the counts of the histograms (the engine's quantile sketch alone took a
quarter of a hand-written profile).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidemill.analysis.bins import count_bins
from tidemill.analysis.profile import few, numbers
from tidemill.analysis.profile.associations import MOST_COLUMNS, Sides, associate, read_categories
from tidemill.analysis.profile.hide import hidden
from tidemill.analysis.profile.keys import count_duplicates, find_keys
from tidemill.analysis.profile.label import find_label, label_leaks
from tidemill.analysis.profile.notices import count_of, look_at
from tidemill.analysis.profile.personal import PERSONAL, passes_luhn
from tidemill.analysis.profile.result import Association, ColumnProfile, Leak, Notice, Profile, Suspect, Value
from tidemill.analysis.profile.statistics import QUANTILES, exact, finite_facts, is_finite, scan
from tidemill.analysis.profile.texts import TOP, read_texts
from tidemill.analysis.profile.times import read_times
from tidemill.analysis.table import Column, Sample, Table, draw_sample
from tidemill.core.names import quote_name

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_DETAILED = 500  # columns beyond it get the facts of the scan only
FEW_IN_SAMPLE = 1000
CARD = 10**12  # whole numbers from here on may be numbers of cards
SAME = 0.999

Listener = Callable[[str], None]


@dataclass(slots=True)
class _Draft:
    """Facts of one column while they come together."""

    column: Column
    facts: dict[str, Any]
    sampled: set[str] = field(default_factory=set)
    approximate: set[str] = field(default_factory=set)

    def look_for_finite(self, table: Table, *, always: bool = False) -> None:
        """See to it that the smallest and the largest value are finite."""
        if self.column.kind not in ("number", "date", "time"):
            return
        ends = [self.facts["min"], self.facts["max"]]
        self.facts |= {"nan": 0, "infinite": 0}
        if always or not all(map(is_finite, ends)):
            self.facts |= finite_facts(table, self.column)
        if not self.column.is_float:
            del self.facts["nan"]
            if self.column.kind == "number":
                del self.facts["infinite"]

    @property
    def filled(self) -> bool:
        """Whether there is a finite value to look at."""
        return self.facts.get("min") is not None


def make_profile(
    table: Table,
    *,
    name: str,
    now: datetime,
    label: str = "",
    notes: Sequence[str] = (),
    listen: Listener = lambda _: None,
) -> Profile:
    """Look at all rows of a table, and say what its columns hold.

    Parameters
    ----------
    name
        What the table is called in the profile.
    now
        What is later lies in the future.
    label
        A column that is to be predicted: columns that give it away are named.
    listen
        Told what is being done.

    Raises
    ------
    BindError
        There is no column of the label's name.
    LabelError
        The label is not a column that can be predicted.
    """
    target = find_label(table, label) if label else None
    listen(f"counting {table.rows:,} rows")
    drafts = [
        _Draft(column=column, facts=facts, approximate={"distinct"} if "distinct" in facts else set())
        for column, facts in zip(table.columns, scan(table), strict=True)
    ]
    for draft in drafts:
        draft.look_for_finite(table)
    listen("drawing a sample")
    sample = draw_sample(table)
    detailed = drafts[:MOST_DETAILED]
    listen("counting numbers")
    arrays, square = _numbers(table, sample, [draft for draft in detailed if draft.column.kind == "number"])
    listen("counting texts and times")
    for draft in detailed:
        _details(table, sample, draft, now)
    columns = [_finish(draft, table.rows) for draft in drafts]
    listen("looking for keys and relations")
    keys, counts = find_keys(table, sample, columns[:MOST_DETAILED])
    columns = [_with_distinct(column, counts.get(column.name)) for column in columns]
    pairs = _associations(table, sample, columns[:MOST_DETAILED], arrays, square)
    leaks = label_leaks(table, sample, target, columns) if target else ()
    duplicates = count_duplicates(table, keyed=bool(keys))
    notices = [*_of_table(table, duplicates, pairs, leaks), *(one for column in columns for one in look_at(column))]
    return Profile(
        name=name,
        rows=table.rows,
        columns=tuple(hidden(column) for column in columns),
        sample=sample.says,
        sample_rows=sample.rows,
        duplicates=duplicates,
        keys=keys,
        associations=tuple(pairs),
        label=target.name if target else "",
        leaks=leaks,
        notices=tuple(notices),
        notes=(*notes, *_limits(table, columns)),
    )


def _numbers(table: Table, sample: Sample, drafts: Sequence[_Draft]) -> tuple[dict[str, Array], Array | None]:
    """Facts of the columns of numbers; their values in the sample, and their correlations in all rows."""
    import numpy as np

    drafts = [draft for draft in drafts if draft.filled]
    columns = [draft.column for draft in drafts]
    arrays = numbers.read_sample(table, sample, columns)
    moments, square = numbers.count_moments(table, columns, [arrays[column.name] for column in columns])
    many: dict[str, tuple[_Draft, list[float], list[float]]] = {}
    for draft, moment in zip(drafts, moments, strict=True):
        if (
            moment.count + draft.facts.get("infinite", 0) + draft.facts.get("nan", 0)
            < table.rows - draft.facts["nulls"]
        ):
            draft.look_for_finite(table, always=True)  # statistics of Parquet files know of no NaN
        draft.facts |= {"mean": moment.mean, "sd": moment.sd, "skew": moment.skew, "kurtosis": moment.kurtosis}
        values = arrays[draft.column.name]
        kept = values[~np.isnan(values)]
        bars, edges = numbers.edges_of(draft.column, values, float(draft.facts["min"]), float(draft.facts["max"]))
        different, counts = np.unique(kept, return_counts=True)
        if different.size <= FEW_IN_SAMPLE and (each := few.count_each(table, draft.column)) is not None:
            _few_numbers(draft, each, bars, edges)
        elif kept.size:
            _top_numbers(draft, different, counts, whole=sample.whole)
            many[draft.column.name] = draft, bars, edges
    for name, bins in count_bins(table, {name: edges for name, (_, _, edges) in many.items()}).items():
        draft, bars, _ = many[name]
        low, high = float(draft.facts["min"]), float(draft.facts["max"])
        draft.facts |= {**numbers.signs_of(bins), "histogram": numbers.histogram_of(bins, bars, low)}
        if sample.whole:
            kept = arrays[name][~np.isnan(arrays[name])]
            found = [float(value) for value in np.quantile(kept, QUANTILES)]
        else:
            found = [bins.quantile(share, low=low, high=high) for share in QUANTILES]
            found = [float(round(value)) for value in found] if draft.column.is_whole else found
            draft.approximate.add("quantiles")
        draft.facts["quantiles"] = _named(found)
    return arrays, square


def _few_numbers(draft: _Draft, each: Sequence[Value], bars: list[float], edges: list[float]) -> None:
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


def _top_numbers(draft: _Draft, different: Array, counts: Array, *, whole: bool) -> None:
    import numpy as np

    order = np.lexsort((different, -counts))[:TOP]
    as_whole = draft.column.is_whole
    draft.facts["top"] = tuple(
        Value(value=int(different[at]) if as_whole else float(different[at]), rows=int(counts[at])) for at in order
    )
    ends = float(draft.facts["min"]), float(draft.facts["max"])
    draft.facts["at_ends"] = tuple(int(counts[different == end].sum()) for end in ends)
    if not whole:
        draft.sampled.add("top")
        draft.facts["rows_seen"] = int(counts.sum())
    elif not draft.facts.get("nan") and not draft.facts.get("infinite") and abs(different).max() < 2**53:
        draft.facts["distinct"] = int(different.size)
        draft.approximate.discard("distinct")


def _named(values: Sequence[float]) -> dict[str, float]:
    return {f"{share:g}": value for share, value in zip(QUANTILES, values, strict=True)}


def _details(table: Table, sample: Sample, draft: _Draft, now: datetime) -> None:
    """What is found out column by column."""
    column, facts = draft.column, draft.facts
    if facts["nulls"] == table.rows:
        facts["distinct"] = 0
        draft.approximate.discard("distinct")
        return
    if column.kind == "text":
        found = read_texts(table, sample, column, distinct=int(facts["distinct"]))
        facts |= found.facts
        if found.sampled:
            draft.sampled |= found.facts.keys()
        else:
            draft.approximate.discard("distinct")
        return
    if column.kind == "number":
        _card_numbers(table, sample, draft)
        return
    if column.kind in ("date", "time"):
        facts |= read_times(table, sample, column, now=now) or {}
        if not sample.whole:
            draft.sampled.add("granularity")
    if column.kind == "bool":
        true, filled = int(facts["true"]), table.rows - int(facts["nulls"])
        both = (Value(value=True, rows=true), Value(value=False, rows=filled - true))
        facts["top"] = tuple(sorted((value for value in both if value.rows), key=lambda value: -value.rows))
        return
    _top_texts(table, sample, draft)


def _top_texts(table: Table, sample: Sample, draft: _Draft) -> None:
    """The most frequent values of a column that is neither number nor text, as texts."""
    text = f"left(CAST({quote_name(draft.column.name)} AS VARCHAR), 200)"
    found = table.rows_of(
        f"SELECT {text} AS v, count(*) AS n, count(*) OVER () AS d, sum(count(*)) OVER () AS t FROM {sample.relation}"
        f" WHERE {quote_name(draft.column.name)} IS NOT NULL GROUP BY {quote_name(draft.column.name)}"
        f" ORDER BY n DESC, v LIMIT {TOP}"
    )
    draft.facts["top"] = tuple(Value(value=value, rows=int(rows)) for value, rows, *_ in found)
    if not sample.whole:
        draft.sampled.add("top")
        draft.facts["rows_seen"] = int(found[0][3]) if found else 0
    elif "distinct" in draft.facts:
        draft.facts["distinct"] = int(found[0][2]) if found else 0
        draft.approximate.discard("distinct")


def _card_numbers(table: Table, sample: Sample, draft: _Draft) -> None:
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


def _finish(draft: _Draft, rows: int) -> ColumnProfile:
    if "distinct" in draft.facts:  # an estimate may say more than there are rows
        draft.facts["distinct"] = min(int(draft.facts["distinct"]), rows - int(draft.facts["nulls"]))
    return ColumnProfile(
        name=draft.column.name,
        type=draft.column.type,
        kind=draft.column.kind,
        rows=rows,
        facts={name: exact(value) for name, value in draft.facts.items()},
        sampled=frozenset(draft.sampled - draft.approximate),
        approximate=frozenset(draft.approximate),
    )


def _with_distinct(column: ColumnProfile, count: int | None) -> ColumnProfile:
    """A column whose distinct values were counted exactly after all."""
    if count is None:
        return column
    return replace(column, facts={**column.facts, "distinct": count}, approximate=column.approximate - {"distinct"})


def _associations(
    table: Table, sample: Sample, columns: Sequence[ColumnProfile], arrays: dict[str, Array], square: Array | None
) -> list[Association]:
    kept = [column for column in columns if column.kind in ("text", "bool", "number") and column.distinct != 1]
    listed = {column.name for column in kept[:MOST_COLUMNS]}
    if square is not None and not arrays.keys() <= listed:
        places = [at for at, name in enumerate(arrays) if name in listed]
        square = square[:, places][:, :, places]
    categories = read_categories(
        table, sample, [column.name for column in kept[:MOST_COLUMNS] if column.kind in ("text", "bool")]
    )
    sides = Sides(
        numbers={name: values for name, values in arrays.items() if name in listed},
        categories=categories,
        square=square,
    )
    return associate(sides, whole=sample.whole)


def _of_table(
    table: Table, duplicates: int | None, pairs: Sequence[Association], leaks: Sequence[Leak]
) -> list[Notice]:
    found = []
    if not table.rows:
        found.append(Notice(name="empty", text="the table has no rows"))
    if duplicates:
        repeat = "repeats another one" if duplicates == 1 else "repeat another one"
        found.append(Notice(name="duplicates", text=f"{count_of(duplicates, 'row')} {repeat}"))
    found += [
        Notice(name="leak", column=name, text=f"gives the label away: {leak.why}")
        for leak in leaks
        for name in leak.columns
    ]
    seen: set[tuple[str, str]] = set()
    for pair in pairs:
        if pair.measure != "correlation_ratio" and abs(pair.value) >= SAME and (pair.left, pair.right) not in seen:
            seen.add((pair.left, pair.right))
            text = f"tells the same as {pair.right}: {pair.measure} {pair.value:.3f}"
            found.append(Notice(name="same", column=pair.left, text=text))
    return found


def _limits(table: Table, columns: Sequence[ColumnProfile]) -> list[str]:
    found = []
    if len(table.columns) > MOST_DETAILED:
        found.append(
            f"of {len(table.columns):,} columns the first {MOST_DETAILED} are looked at closely; of the others only "
            "nulls, distinct, smallest and largest are counted"
        )
    able = sum(column.kind in ("text", "bool", "number") for column in columns)
    if able > MOST_COLUMNS:
        found.append(f"relations are computed between the first {MOST_COLUMNS} columns of numbers and categories")
    return found
