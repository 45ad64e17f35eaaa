"""What the cells of a column are: the type that loses nothing of them.

Types are told from the cells here, never by the engine. From a sample, they are guarded: a cell that would lose
something stops the reading, which begins again with types told from all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tidemill.core.names import quote_name, quote_text
from tidemill.sources.delimited.columns import KINDS, Column, with_cell
from tidemill.sources.delimited.dates import Known, declared_columns, said_forms, written_dates
from tidemill.sources.files import first_row

if TYPE_CHECKING:
    from tidemill.sources.files import Reader

FIRST_ROWS = 512
LONG_FRACTION = 17  # characters: up to 15 digits, a point and a sign are had as DOUBLE
MOST_DIGITS = 400  # behind the point, of which more are compared in no number
ZERO_LED = r"regexp_full_match({0}, '\s*[+-]?0\d+(\.\d*)?\s*')"


def find_types(reader: Reader, relation: str, names: Sequence[str], known: Known) -> list[Column]:
    """The types of the columns of a relation whose cells are all text."""
    open_ = [] if known.texts else [name for name in names if name not in known.types]
    first = f"(SELECT * FROM {relation} LIMIT {FIRST_ROWS})"
    likely = _possible(reader, first, dict.fromkeys(open_, tuple(KINDS)), known, empty=tuple(KINDS))
    possible = _possible(reader, relation, {name: kinds for name, kinds in likely.items() if kinds}, known)
    said = said_forms(reader, relation, open_, known)
    kinds = {name: possible.get(name, ()) for name in open_}
    whole = {name: "whole" in found for name, found in kinds.items() if "number" in found}
    numbers = _numbers(reader, relation, whole, known.decimal)
    written = [name for name in open_ if possible.get(name) == ("written",)]
    dates = written_dates(reader, relation, written)
    declared = declared_columns(reader, relation, names, known)
    columns: list[Column] = []
    for name in names:
        if name in declared:
            columns.append(declared[name])
        else:
            columns.append(
                said.get(name) or numbers.get(name) or dates.get(name) or _plain(name, possible.get(name, ()))
            )
    return columns


def _possible(
    reader: Reader, relation: str, kinds: Mapping[str, Sequence[str]], known: Known, *, empty: tuple[str, ...] = ()
) -> dict[str, tuple[str, ...]]:
    """Of each column, the kinds that all its filled cells are of; ``empty`` where there are no such cells."""
    items: list[str] = []
    for name, tried in kinds.items():
        text = _text(name, known.decimal)
        items += [f"count({text})", *(f"count(*) FILTER ({with_cell(KINDS[kind], text)})" for kind in tried)]
    if not items:
        return {}
    counts = iter(first_row(reader, f"SELECT {', '.join(items)} FROM {relation}"))
    found: dict[str, tuple[str, ...]] = {}
    for name, tried in kinds.items():
        filled = next(counts)
        held = [(kind, next(counts)) for kind in tried]
        found[name] = tuple(kind for kind, count in held if count == filled) if filled else empty
    return found


def _text(name: str, decimal: str) -> str:
    quoted = quote_name(name)
    return quoted if decimal == "." else f"replace({quoted}, {quote_text(decimal)}, '.')"


def _plain(name: str, kinds: Sequence[str]) -> Column:
    if "short year" in kinds:
        return Column(name=name, note=f"column {name} stays text: its dates have years of two digits")
    types = {
        "bool": "BOOLEAN",
        "date": "DATE",
        "stamp": "TIMESTAMP",
        "zoned": "TIMESTAMP WITH TIME ZONE",
        "time": "TIME",
    }
    return Column(name=name, type=next((type_ for kind, type_ in types.items() if kind in kinds), "VARCHAR"))


def _numbers(reader: Reader, relation: str, names: Mapping[str, bool], decimal: str) -> dict[str, Column]:
    """Columns of numbers: not the codes that begin with a zero, and no type by which a number would be rounded.

    Parameters
    ----------
    names
        The columns, and whether all their numbers are whole.
    """
    items: list[str] = []
    for name, whole in names.items():
        text = _text(name, decimal)
        items += [
            f"any_value(trim({text})) FILTER ({with_cell(ZERO_LED, text)})",
            *(f"{whole} AND count(TRY_CAST({text} AS {type_})) = count({text})" for type_ in ("BIGINT", "UBIGINT")),
            rf"count(*) FILTER (length({text}) >= 16 AND regexp_matches({text}, '^\s*[+-]?\d{{16,}}'))",
            f"count(*) FILTER ({_beyond(text)})",
            f"coalesce(max(length({text})), 0) >= {LONG_FRACTION}",
        ]
    if not items:
        return {}
    found = iter(first_row(reader, f"SELECT {', '.join(items)} FROM {relation}"))
    columns: dict[str, Column] = {}
    long: list[str] = []
    fractions: list[str] = []
    for name in names:
        code, low, high, many, beyond, lengthy = (next(found) for _ in range(6))
        if code is not None:
            note = f"column {name} stays text: values such as {code} begin with a zero"
            columns[name] = Column(name=name, note=note)
        elif beyond:
            columns[name] = Column(name=name, note=f"column {name} stays text: it has numbers that no DOUBLE holds")
        elif low or high or not many:
            columns[name] = Column(name=name, type="BIGINT" if low else "UBIGINT" if high else "DOUBLE")
            if lengthy and not low and not high:
                fractions.append(name)
        else:
            long.append(name)
    rounded = _rounded(reader, relation, fractions, decimal)
    return columns | _long_numbers(reader, relation, [*long, *rounded], decimal, fractions=rounded)


def _rounded(reader: Reader, relation: str, names: Sequence[str], decimal: str) -> list[str]:
    """The columns with a fraction that a DOUBLE does not hold: written with as many digits it is another one.

    What programs write of a DOUBLE is held, however many digits it has: 0.30000000000000004, 0.1000000000000000055511.
    """
    if not names:
        return []
    tests = []
    for name in names:
        text = _text(name, decimal)
        digits = f"length(split_part(trim({text}), '.', 2))"
        again = f"format('{{:.' || least({digits}, {MOST_DIGITS}) || 'f}}', TRY_CAST({text} AS DOUBLE))"
        differs = f"ltrim(trim({text}), '+-0') <> ltrim({again}, '-0')"
        able = f"length({text}) >= {LONG_FRACTION} AND contains({text}, '.') AND NOT regexp_matches({text}, '[eEnN]')"
        # Most long cells are the shortest text of their DOUBLE: that is told without writing it again.
        short = f"CAST(TRY_CAST({text} AS DOUBLE) AS VARCHAR) = {text}"
        lost = f"CASE WHEN NOT ({able}) OR {short} THEN false WHEN {digits} > 0 THEN {differs} END"
        tests.append(f"coalesce(bool_or({lost}), false)")
    found = first_row(reader, f"SELECT {', '.join(tests)} FROM {relation}")
    return [name for name, rounded in zip(names, found, strict=True) if rounded]


def _beyond(text: str) -> str:
    """Whether a text is a number beyond a DOUBLE, such as 2e400: the engine would read infinity, or stop."""
    # Few texts have an exponent or 300 digits: the others cost no more than a look for the letter.
    many = f"(contains({text}, 'e') OR contains({text}, 'E') OR length({text}) > 300)"
    value = f"coalesce(isinf(TRY_CAST({text} AS DOUBLE)), true)"
    return f"{many} AND regexp_matches({text}, '\\d') AND {value}"


def _long_numbers(
    reader: Reader, relation: str, names: Sequence[str], decimal: str, *, fractions: Sequence[str] = ()
) -> dict[str, Column]:
    """Columns with numbers of so many digits that a DOUBLE would round them.

    Parameters
    ----------
    fractions
        Those of them whose whole numbers are short.
    """
    items: list[str] = []
    for name in names:
        text = _text(name, decimal)
        items += [
            rf"max(length(regexp_extract({text}, '\d+')))",
            rf"max(length(regexp_extract({text}, '\.(\d*)', 1)))",
            f"count(*) FILTER (regexp_matches({text}, '[eEnN]'))",
        ]
    if not items:
        return {}
    found = iter(first_row(reader, f"SELECT {', '.join(items)} FROM {relation}"))
    return {name: _long_number(name, *(next(found) for _ in range(3)), fractions=name in fractions) for name in names}


def _long_number(name: str, digits: int, after: int, exponents: int, *, fractions: bool) -> Column:
    if exponents or (fractions and digits + after > 38):
        note = f"column {name} is DOUBLE, which rounds its fractions of more than 17 digits" if fractions else ""
        return Column(name=name, type="DOUBLE", note=note)
    if digits + after <= 38:
        note = f"column {name} is DECIMAL: as DOUBLE its long numbers would be rounded"
        return Column(name=name, type=f"DECIMAL(38,{after})", note=note)
    return Column(name=name, note=f"column {name} stays text: it has numbers of {digits + after} digits")
