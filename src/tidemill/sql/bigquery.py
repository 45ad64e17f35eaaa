"""Where BigQuery's functions mean something else than their namesakes in the engine: trees are changed to say it.

sqlglot translates most of BigQuery's SQL; these are the functions it passes on by name, or with other semantics.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/functions-all
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sqlglot import exp  # noqa: TID253

from tidemill.sql import bigquery_arrays as arrays
from tidemill.sql import bigquery_texts as texts
from tidemill.sql.bigquery_arrays import call, cast

Rule = Callable[[Any], exp.Expr | None]

# DATE_TRUNC to one of these gives a date whatever it is given.
SMALL_PARTS = MappingProxyType({"MILLISECOND": 1_000, "MICROSECOND": 1_000_000})
DATE_UNITS = ("DAY", "WEEK", "ISOWEEK", "MONTH", "QUARTER", "YEAR", "ISOYEAR")


def mend_functions(tree: exp.Expr) -> exp.Expr:
    """Replace functions that mean something else; the tree is changed in place, its root may be another."""
    return _replace(tree, lambda node: RULES.get(type(node)) or NAMED_RULES.get(node.name.upper()))


def mend_casts(tree: exp.Expr) -> exp.Expr:
    """Convert numbers the way BigQuery does; the tree is changed in place, its root may be another."""
    return _replace(tree, lambda node: texts.converted if type(node) in (exp.Cast, exp.TryCast) else None)


def _replace(tree: exp.Expr, rule_of: Callable[[exp.Expr], Rule | None]) -> exp.Expr:
    for node in reversed(list(tree.walk())):  # inner ones first
        rule = rule_of(node)
        new = rule(node) if rule else None
        if new is None:
            continue
        if node.parent is None:
            new.meta.update(node.meta)
            tree = new
        else:
            node.replace(new)
    return tree


def _extract(node: exp.Extract) -> exp.Expr | None:
    part = node.this.name.upper() if isinstance(node.this, exp.Var) else ""
    value = node.expression
    if part == "DAYOFWEEK":  # 1 is Sunday; the engine's 0 is
        return exp.paren(exp.Add(this=call("DAYOFWEEK", value), expression=exp.Literal.number(1)))
    if part == "WEEK":  # weeks begin on Sunday, days before the first are week 0; the engine's weeks are ISO's
        return cast(call("STRFTIME", value, exp.Literal.string("%U")), "BIGINT")
    if isinstance(node.this, exp.WeekStart) and node.this.this.name.upper() == "MONDAY":
        return cast(call("STRFTIME", value, exp.Literal.string("%W")), "BIGINT")
    if part == "ISOWEEK":
        return call("WEEK", value)
    if part in ("DATE", "TIME"):
        return cast(value, part)
    if part in SMALL_PARTS:  # the engine counts the whole seconds in
        whole = exp.Extract(this=node.this.copy(), expression=value.copy())
        return exp.paren(exp.Mod(this=whole, expression=exp.Literal.number(SMALL_PARTS[part])))
    return None


def _is_date_already(node: exp.Expr) -> bool:
    return isinstance(node.parent, exp.Cast) and node.parent.to.is_type(exp.DType.DATE)


def _date_result(node: exp.DateAdd | exp.DateSub) -> exp.Expr | None:
    """DATE_ADD gives a date; the engine's sum of a date and an interval is a timestamp."""
    return None if _is_date_already(node) else cast(node, "DATE")


def _date_trunc(node: exp.DateTrunc) -> exp.Expr | None:
    unit = node.args.get("unit")
    name = unit.name.upper() if isinstance(unit, exp.Expr) else ""
    whole = isinstance(unit, exp.WeekStart) or name.partition("(")[0] in DATE_UNITS
    return cast(node, "DATE") if whole and not _is_date_already(node) else None


def _timestamp_diff(node: exp.TimestampDiff) -> exp.Expr | None:
    """Whole units that lie between; the engine's DATE_DIFF counts the boundaries crossed."""
    unit = node.args.get("unit")
    name = unit.name.lower() if isinstance(unit, exp.Expr) else "second"
    return call("DATESUB", exp.Literal.string(name), node.expression, node.this)


def _decimal(node: exp.DataType) -> exp.Expr | None:
    """NUMERIC has 38 digits, 9 of them behind the point."""
    if node.this == exp.DType.DECIMAL and not node.expressions:
        return exp.DataType.build("DECIMAL(38, 9)", dialect="duckdb")
    return None


def _byte_length(node: exp.ByteLength) -> exp.Expr:
    return call("STRLEN", node.this)


def _current_datetime(_: exp.CurrentDatetime) -> exp.Expr:
    return cast(exp.CurrentTimestamp(), "TIMESTAMP")


def _normalize(node: exp.Normalize) -> exp.Expr | None:
    return None if node.args.get("form") else call("NFC_NORMALIZE", node.this)


def _safe(node: exp.SafeFunc) -> exp.Expr:
    return call("TRY", node.this)


def _ieee_divide(node: exp.Anonymous) -> exp.Expr | None:
    if len(node.expressions) != 2:
        return None
    left, right = (cast(value, "DOUBLE") for value in node.expressions)
    return exp.paren(exp.Div(this=left, expression=right, typed=False, safe=False))


def _date_of_days(node: exp.DateFromUnixDate) -> exp.Expr:
    return cast(node, "DATE")


RULES: Mapping[type[exp.Expr], Rule] = MappingProxyType(
    {
        exp.Extract: _extract,
        exp.DateAdd: _date_result,
        exp.DateSub: _date_result,
        exp.DateTrunc: _date_trunc,
        exp.DateFromUnixDate: _date_of_days,
        exp.TimestampDiff: _timestamp_diff,
        exp.CurrentDatetime: _current_datetime,
        exp.DataType: _decimal,
        exp.ByteLength: _byte_length,
        exp.Normalize: _normalize,
        exp.SafeFunc: _safe,
        exp.Literal: texts.float_literal,
        exp.Format: texts.format_text,
        exp.Substring: texts.substring,
        exp.FarmFingerprint: texts.fingerprint,
        exp.SafeAdd: texts.safe_add,
        exp.SafeSubtract: texts.safe_subtract,
        exp.SafeMultiply: texts.safe_multiply,
        exp.SafeNegate: texts.safe_negate,
        exp.ParseNumeric: texts.parse_numeric,
        exp.Unnest: arrays.unnest,
        exp.ArrayAgg: arrays.array_agg,
        exp.GenerateSeries: arrays.generate_array,
        exp.RangeBucket: arrays.range_bucket,
        exp.ArrayFirst: arrays.array_first,
        exp.ArrayLast: arrays.array_last,
    }
)
NAMED_RULES: Mapping[str, Rule] = MappingProxyType({"IEEE_DIVIDE": _ieee_divide})
