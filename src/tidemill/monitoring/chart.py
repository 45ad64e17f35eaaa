"""An alert's main figure over its windows: as lines for a terminal, and as an SVG that stands alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

BAR, LIMIT = "█", "│"
_PLAIN_BAR, _PLAIN_LIMIT = "#", "|"
RED, PALE_RED, BLUE, PALE = "#b3261e", "#e3a39f", "#5b7a99", "#c3cfda"
WIDTH, HEIGHT, FOOT, HEAD, CONTACT = 560.0, 190.0, 24.0, 30.0, 20.0
_LONGEST = 44

Chart = Mapping[str, Any]


def chart_lines(chart: Chart, *, width: int = 40, newest: int = 20, plain: bool = False) -> list[str]:
    """One line a window, the newest last: its start, a bar, the value, and the version where another one answered.

    A mark stands where the limit is.

    Parameters
    ----------
    plain
        Only ASCII.
    """
    windows = list(chart["windows"])[-newest:]
    limit = chart["limit"] or 0.0
    largest = max([_size(chart, one) for one in windows] + [limit]) or 1.0
    at = round(limit / largest * width) if limit else -1
    lines = [str(chart["title"])]
    for one in windows:
        size = round(_size(chart, one) / largest * width)
        cells = [(_PLAIN_BAR if plain else BAR) if place < size else " " for place in range(width + 1)]
        if 0 <= at <= width:
            cells[at] = _PLAIN_LIMIT if plain else LIMIT
        shown = "not enough data" if one["value"] is None else f"{one['value']:.4g}"
        whose = f"  version {one['version']}" if _of_another(chart, one) else ""
        lines.append(f"  {_moment(_start(one))}  {''.join(cells)}  {shown}{whose}")
    if limit:
        lines.append(
            f"  {'':16}  {' ' * max(at, 0)}{_PLAIN_LIMIT if plain else LIMIT} {limit:.4g}: less does not matter"
        )
    return lines


def chart_svg(chart: Chart, *, owner: str = "", runbook: str = "") -> str:
    """Bars, the limit as a line, the windows of the alert in red, those of another version pale, and whom it concerns.

    It needs no font, script or style.
    """
    windows = list(chart["windows"])
    limit = chart["limit"] or 0.0
    largest = max([_size(chart, one) for one in windows] + [limit]) or 1.0
    room = HEIGHT - FOOT - HEAD
    step = WIDTH / max(len(windows), 1)
    since = datetime.fromisoformat(chart["since"])
    parts = [f'<text x="0" y="14" font-size="13" fill="#333333">{escape(str(chart["title"]))}</text>']
    for number, one in enumerate(windows):
        if one["value"] is None:
            continue
        tall = max(1.0, _size(chart, one) / largest * room)
        pale, of_alert = _of_another(chart, one), datetime.fromisoformat(_start(one)) >= since
        colour = (PALE_RED if pale else RED) if of_alert else (PALE if pale else BLUE)
        whose = f", version {one['version']}" if pale else ""
        parts.append(
            f'<rect x="{number * step + 0.5:.1f}" y="{HEIGHT - FOOT - tall:.1f}" width="{max(step - 1.5, 1):.1f}"'
            f' height="{tall:.1f}" fill="{colour}">'
            f"<title>{_moment(_start(one))}: {one['value']:.4g}{whose}</title></rect>"
        )
    if limit:
        y = HEIGHT - FOOT - limit / largest * room
        parts.append(
            f'<line x1="0" y1="{y:.1f}" x2="{WIDTH:.0f}" y2="{y:.1f}" stroke="#333333" stroke-dasharray="4 3"/>'
            f'<text x="{WIDTH:.0f}" y="14" font-size="11" fill="#333333" text-anchor="end">'
            f"dashed: {limit:.4g}, less does not matter</text>"
        )
    if windows:
        first, last = _moment(_start(windows[0])), _moment(_start(windows[-1]))
        parts.append(
            f'<text x="0" y="{HEIGHT - 6:.0f}" font-size="11" fill="#555555">{first}</text>'
            f'<text x="{WIDTH:.0f}" y="{HEIGHT - 6:.0f}" font-size="11" fill="#555555" text-anchor="end">{last}</text>'
            f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 6:.0f}" font-size="11" fill="#555555" text-anchor="middle">'
            f"{_legend(chart, windows)}</text>"
        )
    contact = _contact(owner, runbook)
    height = HEIGHT + (CONTACT if contact else 0.0)
    parts.append(contact)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" width="{WIDTH:.0f}"'
        f' height="{height:.0f}" font-family="sans-serif"><rect width="100%" height="100%" fill="#ffffff"/>'
        f"{''.join(parts)}</svg>"
    )


def _of_another(chart: Chart, one: Chart) -> bool:
    """Whether another version than that of the newest window answered in this one."""
    newest = next((other["version"] for other in reversed(chart["windows"]) if other.get("version")), None)
    return bool(one.get("version")) and one["version"] != newest


def _legend(chart: Chart, windows: Sequence[Chart]) -> str:
    pale = any(one["value"] is not None and _of_another(chart, one) for one in windows)
    return f"red: since {_moment(chart['since'])}{'; pale: another version answered' if pale else ''}"


def _contact(owner: str, runbook: str) -> str:
    """A line with the owner and a link to the runbook; '' without either."""
    said = [f"<tspan>owner: {escape(_cut(owner))}</tspan>"] if owner else []
    if runbook:
        shown = f'<tspan fill="#1a56a0" text-decoration="underline">{escape(_cut(runbook))}</tspan>'
        said.append(f'<a href="{escape(runbook)}">{shown}</a>')
    if not said:
        return ""
    y = HEIGHT + CONTACT - 8
    return f'<text x="0" y="{y:.0f}" font-size="11" fill="#555555">{"<tspan> · </tspan>".join(said)}</text>'


def _size(chart: Chart, one: Chart) -> float:
    """How long its bar is. Where only more is worse, what is less than nothing is no bar: better than before."""
    value = float(one["value"] or 0.0)
    return abs(value) if chart.get("either_way", True) else max(value, 0.0)


def _start(one: Chart) -> str:
    """What a window is named by, as in headlines; charts that were kept before have only its end."""
    return str(one.get("start") or one["end"])


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"
