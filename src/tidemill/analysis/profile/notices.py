"""Warnings in words: one row a thing that can be wrong with a column, and what it looks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tidemill.analysis.profile.personal import masked
from tidemill.analysis.profile.result import ColumnProfile, Notice, Value
from tidemill.core.columns import HIDDEN
from tidemill.core.words import count

MOSTLY = 0.95
MANY_NULLS = 0.5
MANY_ZEROS = 0.5
SKEWED = 3.0
MANY_CATEGORIES = 1000
EXACT_WHOLE = 2**53
SENTINELS = frozenset({-1, -9, -99, -999, -9999, -99999, 99, 999, 9999, 99999, 999999, -999999, 999999999})
SENTINEL_DATES = ("1900-01-01", "1970-01-01", "9999-12-31", "0001-01-01", "2099-12-31", "1899-12-30")
SENTINEL_SHARE = 0.005
LEAST_SENTINEL = 99
AWAY = 4.0  # a suspicious value is so many times farther from the median than the other values reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A thing that can be wrong with a column.

    Parameters
    ----------
    look
        What it says of a column; '' when all is well.
    """

    name: str
    doc: str
    look: Callable[[ColumnProfile], str]


def share(part: float, whole: float) -> str:
    """A share as people read it: never 0 % of something, never 100 % of not all."""
    if not whole or part == whole:
        return "all" if whole else "none"
    percent = 100 * part / whole
    if percent < 0.1:
        return "under 0.1 %"
    return "over 99.9 %" if percent > 99.9 else f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def shown(column: ColumnProfile, value: object) -> str:
    """A value of a column as a message quotes it; hidden when the column may hold personal data."""
    text = HIDDEN if column.declared else masked(value) if column.suspects else str(value)
    text = text if len(text) <= 40 else f"{text[:39]}…"
    return repr(text) if column.kind == "text" else text


def _all_null(column: ColumnProfile) -> str:
    return "has no value in any row" if column.rows and not column.filled else ""


def _many_nulls(column: ColumnProfile) -> str:
    if not column.filled or column.nulls <= MANY_NULLS * column.rows:
        return ""
    return f"{share(column.nulls, column.rows)} of the rows have no value"


def _constant(column: ColumnProfile) -> str:
    values = _top(column)
    if column.rows < 2 or len(values) != 1 or column.facts.get("distinct", 1) != 1 or values[0].rows < column.filled:
        return ""
    tail = "" if not column.nulls else ", where it has a value at all"
    return f"is {shown(column, values[0].value)} in every row{tail}"


def _mostly_one(column: ColumnProfile) -> str:
    values = _top(column)
    if not values or len(values) == 1 or "top" in column.sampled or column.filled < 20:
        return ""
    first = values[0]
    if first.rows < MOSTLY * column.filled:
        return ""
    return f"{share(first.rows, column.filled)} of its values are {shown(column, first.value)}"


def _identifier(column: ColumnProfile) -> str:
    able = column.kind == "text" or (column.kind == "number" and column.type not in ("FLOAT", "DOUBLE"))
    if (
        not able
        or column.rows < 20
        or column.nulls
        or column.distinct != column.rows
        or "distinct" in column.approximate
    ):
        return ""
    return "is different in every row: it names rows, and a model would learn them by heart"


def _many_categories(column: ColumnProfile) -> str:
    if column.kind != "text" or _identifier(column) or column.distinct <= min(MANY_CATEGORIES, 0.5 * column.filled):
        return ""
    if column.distinct < 50:
        return ""
    about = "about " if "distinct" in column.approximate else ""
    return f"has {about}{column.distinct:,} different texts: too many to be categories"


def _skewed(column: ColumnProfile) -> str:
    skew = column.facts.get("skew")
    if skew is None or abs(skew) <= SKEWED or column.distinct <= 2 or _identifier(column):
        return ""
    side = "large" if skew > 0 else "small"
    return f"is skewed ({skew:.1f}): a few very {side} values stand far from the others"


def _many_zeros(column: ColumnProfile) -> str:
    zeros = int(column.facts.get("zeros") or 0)
    if column.distinct <= 2 or zeros <= MANY_ZEROS * column.filled or not column.filled or _mostly_one(column):
        return ""
    return f"{share(zeros, column.filled)} of its values are 0"


def _nan(column: ColumnProfile) -> str:
    found = int(column.facts.get("nan") or 0)
    return (
        f"has NaN in {count(found, 'row')}: the engine sorts it above all numbers; NULL is what is missing"
        if found
        else ""
    )


def _infinite(column: ColumnProfile) -> str:
    found = int(column.facts.get("infinite") or 0)
    return f"is infinite in {count(found, 'row')}" if found else ""


def _not_exact(column: ColumnProfile) -> str:
    low, high = column.facts.get("min"), column.facts.get("max")
    if column.kind != "number" or not isinstance(low, int) or not isinstance(high, int):
        return ""
    if max(abs(low), abs(high)) <= EXACT_WHOLE:
        return ""
    return "has whole numbers beyond 2^53: as floating-point numbers, in models and in JSON readers, they lose digits"


def _numbers_as_text(column: ColumnProfile) -> str:
    numeric = int(column.facts.get("numeric") or 0)
    words = sum(value.rows for value in column.facts.get("missing_words", ()))
    written = column.filled - int(column.facts.get("empty") or 0) - int(column.facts.get("blank") or 0) - words
    seen = _seen(column)
    written = written if not column.sampled & {"numeric"} else seen
    if column.kind != "text" or not numeric or numeric < 0.9 * written:
        return ""
    others = written - numeric
    tail = f"; {share(others, written)} of them are no numbers" if others > 0 else ""
    return f"holds numbers stored as text{tail}"


def _dates_as_text(column: ColumnProfile) -> str:
    formats = column.facts.get("dates") or {}
    if not formats or max(formats.values()) < 0.9 * _seen(column):
        return ""
    found = [form for form, rows in formats.items() if rows >= 0.9 * _seen(column)]
    tail = f", or {found[1]}: nothing tells day from month" if len(found) > 1 else ""
    return f"holds dates stored as text, written {found[0]}{tail}"


def _mixed_dates(column: ColumnProfile) -> str:
    formats = column.facts.get("dates") or {}
    if len(formats) < 2 or _dates_as_text(column):
        return ""
    found = sorted(formats.items(), key=lambda item: -item[1])[:3]
    return "holds dates in several formats: " + ", ".join(f"{form} ({count(rows, 'row')})" for form, rows in found)


def _missing_words(column: ColumnProfile) -> str:
    found: tuple[Value, ...] = column.facts.get("missing_words", ())
    if not found or sum(value.rows for value in found) == column.filled:
        return ""
    listed = ", ".join(f"{value.value!r} ({count(value.rows, 'row')})" for value in found[:3])
    return f"has words that may stand for a missing value: {listed}"


def _blank(column: ColumnProfile) -> str:
    empty, blank = int(column.facts.get("empty") or 0), int(column.facts.get("blank") or 0)
    parts = [f"an empty text in {count(empty, 'row')}"] if empty else []
    parts += [f"nothing but blanks in {count(blank, 'row')}"] if blank else []
    return f"has {' and '.join(parts)}: is that a missing value?" if parts else ""


def _padded(column: ColumnProfile) -> str:
    found = int(column.facts.get("padded") or 0)
    return f"has blanks before or behind the text in {count(found, 'row')}" if found else ""


def _variants(column: ColumnProfile) -> str:
    found = column.facts.get("variants") or []
    if not found or column.suspects:
        return ""
    listed = "; ".join(" = ".join(repr(word[:30]) for word in words[:3]) for words in found[:2])
    return f"writes the same word in several ways: {listed}"


def _sentinel(column: ColumnProfile) -> str:
    quantiles = column.facts.get("quantiles")
    if column.kind != "number" or not quantiles:
        return ""
    low, high = quantiles["0.05"], quantiles["0.95"]
    middle = quantiles["0.5"]
    for end, often in zip(("min", "max"), column.facts.get("at_ends", ()), strict=False):
        value = column.facts[end]
        if value not in SENTINELS or often < 2:
            continue
        # More than 5 % of the rows may hold it: the other side of the median tells how far values reach.
        reach = high - middle if end == "min" else middle - low
        lone = value == -1 and column.facts.get("negatives") == often
        if lone or (abs(value) >= LEAST_SENTINEL and abs(value - middle) > AWAY * max(reach, 1e-9)):
            where = " of the sample" if "top" in column.sampled else ""
            return f"has the value {value} in {count(often, 'row')}{where}, which people write for a missing one"
    return ""


def _sentinel_dates(column: ColumnProfile) -> str:
    if column.kind not in ("date", "time") or "top" not in column.facts:
        return ""
    for value in _top(column):
        if str(value.value)[:10] in SENTINEL_DATES and value.rows >= max(2, SENTINEL_SHARE * _seen(column)):
            often = share(value.rows, _seen(column))
            return f"is {str(value.value)[:10]} in {often} of the rows, which people write for no date"
    return ""


def _future(column: ColumnProfile) -> str:
    found = int(column.facts.get("future") or 0)
    return f"lies in the future in {count(found, 'row')}, until {str(column.facts['max'])[:10]}" if found else ""


def _gaps(column: ColumnProfile) -> str:
    gaps = column.facts.get("gaps")
    if not gaps or gaps["missing"] > 0.5 * gaps["of"] or gaps["of"] < 10:
        return ""
    longest = gaps["longest"]
    if longest["units"] == 1:
        return f"has no row on {count(gaps['missing'], gaps['unit'])} of {gaps['of']:,}"
    return (
        f"has no row in {count(gaps['missing'], gaps['unit'])} of {gaps['of']:,}; the longest gap is "
        f"{longest['from']} to {longest['to']}"
    )


def _personal(column: ColumnProfile) -> str:
    if column.declared:
        return f"is declared to hold personal data ({column.declared}): its values are not shown"
    if not column.suspects:
        return ""
    found = column.suspects[0]
    return f"may hold personal data: {share(found.share, 1.0)} of its values look like {_article(found.kind)}"


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeioAEIO" else f"a {kind}"


def _top(column: ColumnProfile) -> tuple[Value, ...]:
    found: tuple[Value, ...] = column.facts.get("top", ())
    return found


def _seen(column: ColumnProfile) -> int:
    """Rows with a value that the sampled facts are of."""
    return int(column.facts.get("rows_seen", column.filled))


NOTICES = (
    Watch(name="personal_data", doc="Values look like personal data.", look=_personal),
    Watch(name="all_null", doc="No row has a value.", look=_all_null),
    Watch(name="constant", doc="Every row has the same value.", look=_constant),
    Watch(name="many_nulls", doc="More than half of the rows have no value.", look=_many_nulls),
    Watch(name="mostly_one", doc="95 % of the values are the same.", look=_mostly_one),
    Watch(name="numbers_as_text", doc="Texts are numbers.", look=_numbers_as_text),
    Watch(name="dates_as_text", doc="Texts are dates in one format.", look=_dates_as_text),
    Watch(name="mixed_dates", doc="Texts are dates in several formats.", look=_mixed_dates),
    Watch(name="missing_words", doc="Words such as NA or ? stand among the values.", look=_missing_words),
    Watch(name="blank", doc="Empty or blank texts stand among the values.", look=_blank),
    Watch(name="padded", doc="Blanks stand before or behind texts.", look=_padded),
    Watch(name="variants", doc="The same word is written in several ways.", look=_variants),
    Watch(name="sentinel", doc="A number such as -999 stands far from all others.", look=_sentinel),
    Watch(name="sentinel_date", doc="A date such as 1900-01-01 comes suspiciously often.", look=_sentinel_dates),
    Watch(name="future", doc="Dates lie in the future.", look=_future),
    Watch(name="nan", doc="Values are NaN.", look=_nan),
    Watch(name="infinite", doc="Values are infinite.", look=_infinite),
    Watch(name="not_exact", doc="Whole numbers are too large for floating point.", look=_not_exact),
    Watch(name="many_zeros", doc="More than half of the values are 0.", look=_many_zeros),
    Watch(name="skewed", doc="The skewness is beyond 3.", look=_skewed),
    Watch(name="identifier", doc="Every row has a value of its own.", look=_identifier),
    Watch(name="many_categories", doc="There are too many different texts to be categories.", look=_many_categories),
    Watch(name="gaps", doc="Hours, days or months without rows.", look=_gaps),
)
"""Every warning of a column, the weightiest first."""

TABLE_NOTICES = (
    ("empty", "The table has no rows."),
    ("duplicates", "Rows repeat others."),
    ("same", "Two columns tell each other."),
    ("leak", "A column gives the label away."),
)
"""Every warning of the whole table, with what it means."""


def look_at(column: ColumnProfile) -> list[Notice]:
    """What is worth saying of a column."""
    found = [(watch.name, watch.look(column)) for watch in NOTICES] if column.rows else []
    return [Notice(name=name, column=column.name, text=text) for name, text in found if text]
