"""What a profile says of a column: one row a fact, and the SQL of those that one scan of all columns computes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tidemill.analysis.table import COLUMNS_PER_SCAN, WIDE, Column, Kind, Table

ALL: tuple[Kind, ...] = ("number", "text", "bool", "date", "time", "blob", "list", "map", "struct", "other")
TIMES: tuple[Kind, ...] = ("date", "time")
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A fact about a column.

    Parameters
    ----------
    sql
        An aggregate over all rows, where ``{x}`` is the column and ``{n}`` the number of its items; '' when the fact
        is found otherwise.
    """

    name: str
    kinds: tuple[Kind, ...]
    doc: str
    sql: str = ""


STATISTICS = (
    Statistic(name="nulls", kinds=ALL, sql="count({x})", doc="Rows without a value."),
    Statistic(
        name="distinct",
        kinds=("number", "text", "date", "time", "blob", "list", "map", "struct", "other"),
        sql="approx_count_distinct({x})",
        doc="Different values; an estimate (HyperLogLog) when there are many, and then listed under `approximate`.",
    ),
    Statistic(
        name="min", kinds=("number", *TIMES, "other"), sql="min({x})", doc="Smallest value, NaN and infinity apart."
    ),
    Statistic(
        name="max", kinds=("number", *TIMES, "other"), sql="max({x})", doc="Largest value, NaN and infinity apart."
    ),
    Statistic(name="zeros", kinds=("number",), doc="Rows with 0."),
    Statistic(name="negatives", kinds=("number",), doc="Rows with a number below 0."),
    Statistic(name="nan", kinds=("number",), doc="Rows with NaN."),
    Statistic(name="infinite", kinds=("number", *TIMES), doc="Rows with infinity."),
    Statistic(name="mean", kinds=("number",), doc="Mean of the finite values."),
    Statistic(name="sd", kinds=("number",), doc="Standard deviation, divided by n - 1."),
    Statistic(name="skew", kinds=("number",), doc="Skewness: the mean of cubed z-scores (Fisher and Pearson's g1)."),
    Statistic(name="kurtosis", kinds=("number",), doc="Excess kurtosis: the mean of z-scores to the fourth, less 3."),
    Statistic(
        name="quantiles",
        kinds=("number",),
        doc="The values below which 1, 5, 25, 50, 75, 95 and 99 % of the rows stand. In a table of more rows than the "
        "sample the ranks are counted at about a hundred edges, and values between two edges are estimates.",
    ),
    Statistic(name="histogram", kinds=("number", *TIMES), doc="Rows between edges, which are round numbers or times."),
    Statistic(name="top", kinds=ALL, doc="The most frequent values with their rows."),
    Statistic(name="true", kinds=("bool",), sql="count_if({x})", doc="Rows with true."),
    Statistic(name="length", kinds=("text",), doc="Least, mean and most characters."),
    Statistic(name="empty", kinds=("text",), doc="Rows with a text of no characters."),
    Statistic(name="blank", kinds=("text",), doc="Rows with a text of blanks only."),
    Statistic(name="padded", kinds=("text",), doc="Rows with blanks before or behind the text."),
    Statistic(name="numeric", kinds=("text",), doc="Rows whose text is a number."),
    Statistic(name="dates", kinds=("text",), doc="Rows whose text is a date, by the format it is written in."),
    Statistic(name="missing_words", kinds=("text",), doc="Rows with a word people write for a missing value."),
    Statistic(
        name="patterns",
        kinds=("text",),
        doc="Shapes of the texts: A for a capital, a for another letter, 9 for a digit; + behind one that repeats.",
    ),
    Statistic(name="variants", kinds=("text",), doc="Words that are written in several ways: capitals differ."),
    Statistic(
        name="personal", kinds=("text", "number"), doc="Kinds of personal data it may hold, with the share of values."
    ),
    Statistic(name="granularity", kinds=TIMES, doc="The coarsest unit all values keep to, from year to microsecond."),
    Statistic(
        name="gaps", kinds=TIMES, doc="Hours, days or months without a row between the first and last, and the longest."
    ),
    Statistic(name="weekdays", kinds=TIMES, doc="Rows by weekday, Monday first."),
    Statistic(name="hours", kinds=("time",), doc="Rows by hour of the day, in UTC, 0 first."),
    Statistic(name="future", kinds=TIMES, doc="Rows after the time of the profile."),
    Statistic(name="bytes_min", kinds=("blob",), sql="min(octet_length({x}))", doc="Bytes of the smallest value."),
    Statistic(name="bytes_mean", kinds=("blob",), sql="avg(octet_length({x}))", doc="Mean of the bytes."),
    Statistic(name="bytes_max", kinds=("blob",), sql="max(octet_length({x}))", doc="Bytes of the largest value."),
    Statistic(name="items_min", kinds=("list", "map"), sql="min({n})", doc="Items of the shortest list or map."),
    Statistic(name="items_mean", kinds=("list", "map"), sql="avg({n})", doc="Mean of the items."),
    Statistic(name="items_max", kinds=("list", "map"), sql="max({n})", doc="Items of the longest list or map."),
)
"""Every fact, in the order in which they are written."""


def scan(table: Table, *, distinct: bool = True) -> list[dict[str, Any]]:
    """Every fact of every column that an aggregate over all rows gives, some hundred columns a scan.

    Parameters
    ----------
    distinct
        Whether to estimate the different values.
    """
    found: list[dict[str, Any]] = []
    for start in range(0, len(table.columns), COLUMNS_PER_SCAN):
        part = table.columns[start : start + COLUMNS_PER_SCAN]
        plan = [(column, row) for column in part for row in _rows_of(column) if distinct or row.name != "distinct"]
        values = table.first([_item(column, row) for column, row in plan])
        facts: dict[str, dict[str, Any]] = {column.name: {} for column in part}
        for (column, row), value in zip(plan, values, strict=True):
            facts[column.name][row.name] = _mended(column, row, value, table.rows)
        found += facts.values()
    return found


def _rows_of(column: Column) -> list[Statistic]:
    return [row for row in STATISTICS if row.sql and column.kind in row.kinds]


def finite_facts(table: Table, column: Column) -> dict[str, Any]:
    """Smallest and largest finite value, and how many others there are: asked for where there are some."""
    low, high, nan, infinite = table.first(
        [
            *(_text(column, f"{name}({column.finite})") for name in ("min", "max")),
            f"count_if(isnan({column.sql}))" if column.is_float else "0",
            f"count_if(isinf({column.sql}))",
        ]
    )
    return {"min": low, "max": high, "nan": int(nan), "infinite": int(infinite)}


def is_finite(value: Any) -> bool:
    """Whether a smallest or largest value is one that sums survive."""
    return math.isfinite(value) if isinstance(value, float) else str(value).lstrip("-") != "infinity"


def _item(column: Column, row: Statistic) -> str:
    count = f"cardinality({column.sql})" if column.kind == "map" else f"len({column.sql})"
    sql = row.sql.format(x=column.sql, n=count)
    return _text(column, sql) if row.name in ("min", "max") else sql


def _text(column: Column, sql: str) -> str:
    """A value of a column as text, where Python has no such type."""
    return f"CAST({sql} AS VARCHAR)" if column.kind != "number" or column.type in WIDE else sql


def _mended(column: Column, row: Statistic, value: Any, rows: int) -> Any:
    if row.name == "nulls":
        return rows - int(value)
    if row.name in ("min", "max") and column.type in WIDE:
        return None if value is None else int(value)
    return exact(value)


def exact(value: Any) -> Any:
    """A number that JSON keeps as it is: a decimal as a whole number, as a float of the same digits, or as text."""
    if not isinstance(value, Decimal):
        return value
    if value == value.to_integral_value():
        return int(value)
    near = float(value)
    return near if Decimal(repr(near)) == value else str(value)
