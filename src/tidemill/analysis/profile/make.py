"""Makes a profile: a scan for what aggregates say, a pass for moments, one for counts, then groups and the sample.

Measured on 10 M rows x 20 columns (docs/performance.md): most of the time goes to reading Parquet, so each part reads
only its own columns, and quantiles come out of the counts of the histograms (the engine's quantile sketch alone took a
quarter of a hand-written profile).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tidemill.analysis.profile.associations import MOST_COLUMNS, Sides, associate, read_categories
from tidemill.analysis.profile.draft import Draft
from tidemill.analysis.profile.hide import hidden
from tidemill.analysis.profile.keys import count_duplicates, find_keys
from tidemill.analysis.profile.label import find_label, label_leaks
from tidemill.analysis.profile.notices import look_at
from tidemill.analysis.profile.number_facts import read_numbers, suspect_cards
from tidemill.analysis.profile.result import Association, ColumnProfile, Leak, Notice, Profile, Value
from tidemill.analysis.profile.statistics import exact, scan
from tidemill.analysis.profile.texts import TOP, read_texts
from tidemill.analysis.profile.times import read_times
from tidemill.analysis.profile.words import MEASURE_WORDS
from tidemill.analysis.table import Sample, Table, draw_sample
from tidemill.core.columns import ColumnNote
from tidemill.core.names import name_key, quote_name
from tidemill.core.words import count

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_DETAILED = 500  # columns beyond it get the facts of the scan only
SAME = 0.999
NOTHING: Mapping[str, ColumnNote] = MappingProxyType({})

Listener = Callable[[str], None]


def make_profile(
    table: Table,
    *,
    name: str,
    now: datetime,
    label: str = "",
    notes: Sequence[str] = (),
    declared: Mapping[str, ColumnNote] = NOTHING,
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
    declared
        What is said of columns, by their keys.
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
    listen("drawing a sample")
    sample = draw_sample(table)
    listen(f"counting {table.rows:,} rows")
    # Where all rows are looked at, different values are counted on the way: an estimate would cost as much again.
    drafts = [
        Draft(column=column, facts=facts, approximate={"distinct"} if "distinct" in facts else set())
        for column, facts in zip(table.columns, scan(table, distinct=not sample.whole), strict=True)
    ]
    for draft in drafts:
        draft.look_for_finite(table)
    detailed = drafts[:MOST_DETAILED]
    listen("counting numbers")
    arrays, square = read_numbers(table, sample, [draft for draft in detailed if draft.column.kind == "number"])
    listen("counting texts and times")
    for draft in detailed:
        _details(table, sample, draft, now)
    for draft in drafts:
        draft.count_distinct(table)
    columns = [_declared(_finish(draft, table.rows), declared) for draft in drafts]
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


def _details(table: Table, sample: Sample, draft: Draft, now: datetime) -> None:
    """What is found out column by column."""
    column, facts = draft.column, draft.facts
    if facts["nulls"] == table.rows:
        facts["distinct"] = 0
        draft.approximate.discard("distinct")
        return
    if column.kind == "text":
        found = read_texts(table, sample, column, distinct=int(facts.get("distinct", 0)))
        facts |= found.facts
        if found.sampled:
            draft.sampled |= found.facts.keys()
        else:
            draft.approximate.discard("distinct")
        return
    if column.kind == "number":
        suspect_cards(table, sample, draft)
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


def _top_texts(table: Table, sample: Sample, draft: Draft) -> None:
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
    else:
        draft.facts["distinct"] = int(found[0][2]) if found else 0


def _finish(draft: Draft, rows: int) -> ColumnProfile:
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


def _declared(column: ColumnProfile, notes: Mapping[str, ColumnNote]) -> ColumnProfile:
    note = notes.get(name_key(column.name))
    if note is None:
        return column
    said = note.said
    return replace(column, declared=str(said.get("pii", "")), description=str(said.get("description", "")))


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
        found.append(Notice(name="duplicates", text=f"{count(duplicates, 'row')} {repeat}"))
    found += [
        Notice(name="leak", column=name, text=f"gives the label away: {leak.why}")
        for leak in leaks
        for name in leak.columns
    ]
    seen: set[tuple[str, str]] = set()
    for pair in pairs:
        if pair.measure != "correlation_ratio" and abs(pair.value) >= SAME and (pair.left, pair.right) not in seen:
            seen.add((pair.left, pair.right))
            text = f"tells the same as {pair.right}: {MEASURE_WORDS[pair.measure]} {pair.value:.3f}"
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
