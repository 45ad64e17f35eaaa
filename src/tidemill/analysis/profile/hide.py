"""Hides the values of a column that may hold personal data: what is shown of them is their shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tidemill.analysis.profile.personal import masked
from tidemill.analysis.profile.result import ColumnProfile, Value

GONE = ("quantiles", "histogram", "mean", "sd", "skew", "kurtosis", "min", "max", "variants", "missing_words")


def hidden(column: ColumnProfile) -> ColumnProfile:
    """The column without its values, when it may hold personal data or is declared to."""
    if not column.suspects and not column.declared:
        return column
    facts: dict[str, Any] = {name: value for name, value in column.facts.items() if name not in GONE}
    if column.declared:
        facts.pop("top", None)
        return replace(column, facts=facts)
    facts["top"] = tuple(Value(value=masked(value.value), rows=value.rows) for value in facts.get("top", ()))
    return replace(column, facts=facts)
