"""Spans of time in words: '90 minutes', '2 days'; or short: '90m', '2d'."""

from __future__ import annotations

import re
from datetime import timedelta

UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(?:(second|minute|hour|day|week)s?|([smhdw])(?![a-z]))", re.IGNORECASE)
_LONGEST_S = 1_000 * 365.25 * 86_400  # before and behind today there are dates for as long
_SHORT = {unit[0]: unit for unit in UNITS}


def read_duration(text: str) -> timedelta | None:
    """A span from a number and a unit, several times over ('1 day 12 hours', '1d 12h'); None when the text is none.

    More than a thousand years are none.
    """
    seconds, rest = 0.0, text.strip()
    while found := _PART.match(rest):
        seconds += float(found[1]) * UNITS[(found[2] or _SHORT[found[3].lower()]).lower()]
        rest = rest[found.end() :].lstrip(" ,")
    return timedelta(seconds=seconds) if 0 < seconds <= _LONGEST_S and not rest else None


def show_duration(span: timedelta) -> str:
    """A span in its largest unit that keeps it readable: ``1.5 days``."""
    seconds = span.total_seconds()
    unit = next((name for name in reversed(UNITS) if abs(seconds) >= 2 * UNITS[name]), "second")
    return f"{seconds / UNITS[unit]:.3g} {unit}s"
