"""What to learn from a table: the task, the columns a model should see, and why not the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tidemill.core.errors import BindError, EmptyDataError, LabelError
from tidemill.core.names import did_you_mean, quote_name
from tidemill.sources.files import Reader, first_row
from tidemill.sources.leaks import find_leaks
from tidemill.sources.sniff import ColumnProfile, TableProfile, looks_like_identifier, sample, sql_name

Task = Literal["binary", "multiclass", "regression"]

FREE_TEXT = "free text: as a category it would be learnt by heart"
SAMPLE_ROWS = 20_000
MOST_CLASSES = 50
CLASS_NUMBERS = 10  # whole numbers with at most so many values are classes
TIME_WORD = re.compile(r"^(?:time|ts|epoch|t)$|(?:_|^)(?:date|timestamp|datetime)$", re.IGNORECASE)
CALENDAR = {
    "year": r"year|yr|jahr",
    "month": r"month|mnth|mon",
    "dayofweek": r"weekday|dayofweek|day_of_week|dow|wday",
    "hour": r"hour|hr|hour_of_day",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A column a model sees; ``expression`` when it is made from a column of the table."""

    name: str
    expression: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A column a model should not see, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to learn: the label and its task, from what, and in which order the rows came to be."""

    label: ColumnProfile
    task: Task
    features: tuple[Feature, ...]
    left_out: tuple[LeftOut, ...]
    order: str = ""  # the column along which time passes
    key: str = ""  # the column that names the row's entity
    notes: tuple[str, ...] = ()


def choose(reader: Reader, table: TableProfile, predict: str) -> Choice:
    """Decide what a model of one column should learn from.

    Raises
    ------
    EmptyDataError
        The file has no rows, or no column is left to learn from.
    BindError
        There is no column of that name.
    LabelError
        The column cannot be predicted: it is missing, constant, a name or a date.
    """
    file = table.scan.name
    if not table.rows:
        raise EmptyDataError(f"{file} has no rows", hint="give a file with rows under its header")
    label = table.column(predict)
    if label is None:
        hint = did_you_mean(predict, [column.source for column in table.columns])
        raise BindError(f"{file} has no column {predict}", hint=hint, columns=[one.source for one in table.columns])
    task = choose_task(label, file)
    order = find_order(table, label)
    features, left_out = _sort_out(reader, table, label, leaks=_leaks(reader, table, label, task), order=order)
    note = ""
    if not features:
        texts = [column for column in table.columns if column is not label and why_not(column) == FREE_TEXT]
        features = [feature for text in texts for feature in _text_measures(text)]
        note = "only free text is left to learn from: its length, digits and capitals are a first measure of it"
    elif order and all(feature.expression and feature.name.startswith(f"{order}_") for feature in features):
        note = "only the calendar is left to learn from: this is a series, and a forecast of it needs its own past"
    if not features:
        raise EmptyDataError(
            f"nothing is left to predict {label.source} from: every other column of {file} is left out",
            hint="; ".join(f"{one.name}: {one.why}" for one in left_out[:5]) or "the file has no other column",
        )
    return Choice(
        label=label,
        task=task,
        features=tuple(features),
        left_out=tuple(left_out),
        order=order,
        key=_find_key(table, label, features),
        notes=(note,) if note else (),
    )


def _sort_out(
    reader: Reader, table: TableProfile, label: ColumnProfile, *, leaks: dict[str, str], order: str
) -> tuple[list[Feature], list[LeftOut]]:
    """The columns a model may see, and the others with their reasons."""
    features: list[Feature] = []
    left_out: list[LeftOut] = []
    for column in table.columns:
        if column is label:
            continue
        why = leaks.get(column.name) or why_not(column)
        if why or column.kind in ("date", "time"):
            parts = [] if why else _calendar(reader, table, column)
            features.extend(parts)
            tail = "; only the split goes by it" if column.name == order else ""
            left_out.append(LeftOut(name=column.name, why=(why or _why_no_date(parts)) + tail))
        elif column.name == order:
            left_out.append(LeftOut(name=column.name, why="orders the rows in time: only the split goes by it"))
        else:
            features.append(Feature(name=column.name))
    return features, left_out


def _find_key(table: TableProfile, label: ColumnProfile, features: list[Feature]) -> str:
    """The first column that names the row's entity: each row has its own value, and no model learns from it."""
    learnt = {feature.name for feature in features}
    names = [
        column.name
        for column in table.columns
        if column is not label and column.name not in learnt and column.is_unique
        if looks_like_identifier(column) or column.is_counter
    ]
    return names[0] if names else ""


def choose_task(label: ColumnProfile, file: str) -> Task:
    """Classification for a handful of values, regression for numbers.

    Raises
    ------
    LabelError
        The column has no values to tell apart, or too many to be classes.
    """
    name = f"column {label.source} of {file}"
    if not label.distinct and label.kind != "other":
        raise LabelError(f"{name} is empty: there is nothing to learn", hint="predict a column that has values")
    if label.distinct == 1:
        value = label.values[0][0]
        raise LabelError(f"{name} has one value, {value!r}: there is nothing to learn", hint="predict another column")
    if label.kind in ("date", "time", "other"):
        raise LabelError(
            f"{name} has the type {label.type}, which no model here predicts",
            hint="predict a number made from it, such as the days until it",
        )
    if label.kind == "bool" or label.distinct == 2:
        return "binary"
    if label.kind == "number":
        few = label.is_whole and label.distinct <= CLASS_NUMBERS and label.high - label.low < 2 * CLASS_NUMBERS
        return "multiclass" if few else "regression"
    if label.distinct > MOST_CLASSES:
        raise LabelError(
            f"{name} has {label.distinct:,} different texts: too many to be classes",
            hint="group them into fewer, or predict another column",
            classes=label.distinct,
        )
    return "multiclass"


def _leaks(reader: Reader, table: TableProfile, label: ColumnProfile, task: Task) -> dict[str, str]:
    suspects = [column.name for column in table.columns if column is not label and _may_leak(column)]
    if not suspects:
        return {}
    rows = sample(reader, table, [label.name, *suspects], most=SAMPLE_ROWS)
    found = find_leaks(rows, label.name, regression=task == "regression")
    return {name: f"gives {label.name} away: {leak.why}" for leak in found for name in leak.columns}


def _may_leak(column: ColumnProfile) -> bool:
    if column.kind not in ("number", "text", "bool") or column.distinct + (column.nulls > 0) < 2:
        return False
    return not column.is_unique or column.kind == "number"


def why_not(column: ColumnProfile) -> str:
    """Why a model should not see a column; '' when it may."""
    filled = column.rows - column.nulls
    if column.kind == "other":
        return f"has the type {column.type}: add it by hand if it should be learnt from"
    if not column.distinct:
        return "is empty"
    if column.distinct == 1:
        value = "" if not column.values else str(column.values[0][0])
        return f"is {value[:30]} in every row" if not column.nulls else f"has no value but {value[:30]}"
    if column.is_counter:
        return "counts the rows"
    if looks_like_identifier(column):
        if column.is_unique:
            return "identifies the row: every row has its own"
        if column.distinct > (20 if column.kind == "number" else MOST_CLASSES):
            return f"identifies something ({column.distinct:,} different ones): its value measures nothing"
    if column.kind == "text" and column.distinct > 0.5 * filled and column.distinct > 20:
        if column.words >= 2:
            return FREE_TEXT
        return f"nearly every row has its own ({column.distinct:,} in {filled:,})"
    if column.kind == "text" and column.words >= 3 and column.width > 40 and column.distinct > 0.1 * filled:
        return FREE_TEXT
    return ""


def find_order(table: TableProfile, label: ColumnProfile) -> str:
    """The column along which time passes, when the rows of the file stand in the order of time; '' otherwise."""
    rising = [column for column in table.columns if column.rising and column is not label and column.distinct > 20]
    dates = [column for column in rising if column.kind in ("date", "time")]
    if dates:
        return dates[0].name
    for column in rising:
        if TIME_WORD.search(column.name):
            return column.name
    counter = next((column.name for column in rising if column.is_counter), "")
    year = next((column for column in table.columns if _is_calendar(column, "year")), None)
    month = next((column for column in table.columns if _is_calendar(column, "month")), None)
    in_order = year is not None and month is not None and year.rising and year.distinct > 1
    return counter if in_order else ""


def _is_calendar(column: ColumnProfile, part: str) -> bool:
    return column.kind == "number" and re.fullmatch(CALENDAR[part], column.name, re.IGNORECASE) is not None


def _calendar(reader: Reader, table: TableProfile, column: ColumnProfile) -> list[Feature]:
    """Parts of a date that come again (month, weekday, hour), unless the table has them already."""
    quoted = quote_name(column.name)
    wanted = ["month", "dayofweek", *(["hour"] if column.kind == "time" else [])]
    wanted = [part for part in wanted if not any(_is_calendar(other, part) for other in table.columns)]
    if not wanted:
        return []
    counts = first_row(
        reader,
        f"SELECT count(DISTINCT day({quoted})), {', '.join(f'count(DISTINCT {part}({quoted}))' for part in wanted)}"
        f" FROM {table.relation}",
    )
    days = counts[0]  # one day of the month: the rows are months, whose weekdays mean nothing
    return [
        Feature(name=f"{column.name}_{part}", expression=f"{part}({sql_name(column.name)})")
        for part, count in zip(wanted, counts[1:], strict=True)
        if count > 1 and not (part == "dayofweek" and days == 1)
    ]


def _why_no_date(parts: Sequence[Feature]) -> str:
    if parts:
        return "a date never comes again: its parts stand for it"
    return "a date never comes again, and its parts are columns already or never change"


def _text_measures(text: ColumnProfile) -> list[Feature]:
    column = sql_name(text.name)
    return [
        Feature(name=f"{text.name}_length", expression=f"length({column})"),
        Feature(name=f"{text.name}_digits", expression=f"length(regexp_replace({column}, '[^0-9]', '', 'g'))"),
        Feature(name=f"{text.name}_capitals", expression=f"length(regexp_replace({column}, '[^A-Z]', '', 'g'))"),
    ]
