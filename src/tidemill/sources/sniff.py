"""What a file's columns are: names, types, how many are missing, how many differ, and what holds of all of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from tidemill.core.names import name_key, quote_name, quote_text
from tidemill.sources.files import (
    ROW_NUMBER,
    FileScan,
    Reader,
    describe,
    first_row,
    keep_rows,
    rows,
)

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["number", "text", "bool", "date", "time", "other"]

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
PAIRED = 8  # columns that are tried in pairs as a key
LIKELY = 20  # pairs of rows alike, which chance alone would have given
_KEYS = ("text", "date", "time")
FEW = 12  # distinct values that are worth listing
# A number as people write it: currency, thousands, per cent.
MARKED = r"-?[$€£]?\s?-?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?\s?%?"
# By this a marked number is surely one: in 1,234 alone nothing tells thousands from a fraction.
SURE_MARK = r"[$€£%.]|,\d{3},"
DATE_FORMATS = ("%Y-%m", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%b-%Y", "%b %d, %Y", "%d %b %Y")

# Names of things that name something: a number under such a name counts nothing.
IDENTIFIERS = (
    re.compile(r"(?:^|_)(?:id|uuid|guid|key|identifier|rowid|serial|index)$", re.IGNORECASE),
    re.compile(r"[a-z](?:ID|Id|UUID|Key)$"),
    re.compile(r"(?:_|^)(?:user|customer|client|member|account|order|row|case)_?(?:id|no|nr|num)$", re.IGNORECASE),
    re.compile(r"[a-z]_?(?:number|Number)$"),
    re.compile(r"(?:^|_)(?:zip|zip_?code|post_?code|postal_?code|phone|fax|isbn|issn|iban|ssn)$", re.IGNORECASE),
)

# Letters that are no other one with a mark.
LETTERS = str.maketrans({
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th",
})  # fmt: skip

# Words SQL keeps for itself: a column of that name needs quotes.
RESERVED = frozenset(
    """
    all analyse analyze and any array as asc asof asymmetric between both case cast check collate column
    constraint create cross current_date current_time current_timestamp default deferrable desc describe distinct
    do else end except exists false fetch for foreign from full glob group having ilike in index initially inner
    intersect interval into is isnull join lambda lateral leading left like limit natural not notnull null offset
    on only or order outer over pivot placing primary qualify references returning right row rows select semi show
    similar some summarize symmetric table then to trailing true union unique unpivot using values variadic when
    where window with
    """.split()  # noqa: SIM905 - a list of ninety strings reads worse
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column of a table, as its rows have it.

    Parameters
    ----------
    source
        Its name in the file.
    expression
        SQL that makes it from the file's column; '' when it is taken as it is.
    note
        Why it is made that way.
    low, high
        Smallest and largest value of a number.
    values
        The distinct values with their counts, in order, when there are at most `FEW`.
    words, width
        Mean number of blanks in a text, and longest text.
    rising
        The values never fall from one row of the file to the next (numbers, dates and times).
    """

    source: str
    name: str
    type: str
    kind: Kind
    rows: int
    expression: str = ""
    note: str = ""
    nulls: int = 0
    distinct: int = 0
    low: Any = None
    high: Any = None
    values: tuple[tuple[Any, int], ...] = ()
    words: float = 0.0
    width: int = 0
    rising: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers."""
        return self.type in INTEGERS

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.rows > 1 and self.nulls == 0 and self.distinct == self.rows

    @property
    def is_counter(self) -> bool:
        """Whether it counts the rows of the file: 1, 2, 3 and so on."""
        return self.is_unique and self.is_whole and self.rising and self.high - self.low + 1 == self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProfile:
    """A file as a table: how it is read, its columns, and the relation in the session that holds its rows.

    Parameters
    ----------
    pair
        Two columns that tell the rows apart together, where none does alone.
    """

    scan: FileScan
    relation: str
    rows: int
    columns: tuple[ColumnProfile, ...]
    pair: tuple[str, ...] = ()

    def column(self, name: str) -> ColumnProfile | None:
        """The column of that name, in the table or in the file."""
        for column in self.columns:
            if name_key(name) in (name_key(column.name), name_key(column.source)):
                return column
        return None


def sql_name(name: str) -> str:
    """A name as a person writes it: quoted only when SQL would misread it."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in RESERVED
    return name if plain else quote_name(name)


def looks_like_identifier(column: ColumnProfile) -> bool:
    """Whether the name says that the column names things rather than measures them."""
    if column.kind not in ("number", "text") or (column.kind == "number" and not column.is_whole):
        return False
    return any(pattern.search(name) for pattern in IDENTIFIERS for name in (column.name, column.source))


def plain_names(names: Sequence[str]) -> list[str]:
    """Names that need no quotes: as they are when all are plain, else all in lower snake case, no two alike."""
    if all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in names):
        return list(names)
    taken: set[str] = set()
    made = []
    for number, name in enumerate(names, start=1):
        base = plain_name(name) or f"column_{number}"
        candidate, count = base, 1
        while candidate in taken:
            count += 1
            candidate = f"{base}_{count}"
        taken.add(candidate)
        made.append(candidate)
    return made


def plain_name(name: str) -> str:
    """One name in lower snake case; '' when nothing of it is left."""
    marks = unicodedata.normalize("NFKD", name.translate(LETTERS))
    name = "".join(char for char in marks if not unicodedata.combining(char))
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    word = re.sub(r"\W+", "_", split.replace("#", " n_ ")).strip("_").lower()
    word = re.sub(r"_+", "_", word)
    if word in RESERVED:
        return f"{word}_"
    return f"n_{word}" if word[:1].isdigit() else word


def sniff_table(reader: Reader, scan: FileScan) -> TableProfile:
    """Read a whole file once and describe its columns."""
    kept = scan.kept or keep_rows(reader, scan).kept
    described = describe(reader, scan)
    names = plain_names([source for source, _ in described])
    drafts = [
        _mend_text(reader, kept, ColumnProfile(source=source, name=name, type=type_, kind=kind_of(type_), rows=0))
        for (source, type_), name in zip(described, names, strict=True)
    ]
    relation = kept
    if any(draft.expression or draft.name != draft.source for draft in drafts):
        made = ", ".join(
            f"{draft.expression or quote_name(draft.source)} AS {quote_name(draft.name)}" for draft in drafts
        )
        relation = reader.materialise(f"SELECT {ROW_NUMBER}, {made} FROM {kept}")
    total = int(first_row(reader, f"SELECT count(*) FROM {relation}")[0])
    columns = _measure(reader, relation, [replace(draft, rows=total) for draft in drafts]) if total else drafts
    pair = () if any(column.is_unique for column in columns) else _pair(reader, relation, columns)
    return TableProfile(scan=scan, relation=relation, rows=total, columns=tuple(columns), pair=pair)


def _pair(reader: Reader, relation: str, columns: Sequence[ColumnProfile]) -> tuple[str, ...]:
    """The first two columns, identifiers before others, that are never alike together, where that is no chance.

    Of n rows with a and b different values, n * n / (2 * a * b) pairs would be alike by chance.
    """
    able = [one for one in columns if one.distinct > 1 and not one.nulls and (one.is_whole or one.kind in _KEYS)]
    able = sorted(able, key=lambda column: not looks_like_identifier(column))[:PAIRED]
    for left, right in combinations(able, 2):
        product = left.distinct * right.distinct
        if product < left.rows or left.rows**2 < 2 * LIKELY * product:
            continue
        names = f"{quote_name(left.name)}, {quote_name(right.name)}"
        if first_row(reader, f"SELECT count(DISTINCT ({names})) FROM {relation}")[0] == left.rows:
            first, second = (one.name for one in columns if one in (left, right))
            return first, second
    return ()


def kind_of(type_: str) -> Kind:
    """What a type holds, as far as modelling cares."""
    if type_ in INTEGERS or type_ in ("DOUBLE", "FLOAT") or type_.startswith("DECIMAL"):
        return "number" if not type_.endswith("]") else "other"
    if type_.startswith("ENUM") and not type_.endswith("]"):
        return "text"
    simple: dict[str, Kind] = {"VARCHAR": "text", "BOOLEAN": "bool", "DATE": "date", "UUID": "text"}
    if type_.startswith("TIMESTAMP"):
        return "time"
    return simple.get(type_, "other")


def _mend_text(reader: Reader, relation: str, draft: ColumnProfile) -> ColumnProfile:
    """Text that is numbers but for a few cells becomes numbers; text that is dates in one format becomes dates."""
    if draft.type != "VARCHAR" or looks_like_identifier(draft):
        return draft
    column = quote_name(draft.source)
    first = f"(SELECT {column} FROM {relation} WHERE trim({column}) <> '' LIMIT 1000)"
    filled, _, numbers, _, _, marked, _, *dates = first_row(reader, f"SELECT {_readings(column)} FROM {first}")
    if max(numbers, marked) < 0.5 * filled and filled not in dates:  # spares columns of words the full look
        return draft
    filled, blank, numbers, whole, zeros, marked, sure, *dates = first_row(
        reader, f"SELECT {_readings(column)} FROM {relation}"
    )
    written = filled - blank
    if written >= 2 and not zeros and numbers >= 0.95 * written and not _has_beyond(reader, relation, column):
        odd = rows(
            reader,
            f"SELECT DISTINCT {column} FROM {relation} WHERE TRY_CAST({column} AS DOUBLE) IS NULL"
            f" AND trim({column}) <> '' ORDER BY 1 LIMIT 3",
        )
        type_ = "BIGINT" if whole == numbers else "DOUBLE"
        made = f"TRY_CAST({sql_name(draft.source)} AS {type_})"
        return replace(draft, type=type_, kind="number", expression=made, note=_why_cast(blank, written - numbers, odd))
    if written >= 2 and not zeros and marked >= 0.95 * written and sure:
        bare = f"regexp_replace({sql_name(draft.source)}, '[$€£%,\\s]', '', 'g')"
        note = "text in the file, as its numbers have marks ($, % or commas)"
        note += f"; {written - marked:,} with no number are NULL here" if marked < written else ""
        return replace(draft, type="DOUBLE", kind="number", expression=f"TRY_CAST({bare} AS DOUBLE)", note=note)
    forms = [form for form, parsed in zip(DATE_FORMATS, dates, strict=True) if parsed == filled]
    if written >= 2 and len(forms) == 1:  # in 01/02/2025 nothing tells the day from the month: that stays text
        made = f"CAST(strptime({sql_name(draft.source)}, {quote_text(forms[0])}) AS DATE)"
        note = f"text in the file, all of it dates written {forms[0]}"
        return replace(draft, type="DATE", kind="date", expression=made, note=note)
    return draft


def _has_beyond(reader: Reader, relation: str, column: str) -> bool:
    """Whether a number is beyond a DOUBLE: a cast would make infinity of it."""
    value = f"TRY_CAST({column} AS DOUBLE)"
    sql = f"SELECT coalesce(bool_or(isinf({value}) AND regexp_matches({column}, '\\d')), false) FROM {relation}"
    return bool(first_row(reader, sql)[0])


def _readings(column: str) -> str:
    """How many values there are, are blank, numbers, whole, start with 0, have marks, sure ones, and are such dates."""
    # The engine reads 25 as the year 25: a year of two digits stays text.
    formats = ", ".join(
        f"count(*) FILTER (year(try_strptime({column}, {quote_text(form)})) >= 1000)" for form in DATE_FORMATS
    )
    return (
        f"count({column}), count(*) FILTER (trim({column}) = ''), count(TRY_CAST({column} AS DOUBLE)),"
        rf" count(*) FILTER (regexp_full_match(trim({column}), '[+-]?\d+')),"
        rf" count(*) FILTER (regexp_full_match({column}, '0\d+')),"
        rf" count(*) FILTER (regexp_full_match(trim({column}), '{MARKED}')),"
        rf" count(*) FILTER (regexp_full_match(trim({column}), '{MARKED}')"
        rf" AND regexp_matches({column}, '{SURE_MARK}')),"
        f" {formats}"
    )


def _why_cast(blank: int, odd_rows: int, odd: Sequence[tuple[Any, ...]]) -> str:
    parts = []
    if blank:
        parts.append(f"{blank:,} row{'s are' if blank > 1 else ' is'} blank")
    if odd:
        shown = ", ".join(quote_text(str(value)[:20]) for (value,) in odd)
        parts.append(f"{odd_rows:,} row{'s hold' if odd_rows > 1 else ' holds'} no number ({shown})")
    return f"text in the file, as {' and '.join(parts)}: NULL here" if parts else "text in the file"


def _measure(reader: Reader, relation: str, drafts: Sequence[ColumnProfile]) -> list[ColumnProfile]:
    """Count everything about every column in one scan."""
    items: list[str] = []
    for draft in drafts:
        items.extend(_measures(draft))
    numbers = iter(first_row(reader, f"SELECT {', '.join(items)} FROM {relation}"))
    columns = []
    for draft in drafts:
        filled, distinct, low, high, blanks, width = (next(numbers) for _ in range(6))
        columns.append(
            replace(
                draft,
                nulls=draft.rows - filled,
                distinct=distinct,
                low=low,
                high=high,
                words=blanks or 0.0,
                width=width or 0,
                values=_values(reader, relation, draft.name) if 0 < distinct <= FEW and draft.kind != "other" else (),
            )
        )
    rising = _rising(reader, relation, [column for column in columns if column.kind in ("number", "date", "time")])
    return [replace(column, rising=column.name in rising) for column in columns]


def _measures(draft: ColumnProfile) -> list[str]:
    column = quote_name(draft.name)
    distinct = f"count(DISTINCT {column})" if draft.kind != "other" else "0"
    low = high = "NULL"
    if draft.kind == "number":
        type_ = "BIGINT" if draft.is_whole and draft.type not in ("HUGEINT", "UBIGINT") else "DOUBLE"
        low, high = f"CAST(min({column}) AS {type_})", f"CAST(max({column}) AS {type_})"
    text = f"CAST({column} AS VARCHAR)"
    blanks = f"avg(length({text}) - length(replace({text}, ' ', '')))" if draft.kind == "text" else "NULL"
    width = f"max(length({text}))" if draft.kind == "text" else "NULL"
    return [f"count({column})", distinct, low, high, blanks, width]


def _values(reader: Reader, relation: str, name: str) -> tuple[tuple[Any, int], ...]:
    column = quote_name(name)
    found = rows(
        reader, f"SELECT {column}, count(*) FROM {relation} WHERE {column} IS NOT NULL GROUP BY ALL ORDER BY {column}"
    )
    return tuple((value, int(count)) for value, count in found)


def _rising(reader: Reader, relation: str, columns: Sequence[ColumnProfile]) -> set[str]:
    """The columns whose values never fall from row to row."""
    candidates = [column for column in columns if column.distinct > 1 and column.nulls == 0]
    if not candidates:
        return set()
    window = f"(ORDER BY {ROW_NUMBER})"
    before = ", ".join(
        f"{quote_name(column.name)} < lag({quote_name(column.name)}) OVER {window} AS fall_{number}"
        for number, column in enumerate(candidates)
    )
    falls = ", ".join(f"count(*) FILTER (fall_{number})" for number in range(len(candidates)))
    counts = first_row(reader, f"SELECT {falls} FROM (SELECT {before} FROM {relation})")
    return {column.name for column, count in zip(candidates, counts, strict=True) if not count}


def sample(reader: Reader, table: TableProfile, names: Sequence[str], *, most: int) -> pa.Table:
    """Every k-th row, so that at most ``most`` come."""
    step = max(1, -(-table.rows // most))
    listed = ", ".join(quote_name(name) for name in names)
    return reader.query(
        f"SELECT {listed} FROM {table.relation} WHERE {ROW_NUMBER} % {step} = 0 ORDER BY {ROW_NUMBER}"
    ).read_all()
