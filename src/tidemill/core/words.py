"""Words that every layer that speaks to people needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def count(number: int, what: str) -> str:
    """A number with its noun: ``1 step``, ``7,043 rows``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def listed(names: Iterable[str], most: int = 8) -> str:
    """Some names with commas, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def class_text(value: Any) -> str:
    """A class, or another plain value, as answers, settings and SQL have it: no ``True`` of Python."""
    return str(value).lower() if isinstance(value, bool) else str(value)
