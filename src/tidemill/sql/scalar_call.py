"""A call of a scalar or analytic function, and SQL templates to write it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlglot import exp, parse_one  # noqa: TID253

from tidemill.core.errors import BindError, Where
from tidemill.sql.parse_calls import NAMESPACES
from tidemill.sql.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarCall:
    """A call: the function's canonical name, its arguments in order, and its place.

    ``settings`` are the named arguments, checked, with defaults filled in; ``over`` is the window of an analytic
    function.
    """

    function: str
    arguments: Sequence[exp.Expr]
    where: Where | None
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    over: exp.Window | None = None

    def wrong(self, message: str) -> BindError:
        """An error about the arguments."""
        return BindError(f"{self.function}: {message}", where=self.where, function=self.function)

    def number(self, index: int, default: float, *, name: str) -> float:
        """A number literal."""
        if index >= len(self.arguments):
            return default
        value = literal_number(self.arguments[index])
        if value is None:
            raise self.wrong(f"{name} is a number written out")
        return value

    def whole(self, index: int, default: int, *, name: str, low: int, high: int) -> int:
        """A whole number literal within bounds."""
        value = self.number(index, default, name=name)
        if value != int(value) or not low <= value <= high:
            raise self.wrong(f"{name} is a whole number from {low:,} to {high:,}")
        return int(value)

    def choice(self, index: int, choices: Sequence[str], *, name: str) -> str:
        """A string literal among some; the first without it."""
        if index >= len(self.arguments):
            return choices[0]
        argument = self.arguments[index]
        value = argument.name if isinstance(argument, exp.Literal) and argument.is_string else ""
        found = next((choice for choice in choices if choice.lower() == value.lower()), None)
        if found is None:
            raise self.wrong(f"{name} is one of {', '.join(repr(choice) for choice in choices)}")
        return found

    def flag(self, index: int, default: bool, *, name: str) -> bool:
        """TRUE or FALSE."""
        if index >= len(self.arguments):
            return default
        argument = self.arguments[index]
        if not isinstance(argument, exp.Boolean):
            raise self.wrong(f"{name} is TRUE or FALSE")
        return bool(argument.this)

    def numbers(self, index: int, *, name: str) -> list[float]:
        """An array of number literals."""
        argument = self.arguments[index]
        items = argument.expressions if isinstance(argument, exp.Array) else []
        values = [literal_number(item) for item in items]
        if not values or any(value is None for value in values):
            raise self.wrong(f"{name} is an array of numbers written out")
        return [value for value in values if value is not None]


def literal_number(node: exp.Expr) -> float | None:
    """The value of a number literal, or None."""
    if isinstance(node, exp.Neg):
        inner = literal_number(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Paren):
        return literal_number(node.this)
    if isinstance(node, exp.Literal) and not node.is_string:
        return float(node.name)
    # CAST('+inf' AS FLOAT64) is how BigQuery writes infinity.
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and "inf" in node.this.name.lower():
        return float("-inf") if node.this.name.strip().startswith("-") else float("inf")
    return None


@lru_cache(maxsize=256)
def _parsed(sql: str) -> exp.Expr:
    return parse_one(sql, dialect="duckdb")


def fill(sql: str, **parts: exp.Expr) -> exp.Expr:
    """A template in DuckDB's dialect with its placeholders (``:name``) filled in."""
    wrapped = {name: part if _is_atom(part) else exp.paren(part) for name, part in parts.items()}
    return exp.replace_placeholders(_parsed(sql).copy(), **wrapped)


def _is_atom(node: exp.Expr) -> bool:
    if isinstance(node, exp.Connector):  # sqlglot counts AND and OR among functions
        return False
    return isinstance(node, exp.Column | exp.Literal | exp.Func | exp.Paren | exp.Array | exp.Boolean | exp.Null)


def number(value: float) -> exp.Expr:
    """A number as a literal."""
    text = str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return exp.Literal.number(text) if value >= 0 else exp.Neg(this=exp.Literal.number(text.lstrip("-")))


def place_of(node: exp.Expr) -> Where | None:
    """Where a function stands in the text it was read from; None for a tree made by hand."""
    text, start, stop = (node.meta.get(key) for key in ("text", "start", "name_stop"))
    if not isinstance(text, Text) or start is None or stop is None:
        return None
    return text.where(int(start), int(stop))


def ml_name(node: exp.Expr) -> str:
    """Canonical name of an ML, AI or CLEAN function that stands in an expression, or ''."""
    if isinstance(node, exp.Dot) and isinstance(node.this, exp.Identifier):
        family = node.this.name.upper()
        if family in NAMESPACES and isinstance(node.expression, exp.Anonymous):
            return f"{family}.{node.expression.name.upper()}"
    if isinstance(node, exp.Anonymous) and node.name.upper() == "VECTOR_SEARCH":
        return "VECTOR_SEARCH"
    return ""
