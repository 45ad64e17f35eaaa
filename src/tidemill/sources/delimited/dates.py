"""Dates that are written with the day or the month first: found where the rows tell which, or as a person says."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tidemill.core.names import quote_name, quote_text
from tidemill.sources.delimited.columns import CLOCK, MONTH_OR_DAY, Column
from tidemill.sources.files import first_row

if TYPE_CHECKING:
    from tidemill.sources.files import Reader

ORDERS = {"/": ("%d/%m/%Y", "%m/%d/%Y"), "-": ("%d-%m-%Y", "%m-%d-%Y"), ".": ("%d.%m.%Y",)}
CLOCKS = ("", " %H:%M", " %H:%M:%S")
# Nobody writes the month first before a dot.
FORMS = tuple(day + clock for days in ORDERS.values() for day in days for clock in CLOCKS)
# The reader's option that says how the cells of a type are written.
FORM_OPTIONS = {"DATE": "dateformat", "TIMESTAMP": "timestampformat"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a person says of the cells of a file.

    Parameters
    ----------
    types
        The engine's types, by name of the column.
    decimal
        The character before the fraction of a number.
    dates, stamps
        How dates and timestamps are written, for strptime; '' when nothing is said.
    texts
        Whether all columns stay text.
    """

    types: Mapping[str, str]
    decimal: str = "."
    dates: str = ""
    stamps: str = ""
    texts: bool = False


def declared_columns(reader: Reader, relation: str, names: Sequence[str], known: Known) -> dict[str, Column]:
    """The columns whose types a person said; dates among them in the form that the rows tell, as where nothing is said.

    Cells in no form at all are bad rows, and do not keep the others from being told.
    """
    said = {"DATE": known.dates, "TIMESTAMP": known.stamps}
    columns = {
        name: Column(name=name, type=type_, form=said.get(type_, ""), declared=True, decimal=known.decimal)
        for name in names
        if (type_ := known.types.get(name)) is not None
    }
    open_ = [column for column in columns.values() if column.type in said and not column.form]
    if not open_:
        return columns
    fits = ", ".join(f"count(*) FILTER ({column.fits(quote_name(column.name))})" for column in open_)
    filled = ", ".join(f"count({quote_name(column.name)})" for column in open_)
    found = first_row(reader, f"SELECT {fits}, {filled} FROM {relation}")
    odd = {
        column.name: (column, fit)
        for column, fit, count in zip(open_, found[: len(open_)], found[len(open_) :], strict=True)
        if fit < count
    }
    return columns | {name: _told(reader, relation, column, fit) for name, (column, fit) in odd.items()}


def _told(reader: Reader, relation: str, column: Column, fit: int) -> Column:
    """A declared date or timestamp of which not all cells, but ``fit`` of them, are in ISO 8601."""
    text = quote_name(column.name)
    shape = MONTH_OR_DAY if column.type == "TIMESTAMP" else MONTH_OR_DAY.removesuffix(f"( {CLOCK})?")
    written = f"regexp_full_match({text}, '{shape}')"
    counts = ", ".join(f"count(try_strptime({text}, {quote_text(form)})) FILTER ({written})" for form in FORMS)
    sql = f"SELECT any_value({text}) FILTER ({written}), count(*) FILTER ({written}), {counts} FROM {relation}"
    example, count, *held = first_row(reader, sql)
    if count <= fit:
        return replace(column, advice=f"declare what column {column.name} is, or {_say(column, '%d.%m.%Y')}")
    right = _forms_of_all(iter(held), count)
    if len(right) == 1:
        return replace(column, form=right[0], note=_written(column.name, right[0], str(example)))
    if right:
        why = f"nothing tells the day from the month in column {column.name}"
        return replace(column, advice=f"{why}: {_say(column, *right)}")
    return replace(column, advice=f"the cells of column {column.name} are not all written in one way: {_say(column)}")


def _say(column: Column, *forms: str) -> str:
    if not forms:
        return "declare it VARCHAR"
    said = " or ".join(quote_text(form) for form in forms)
    return f"say how it is written: FROM read_csv('FILE', {FORM_OPTIONS[column.type]} = {said})"


def _written(name: str, form: str, example: str) -> str:
    return f"column {name} has dates written {form}, such as {example}"


def _forms_of_all(counts: Iterator[int], filled: int) -> list[str]:
    """The forms that hold all of so many cells; ``counts`` says of each form how many it holds."""
    return [
        form for form, count in zip(FORMS, list(itertools.islice(counts, len(FORMS))), strict=True) if count == filled
    ]


def said_forms(reader: Reader, relation: str, names: Sequence[str], known: Known) -> dict[str, Column]:
    """Columns that are all dates as a person says that they are written."""
    found: dict[str, Column] = {}
    for form, type_ in ((known.stamps, "TIMESTAMP"), (known.dates, "DATE")):
        if form and names:
            texts = [quote_name(name) for name in names]
            counts = ", ".join(f"count({text}), count(try_strptime({text}, {quote_text(form)}))" for text in texts)
            filled = iter(first_row(reader, f"SELECT {counts} FROM {relation}"))
            for name in names:
                if 0 < next(filled) == next(filled):
                    found[name] = Column(name=name, type=type_, form=form)
    return found


def written_dates(reader: Reader, relation: str, names: Sequence[str]) -> dict[str, Column]:
    """Dates with the day or the month first; where nothing tells which, they stay text."""
    items: list[str] = []
    for name in names:
        text = quote_name(name)
        items += [f"any_value({text})", f"count({text})"]
        items += [f"count(try_strptime({text}, {quote_text(form)}))" for form in FORMS]
    if not items:
        return {}
    found = iter(first_row(reader, f"SELECT {', '.join(items)} FROM {relation}"))
    columns = {}
    for name in names:
        example, filled = next(found), next(found)
        columns[name] = _written_date(name, str(example), _forms_of_all(found, filled))
    return columns


def _written_date(name: str, example: str, right: Sequence[str]) -> Column:
    if len(right) == 1:
        type_ = "TIMESTAMP" if "%H" in right[0] else "DATE"
        return Column(name=name, type=type_, form=right[0], note=_written(name, right[0], example))
    why, advice = f"its dates, such as {example}, are not all written in one way", ""
    if right:
        advice = "say how it is written"
        why = f"nothing tells the day from the month in {example}; strptime(column, '{right[0]}') reads the day first"
    return Column(name=name, note=f"column {name} stays text: {why}", advice=advice)
