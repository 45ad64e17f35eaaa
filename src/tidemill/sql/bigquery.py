"""Where BigQuery's functions mean something else than their namesakes in the engine: trees are changed to say it.

sqlglot translates most of BigQuery's SQL; these are the functions it passes on by name, or with other semantics.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/functions-all
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp  # noqa: TID253

# DATE_TRUNC to one of these gives a date whatever it is given.
DATE_UNITS = ("DAY", "WEEK", "ISOWEEK", "MONTH", "QUARTER", "YEAR", "ISOYEAR")
MOST_ELEMENTS = 10_000


def mend_functions(tree: exp.Expr) -> exp.Expr:
    """Replace functions that mean something else; the tree is changed in place, its root may be another."""
    nodes = [node for node in tree.walk() if type(node) in RULES or isinstance(node, exp.Anonymous)]
    for node in reversed(nodes):  # inner ones first
        rule = RULES.get(type(node)) or NAMED_RULES.get(node.name.upper())
        new = rule(node) if rule else None
        if new is None:
            continue
        parent = node.parent
        if parent is None:
            new.meta.update(node.meta)
            tree = new
        else:
            node.replace(new)
    return tree


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _cast(value: exp.Expr, kind: str) -> exp.Cast:
    return exp.Cast(this=value.copy(), to=exp.DataType.build(kind, dialect="duckdb"))


def _extract(node: exp.Extract) -> exp.Expr | None:
    part = node.this.name.upper() if isinstance(node.this, exp.Var) else ""
    value = node.expression
    if part == "DAYOFWEEK":  # 1 is Sunday; the engine's 0 is
        return exp.paren(exp.Add(this=_call("DAYOFWEEK", value), expression=exp.Literal.number(1)))
    if part == "WEEK":  # weeks begin on Sunday, days before the first are week 0; the engine's weeks are ISO's
        return _cast(_call("STRFTIME", value, exp.Literal.string("%U")), "BIGINT")
    if isinstance(node.this, exp.WeekStart) and node.this.this.name.upper() == "MONDAY":
        return _cast(_call("STRFTIME", value, exp.Literal.string("%W")), "BIGINT")
    if part == "ISOWEEK":
        return _call("WEEK", value)
    if part in ("DATE", "TIME"):
        return _cast(value, part)
    return None


def _is_date_already(node: exp.Expr) -> bool:
    return isinstance(node.parent, exp.Cast) and node.parent.to.is_type(exp.DType.DATE)


def _date_result(node: exp.DateAdd | exp.DateSub) -> exp.Expr | None:
    """DATE_ADD gives a date; the engine's sum of a date and an interval is a timestamp."""
    return None if _is_date_already(node) else _cast(node, "DATE")


def _date_trunc(node: exp.DateTrunc) -> exp.Expr | None:
    unit = node.args.get("unit")
    name = unit.name.upper() if isinstance(unit, exp.Expr) else ""
    whole = isinstance(unit, exp.WeekStart) or name.partition("(")[0] in DATE_UNITS
    return _cast(node, "DATE") if whole and not _is_date_already(node) else None


def _timestamp_diff(node: exp.TimestampDiff) -> exp.Expr | None:
    """Whole units that lie between; the engine's DATE_DIFF counts the boundaries crossed."""
    unit = node.args.get("unit")
    name = unit.name.lower() if isinstance(unit, exp.Expr) else "second"
    return _call("DATESUB", exp.Literal.string(name), node.expression, node.this)


def _format(node: exp.Format) -> exp.Expr:
    return _call("PRINTF", node.this, *node.expressions)


def _decimal(node: exp.DataType) -> exp.Expr | None:
    """NUMERIC has 38 digits, 9 of them behind the point."""
    if node.this == exp.DType.DECIMAL and not node.expressions:
        return exp.DataType.build("DECIMAL(38, 9)", dialect="duckdb")
    return None


def _generate_array(node: exp.GenerateSeries) -> exp.Expr | None:
    """A step that is not whole: the engine makes series of integers only."""
    parts = [node.args.get(part) for part in ("start", "end", "step")]
    if not all(isinstance(part, exp.Literal) and not part.is_string for part in parts):
        return None
    texts = [part.name for part in parts if part is not None]
    if all(text.isdigit() for text in texts):
        return None
    start, end, step = (float(text) for text in texts)
    if step <= 0 or (end - start) / step > MOST_ELEMENTS:
        return None
    count = int((end - start) / step + 1e-9) + 1
    values = [exp.Literal.number(repr(start + step * index)) for index in range(max(0, count))]
    return exp.Array(expressions=[_cast(value, "DOUBLE") for value in values])


def _byte_length(node: exp.ByteLength) -> exp.Expr:
    return _call("STRLEN", node.this)


def _current_datetime(_: exp.CurrentDatetime) -> exp.Expr:
    return _cast(exp.CurrentTimestamp(), "TIMESTAMP")


def _range_bucket(node: exp.RangeBucket) -> exp.Expr:
    element = exp.to_identifier("tm_e")
    test = exp.LTE(this=element.copy(), expression=node.this.copy())
    smaller = exp.Lambda(this=test, expressions=[element])
    return _call("LEN", _call("LIST_FILTER", node.expression, smaller))


def _normalize(node: exp.Normalize) -> exp.Expr | None:
    return None if node.args.get("form") else _call("NFC_NORMALIZE", node.this)


def _safe(node: exp.SafeFunc) -> exp.Expr:
    return _call("TRY", node.this)


def _ieee_divide(node: exp.Anonymous) -> exp.Expr | None:
    if len(node.expressions) != 2:
        return None
    left, right = (_cast(value, "DOUBLE") for value in node.expressions)
    return exp.paren(exp.Div(this=left, expression=right, typed=False, safe=False))


RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr | None]] = {
    exp.Extract: _extract,
    exp.DateAdd: _date_result,
    exp.DateSub: _date_result,
    exp.DateTrunc: _date_trunc,
    exp.TimestampDiff: _timestamp_diff,
    exp.Format: _format,
    exp.DataType: _decimal,
    exp.GenerateSeries: _generate_array,
    exp.ByteLength: _byte_length,
    exp.CurrentDatetime: _current_datetime,
    exp.RangeBucket: _range_bucket,
    exp.Normalize: _normalize,
    exp.SafeFunc: _safe,
}
NAMED_RULES: dict[str, Callable[[Any], exp.Expr | None]] = {"IEEE_DIVIDE": _ieee_divide}
