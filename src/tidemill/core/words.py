"""Words that every layer that speaks to people needs."""

from __future__ import annotations


def count(number: int, what: str) -> str:
    """A number with its noun: ``1 step``, ``7,043 rows``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
