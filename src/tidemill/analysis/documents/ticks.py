"""Where the lines of an axis stand: at round values, labelled with as many digits as they need. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

MOST = 6
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_DAY = timedelta(days=1)


def ticks(low: float, high: float, *, whole: bool = False, most: int = MOST) -> list[tuple[float, str]]:
    """Round values from ``low`` to ``high``, each with its label, evenly apart.

    Parameters
    ----------
    whole
        What is counted: nothing stands between two whole numbers.
    """
    if not high > low:
        return [(low, f"{low:.4g}")]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in _ROUND if one * power >= rough * (1 - 1e-9))
    if whole:
        step = max(1.0, float(math.ceil(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    thousands = max(abs(low), abs(high)) >= 10_000
    unit = 1_000.0 if thousands else 1.0
    digits = _digits(step / unit)
    return [
        (number * step, f"{number * step / unit:,.{digits}f}{'k' if thousands else ''}")
        for number in range(first, last + 1)
    ]


def time_ticks(begin: datetime, end: datetime, *, most: int = MOST) -> list[tuple[datetime, str]]:
    """Midnights from ``begin`` to ``end``, no date twice; full hours where that is less than two days."""
    if end - begin < 2 * _DAY:
        hour = timedelta(hours=1)
        step, form = hour * max(1, math.ceil((end - begin) / hour / (most - 1))), "%m-%d %H:%M"
        first = begin.replace(minute=0, second=0, microsecond=0)
    else:
        step, form = _DAY * max(1, math.ceil((end - begin) / _DAY / (most - 1))), "%Y-%m-%d"
        first = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    if first < begin:
        first += timedelta(hours=1) if end - begin < 2 * _DAY else _DAY
    count = max(0, (end - first) // step)
    return [(first + number * step, f"{first + number * step:{form}}") for number in range(count + 1)]


def _digits(step: float) -> int:
    """Digits after the point that tell two neighbours apart, and say no more."""
    return next((digits for digits in range(12) if math.isclose(round(step, digits), step, rel_tol=1e-9)), 12)
