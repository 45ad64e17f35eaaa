"""Columns of texts: read from each different text with its rows, so that a long table costs one count of its groups.

Of texts with very many different values the groups come from the sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidemill.analysis.profile.personal import LEAST_CHECKED, PERSONAL, share_passing
from tidemill.analysis.profile.result import Suspect, Value
from tidemill.analysis.table import Column, Sample, Table
from tidemill.core.names import quote_text
from tidemill.sources.sniff import DATE_FORMATS
from tidemill.sources.spellings import MISSING_NUMBER

MOST_GROUPS = 50_000  # different texts counted in all rows of a table that is larger than its sample
TOP = 10
SHOWN = 200  # characters of a text that are kept
SHAPES = 8
SHAPED = 60  # characters of a text that make its shape
COVERED = 0.5  # shapes are told when the first ones are of so many rows
# Any sign beyond ASCII may be a letter here: repeats of \pL take RE2 15 ms to compile, for each column.
_MONTH = r"[A-Za-z\x{80}-\x{10FFFF}]{3,9}"
DATE_LIKE = (
    rf"\s*(\d{{1,4}}[-/. ]\d{{1,2}}([-/. ]\d{{1,4}})?|\d{{1,2}}[-/. ]?{_MONTH}[-/. ,]*\d{{2,4}}"
    rf"|{_MONTH} \d{{1,2}},? \d{{2,4}})([ T]\d.*)?\s*"
)
FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", *DATE_FORMATS)
CHECKED = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFacts:
    """Facts of a column by their names, and whether they were read from the sample."""

    facts: dict[str, Any]
    sampled: bool


def read_texts(table: Table, sample: Sample, column: Column, *, distinct: int) -> TextFacts:
    """Everything about a column of texts, from one query."""
    sampled = not sample.whole and distinct > MOST_GROUPS
    groups = _groups(column, sample.relation if sampled else table.relation)
    kinds = [f"sum(n) FILTER (regexp_full_match(v, {quote_text(kind.pattern)}))" for kind in PERSONAL]
    row = table.first_of(
        groups,
        [
            "count(*)", "sum(n)", "min(length(v))", "sum(length(v) * n) / sum(n)", "max(length(v))",
            "sum(n) FILTER (v = '')", "sum(n) FILTER (v <> '' AND trim(v) = '')",
            "sum(n) FILTER (trim(v) <> '' AND v <> trim(v))",
            "sum(n) FILTER (TRY_CAST(trim(v) AS DOUBLE) IS NOT NULL)",
            f"sum(n) FILTER (regexp_full_match(v, {quote_text(DATE_LIKE)}))",
            _TOP, _WORDS,
            _shapes("s"), _shapes(_SHORT),
            _VARIANTS, "count(DISTINCT lower(trim(v)))",
            *kinds,
        ],
    )  # fmt: skip
    (groups_, filled, least, mean, most, empty, blank, padded, numbers, dates, top, words, shapes, short, variants,
     folded, *matching) = row  # fmt: skip
    filled = int(filled or 0)
    facts: dict[str, Any] = {
        "length": {"min": least, "mean": mean, "max": most},
        "empty": int(empty or 0),
        "blank": int(blank or 0),
        "padded": int(padded or 0),
        "numeric": int(numbers or 0),
        "dates": _date_formats(table, groups, filled) if filled and int(dates or 0) >= 0.5 * filled else {},
        "missing_words": _values(words),
        "patterns": _patterns(_values(shapes), _values(short), filled),
        "variants": [[str(value) for value in found] for found in variants or ()] if folded < groups_ else [],
        "personal": _suspects(table, groups, filled, [int(count or 0) for count in matching]),
        "top": _values(top),
    }
    if not sampled:
        facts["distinct"] = int(groups_)
    return TextFacts(facts=facts, sampled=sampled)


def _groups(column: Column, relation: str) -> str:
    """Each different text with its rows, and its shape."""
    shape = f"left(v, {SHAPED})"
    for found, written in (("[0-9]", "9"), (r"\p{Lu}", "A"), (r"[\p{Ll}\p{Lo}]", "a")):
        shape = f"regexp_replace({shape}, '{found}', '{written}', 'g')"
    inner = f"SELECT {column.sql} AS v, count(*) AS n FROM {relation} WHERE {column.sql} IS NOT NULL GROUP BY ALL"
    return f"g AS MATERIALIZED (SELECT v, n, {shape} AS s FROM ({inner}))"


_TOP = (
    f"(SELECT list({{'v': left(v, {SHOWN}), 'n': n}} ORDER BY n DESC, v) FROM (FROM g ORDER BY n DESC, v LIMIT {TOP}))"
)
_LISTED = ", ".join(map(quote_text, MISSING_NUMBER))
_WORDS = f"(SELECT list({{'v': v, 'n': n}} ORDER BY n DESC, v) FROM g WHERE v IN ({_LISTED}))"
_SHORT = "regexp_replace(regexp_replace(regexp_replace(s, 'a{2,}', 'a+', 'g'), 'A{2,}', 'A+', 'g'), '9{2,}', '9+', 'g')"
_VARIANTS = (
    "(SELECT list(vs) FROM (SELECT list(v ORDER BY n DESC, v)[:4] AS vs, sum(n) AS m FROM g"
    " GROUP BY lower(trim(v))"
    " HAVING count(DISTINCT trim(v)) > 1 ORDER BY m DESC, vs LIMIT 5))"
)


def _shapes(shape: str) -> str:
    return (
        f"(SELECT list({{'v': k, 'n': m}} ORDER BY m DESC, k) FROM (SELECT {shape} AS k, sum(n) AS m FROM g"
        f" GROUP BY ALL ORDER BY m DESC, k LIMIT {SHAPES}))"
    )


def _values(found: Any) -> tuple[Value, ...]:
    return tuple(Value(value=item["v"], rows=int(item["n"])) for item in found or ())


def _patterns(shapes: tuple[Value, ...], short: tuple[Value, ...], filled: int) -> tuple[Value, ...]:
    """The shapes as they are when few say it all, with repeats folded when that says more; else none."""
    for found, enough in ((shapes, 0.9), (short, COVERED), (shapes, COVERED)):
        if filled and sum(value.rows for value in found) >= enough * filled:
            return tuple(value for value in found if value.rows >= 0.001 * filled)
    return ()


def _date_formats(table: Table, groups: str, filled: int) -> dict[str, int]:
    """Rows by the date format they fit; a format counts when no earlier one fits the same rows as well."""
    items = [f"sum(n) FILTER (try_strptime(trim(v), {quote_text(form)}) IS NOT NULL)" for form in FORMATS]
    counts = [int(count or 0) for count in table.first_of(groups, items)]
    found = {form: count for form, count in zip(FORMATS, counts, strict=True) if count}
    whole = [form for form, count in found.items() if count == filled]
    return {form: found[form] for form in whole[:2]} if whole else found


def _suspects(table: Table, groups: str, filled: int, matching: list[int]) -> tuple[Suspect, ...]:
    found = []
    for kind, count in zip(PERSONAL, matching, strict=True):
        if not filled or count < kind.least * filled:
            continue
        share = count / filled
        if kind.check is not None:
            query = (
                f"WITH {groups} SELECT v FROM g WHERE regexp_full_match(v, {quote_text(kind.pattern)}) LIMIT {CHECKED}"
            )
            passing = share_passing(kind, [str(text) for (text,) in table.rows_of(query)])
            share = share * passing if passing >= LEAST_CHECKED else 0.0
        if share >= kind.least:
            found.append(Suspect(kind=kind.name, share=share))
    return tuple(found)
