"""The picture of docs/false-alarms.md: false alarms a month, and how soon faults are found, beside textbook rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

WIDTH, ROW, LEFT = 860, 17, 330
INK, FAINT, OURS, KS, PSI = "#222222", "#777777", "#1d6b52", "#c4572b", "#c9a227"
RULES = (("Tidemill", OURS), ("KS at 0.05", KS), ("PSI over 0.2", PSI))


def picture(quiet: Sequence[Any], delays: Sequence[Any]) -> str:
    """An SVG that stands alone: alerts a month above on a logarithmic axis, delays below.

    Parameters
    ----------
    quiet, delays
        ``alarms.Quiet`` and ``alarms.Delay``; of the latter, those of 1,000 rows and 10 features.
    """
    parts, y = [], 24
    parts.append(_text(0, y, "Alerts a month with nothing wrong (logarithmic; the line is the budget of one)", 14))
    y += 12
    names = _legend(y)
    parts += names
    y += 26
    top = y
    for one in quiet:
        values = (one.pages / one.months, *one.textbook)
        parts.append(_text(LEFT - 10, y + 12, one.name, 11, anchor="end"))
        for number, (value, (_, colour)) in enumerate(zip(values, RULES, strict=True)):
            parts.append(_bar(y + number * 5, _log(value), colour, f"{value:.2f} a month"))
        y += ROW + 3
    parts.append(_line(_log(1.0), top - 2, y))
    parts += [_text(_at(_log(tick)), y + 12, f"{tick:g}", 10, anchor="middle") for tick in (0.01, 0.1, 1, 10, 100)]
    y += 52
    parts.append(_text(0, y, "Windows until a fault is found, each rule set to one false alarm a month", 14))
    parts.append(_text(0, y + 16, "10 features, 1,000 rows a window; a pale bar: found in so few of the runs", 11))
    y += 32
    for one in (one for one in delays if one.rows == 1_000 and one.features == 10):
        parts.append(_text(LEFT - 10, y + 12, one.fault, 11, anchor="end"))
        rules = ("tidemill", "ks, one a month", "psi, one a month")
        for number, (name, (_, colour)) in enumerate(zip(rules, RULES, strict=True)):
            found, delay = one.found[name]
            told = "never" if found == 0 else f"{delay:g} windows, found in {found:.0%}"
            share = 1.0 if found == 0 else min(1.0, delay / 20)
            parts.append(_bar(y + number * 5, share, colour, told, pale=found < 0.95))
        y += ROW + 3
    parts += [_text(_at(tick / 20), y + 12, f"{tick}", 10, anchor="middle") for tick in (1, 2, 5, 10, 15, 20)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 24}" width="{WIDTH}" height="{y + 24}" '
        f'font-family="sans-serif"><rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _log(value: float) -> float:
    """From 0.01 to 1,000 a month, in [0, 1]."""
    return min(1.0, max(0.0, (math.log10(max(value, 0.01)) + 2) / 5))


def _at(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - 20)


def _bar(y: float, share: float, colour: str, told: str, *, pale: bool = False) -> str:
    shade = ' fill-opacity="0.3"' if pale else ""
    return (
        f'<rect x="{LEFT}" y="{y:.1f}" width="{max(_at(share) - LEFT, 1.5):.1f}" height="4.4" fill="{colour}"{shade}>'
        f"<title>{told}</title></rect>"
    )


def _line(share: float, top: float, bottom: float) -> str:
    x = _at(share)
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="{INK}" stroke-dasharray="3 3"/>'


def _text(x: float, y: float, text: str, size: int, *, anchor: str = "start") -> str:
    colour = INK if size > 11 else FAINT
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{text}</text>'


def _legend(y: float) -> list[str]:
    parts = []
    for number, (name, colour) in enumerate(RULES):
        x = LEFT + number * 130
        parts += [f'<rect x="{x}" y="{y}" width="10" height="10" fill="{colour}"/>', _text(x + 15, y + 9, name, 11)]
    return parts
