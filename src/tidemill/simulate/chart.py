"""The scores of a simulation over its time, as one SVG that stands alone: lines, and marks for what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from math import isfinite

from tidemill.analysis.documents.ticks import ticks, time_ticks
from tidemill.simulate.result import Simulation
from tidemill.simulate.scores import DEPLOYED, FIRST, Period, Scores

WIDTH, HEIGHT = 860.0, 340.0
LEFT, RIGHT, TOP, FOOT = 52.0, 14.0, 54.0, 58.0
COLOURS = ("#0b6e8a", "#9a5b00", "#7a7f87", "#b08bbb")
ALERT, DEPLOY, REFUSED = "#b3261e", "#1d7a46", "#9a5b00"
MOST_MARKS = 400
NEAR = 30.0
"""A label so near to a side would stand out of the picture."""
MOST_PRESSED = 2.5
"""How much higher the picture may become by the simplest contestant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where times and values stand."""

    begin: datetime
    end: datetime
    low: float
    high: float

    def x(self, at: datetime) -> float:
        whole = (self.end - self.begin).total_seconds() or 1.0
        part = min(1.0, max(0.0, (at - self.begin).total_seconds() / whole))
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        part = (value - self.low) / ((self.high - self.low) or 1.0)
        return HEIGHT - FOOT - min(1.0, max(0.0, part)) * (HEIGHT - TOP - FOOT)


def scores_svg(found: Simulation) -> str:
    """A line a contestant, over periods; alerts, new champions and refused versions as marks under them."""
    periods = _periods(found.scores)
    if not periods:
        return ""
    names = drawn(found.scores)
    low, high = _bounds(periods, names)
    room = (high - low) * 0.06 or 0.01
    frame = _Frame(begin=periods[0].start, end=periods[-1].end, low=low - room, high=high + room)
    parts = [*_grid(frame)]
    for name, colour in reversed(list(zip(names, COLOURS, strict=False))):
        points = " ".join(
            f"{frame.x(one.start + (one.end - one.start) / 2):.1f},{frame.y(one.scores[name]):.1f}" for one in periods
        )
        wide, dashes = (2.4, "") if name == DEPLOYED else (1.6, ' stroke-dasharray="5 3"' if name == FIRST else "")
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="{wide}"{dashes} points="{points}"/>')
    parts += [*_legend(found, names), *_marks(frame, found)]
    title = "Accuracy before each label was known" if found.scores.metric == "accuracy" else "Mean absolute error"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" style="max-width:100%"'
        f' font-family="sans-serif" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<style>svg text{{fill:#333333}}</style><rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="{LEFT:.0f}" y="18" font-size="14" fill="#222222">{escape(title)}</text>{"".join(parts)}</svg>'
    )


def drawn(scores: Scores) -> list[str]:
    """Who is drawn: all, but the simplest where it is so far from the others that it would press them into one line."""
    periods = _periods(scores)
    names = [name for name in scores.totals if periods and name in periods[0].scores][: len(COLOURS)]
    if len(names) < len(COLOURS):
        return names
    (low, high), (others_low, others_high) = _bounds(periods, names), _bounds(periods, names[:-1])
    return names if high - low <= MOST_PRESSED * (others_high - others_low) else names[:-1]


def _periods(scores: Scores) -> list[Period]:
    """Those with a label, less those in which absurd labels make a score overflow."""
    return [one for one in scores.periods if one.labelled and all(map(isfinite, one.scores.values()))]


def _bounds(periods: Sequence[Period], names: Sequence[str]) -> tuple[float, float]:
    shown = [one.scores[name] for one in periods for name in names]
    return min(shown), max(shown)


def _grid(frame: _Frame) -> list[str]:
    parts = []
    for value, label in ticks(frame.low, frame.high):
        y = frame.y(value)
        parts.append(
            f'<line x1="{LEFT:.0f}" y1="{y:.1f}" x2="{WIDTH - RIGHT:.0f}" y2="{y:.1f}" stroke="#e3e6ea"/>'
            + _label(LEFT - 6, y + 4, label, "end")
        )
    for at, label in time_ticks(frame.begin, frame.end):
        x = frame.x(at)
        anchor = "start" if x < LEFT + NEAR else "end" if x > WIDTH - RIGHT - NEAR else "middle"
        parts.append(_label(x, HEIGHT - FOOT + 16, label, anchor))
    return parts


def _legend(found: Simulation, names: Sequence[str]) -> list[str]:
    parts, x = [], LEFT
    for name, colour in zip(names, COLOURS, strict=False):
        total = found.scores.totals[name].get(found.scores.metric)
        text = name if total is None else f"{name} {total:.4g}"
        under = _under(found, names, name)
        text += f", under {under}" if under else ""
        parts.append(
            f'<rect x="{x:.0f}" y="31" width="14" height="4" fill="{colour}"/>'
            f'<text x="{x + 19:.0f}" y="37" font-size="12" fill="#333333">{escape(text)}</text>'
        )
        x += 34 + 7.0 * len(text)
    return parts


def _under(found: Simulation, names: Sequence[str], name: str) -> str:
    """Who has the same value in every period and is drawn over this one's line; '' where nobody has."""
    over = names[: list(names).index(name)]
    periods = [one for one in found.scores.periods if one.labelled]
    return next((one for one in over if all(each.scores[one] == each.scores[name] for each in periods)), "")


def _marks(frame: _Frame, found: Simulation) -> list[str]:
    """Two rows under the lines: alerts from when they opened to their end, and what became of versions."""
    y = HEIGHT - 30
    parts = []
    if found.alerts:
        parts.append(_label(LEFT - 6, y + 5, "alerts", "end"))
    for alert in found.alerts[:MOST_MARKS]:
        x, end = frame.x(alert.opened_at), frame.x(alert.resolved_at or found.end)
        top, solid = (y - 4, 1.0) if alert.severity == "page" else (y, 0.35)
        parts.append(
            f'<rect x="{x:.1f}" y="{top:.1f}" width="{max(3.0, end - x):.1f}" height="4" fill="{ALERT}"'
            f' fill-opacity="{solid}"><title>{escape(alert.headline)}</title></rect>'
        )
    y += 18
    acts = [(one.at, f"version {one.version}: {one.action}", DEPLOY) for one in found.trail if one.action == "promote"]
    acts += [(one.at, f"version {one.version}: {one.why}", ALERT) for one in found.trail if "roll" in one.action]
    acts += [
        (one.at, f"version {one.version} refused: {one.why}", REFUSED)
        for one in found.retrained
        if one.outcome == "refused"
    ]
    if acts:
        parts.append(_label(LEFT - 6, y + 4, "versions", "end"))
    parts += [
        f'<circle cx="{frame.x(at):.1f}" cy="{y:.1f}" r="3" fill="{colour}">'
        f"<title>{at:%Y-%m-%d} {escape(told)}</title></circle>"
        for at, told, colour in sorted(acts)[-MOST_MARKS:]
    ]
    return parts


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="#555555" text-anchor="{anchor}">{text}</text>'
