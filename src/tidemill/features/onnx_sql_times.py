"""Dates and timestamps of TRANSFORM as nodes: days and microseconds since 1970, NULL is the smallest integer."""

from __future__ import annotations

import numpy as np  # noqa: TID253
from sqlglot import exp  # noqa: TID253

from tidemill.features.onnx_nodes import civil_nodes, floor_divide
from tidemill.features.onnx_sql_graph import SqlGraph, UnsayableError, Value, bare
from tidemill.features.values import NULL_INTEGER, integer_of

DAY = 86_400_000_000
MOMENTS = ("date", "timestamp")
_NAIVE = frozenset({"DATE", "TIMESTAMP", "TIMESTAMPNTZ", "DATETIME"})


def date_part(graph: SqlGraph, part: str, tree: exp.Expr) -> Value:
    """A part of a date or timestamp as a number."""
    value = graph.value(tree)
    if value.kind not in MOMENTS:
        raise UnsayableError(f"{part} of a {value.kind}")
    missing = graph.is_null(value)
    moment = graph.node("Where", missing, graph.whole(0), value.tensor)
    days = moment if value.kind == "date" else floor_divide(graph.builder, moment, DAY)
    if part in ("HOUR", "MINUTE", "SECOND"):
        if value.kind == "date":
            raise UnsayableError(f"{part} of a date")
        found = _of_day(graph, part, moment, days)
    elif part in ("DOW", "DAYOFWEEK", "WEEKDAY"):  # DuckDB: Sunday is 0
        found = graph.node("Mod", graph.node("Add", days, graph.whole(4)), graph.whole(7))
    elif part == "ISODOW":  # Monday is 1
        found = graph.node(
            "Add", graph.node("Mod", graph.node("Add", days, graph.whole(3)), graph.whole(7)), graph.whole(1)
        )
    else:
        found = _calendar(graph, part, days)
    return _number(graph, found, missing)


def _of_day(graph: SqlGraph, part: str, moment: str, days: str) -> str:
    of_day = graph.node("Sub", moment, graph.node("Mul", days, graph.whole(DAY)))
    seconds = graph.node("Div", of_day, graph.whole(1_000_000))
    if part == "HOUR":
        return graph.node("Div", seconds, graph.whole(3600))
    if part == "MINUTE":
        return graph.node("Mod", graph.node("Div", seconds, graph.whole(60)), graph.whole(60))
    return graph.node("Mod", seconds, graph.whole(60))


def _calendar(graph: SqlGraph, part: str, days: str) -> str:
    year, month, day, of_year = civil_nodes(graph.builder, days)
    match part:
        case "YEAR":
            return year
        case "MONTH":
            return month
        case "DAY" | "DAYOFMONTH":
            return day
        case "DOY" | "DAYOFYEAR":
            return graph.node("Add", of_year, graph.whole(1))
        case "QUARTER":
            return graph.node("Div", graph.node("Add", month, graph.whole(2)), graph.whole(3))
    raise UnsayableError(f"EXTRACT({part}) has no nodes yet")


def _number(graph: SqlGraph, whole: str, missing: str) -> Value:
    number = graph.builder.cast(whole, "double")
    return Value("number", graph.node("Where", missing, graph.real(np.nan), number))


def cast_moment(graph: SqlGraph, value: Value, name: str) -> Value | None:
    """A date or timestamp as the other; None where that is not asked for."""
    if value.kind not in MOMENTS or name not in _NAIVE:
        return None
    wanted = "date" if name == "DATE" else "timestamp"
    if value.kind == wanted:
        return value
    if wanted == "timestamp":
        return Value("timestamp", micros(graph, value))
    missing = graph.is_null(value)
    days = floor_divide(graph.builder, graph.node("Where", missing, graph.whole(0), value.tensor), DAY)
    return Value("date", graph.node("Where", missing, graph.whole(NULL_INTEGER), days))


def written_moment(graph: SqlGraph, tree: exp.Expr, name: str) -> Value | None:
    """``DATE '2024-02-29'`` and ``TIMESTAMP '...'``; None for what is not written out."""
    word = bare(tree)
    if name not in _NAIVE or not (isinstance(word, exp.Literal) and word.is_string):
        return None
    kind = "date" if name == "DATE" else "timestamp"
    try:
        return Value(kind, graph.whole(integer_of(kind, word.name)))
    except ValueError:
        raise UnsayableError(f"{word.name[:40]} is no {kind} that is read here") from None


def micros(graph: SqlGraph, value: Value) -> str:
    """Microseconds of a date or timestamp; NULL stays NULL."""
    if value.kind == "timestamp":
        return value.tensor
    missing = graph.is_null(value)
    found = graph.node("Mul", graph.node("Where", missing, graph.whole(0), value.tensor), graph.whole(DAY))
    return graph.node("Where", missing, graph.whole(NULL_INTEGER), found)


def compare_moments(graph: SqlGraph, left: Value, right: Value, operator: str) -> Value:
    """A comparison of dates and timestamps; NULL where either side is."""
    a, b = (left.tensor, right.tensor) if left.kind == right.kind else (micros(graph, left), micros(graph, right))
    known = graph.node("Not", graph.node("Or", graph.is_null(left), graph.is_null(right)))
    found = graph.node(operator, a, b)
    return Value("condition", graph.node("And", found, known), graph.node("And", graph.node("Not", found), known))


def subtract_dates(graph: SqlGraph, later: Value, earlier: Value) -> Value:
    """Days between two dates."""
    missing = graph.node("Or", graph.is_null(later), graph.is_null(earlier))
    return _number(graph, graph.node("Sub", later.tensor, earlier.tensor), missing)


def date_diff(graph: SqlGraph, tree: exp.Expr) -> Value:
    """DATE_DIFF in days, months, quarters or years: how many of their beginnings lie between."""
    unit = tree.args["unit"].name.upper() if tree.args.get("unit") is not None else ""
    later, earlier = graph.value(tree.this), graph.value(tree.expression)
    if later.kind not in MOMENTS or earlier.kind not in MOMENTS:
        raise UnsayableError(f"DATE_DIFF of a {later.kind} and a {earlier.kind}")
    missing = graph.node("Or", graph.is_null(later), graph.is_null(earlier))
    a, b = (_beginnings(graph, value, unit) for value in (later, earlier))
    return _number(graph, graph.node("Sub", a, b), missing)


def _beginnings(graph: SqlGraph, value: Value, unit: str) -> str:
    moment = graph.node("Where", graph.is_null(value), graph.whole(0), value.tensor)
    days = moment if value.kind == "date" else floor_divide(graph.builder, moment, DAY)
    if unit == "DAY":
        return days
    year, month, _, _ = civil_nodes(graph.builder, days)
    if unit == "YEAR":
        return year
    months = graph.node("Add", graph.node("Mul", year, graph.whole(12)), graph.node("Sub", month, graph.whole(1)))
    if unit == "MONTH":
        return months
    if unit == "QUARTER":
        return floor_divide(graph.builder, months, 3)
    raise UnsayableError(f"DATE_DIFF in {unit.lower()}s has no nodes yet")
