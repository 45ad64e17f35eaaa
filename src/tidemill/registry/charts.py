"""Small charts as SVG texts: lines, points and bars; no script, no fonts of their own, readable in light and dark.

Colours are the page's CSS variables. Every text that comes from data is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 360.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 12.0, 12.0, 40.0

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What an axis shows, from where to where."""

    name: str
    low: float = 0.0
    high: float = 1.0

    def place(self, value: float) -> float:
        """Where a value stands, in [0, 1]."""
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5


def line_chart(
    title: str, x: Axis, y: Axis, *, line: Points = (), dots: Points = (), diagonal: bool = False, small: bool = False
) -> str:
    """Lines or points between two axes.

    Parameters
    ----------
    diagonal
        Draw the line on which both axes agree.
    small
        Many points: draw them small and light.
    """
    parts = [_frame(x, y)]
    if diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        (x1, y1), (x2, y2) = _at(x, y, (low, low)), _at(x, y, (high, high))
        parts.append(f'<line class="guide" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    if line:
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (_at(x, y, point) for point in line))
        parts.append(f'<polyline class="line" points="{path}"/>')
    radius, kind = (1.8, "dot faint") if small else (3.6, "dot")
    parts += [
        f'<circle class="{kind}" cx="{px:.1f}" cy="{py:.1f}" r="{radius}"/>'
        for px, py in (_at(x, y, point) for point in dots)
    ]
    return _svg(title, HEIGHT, parts)


def bar_chart(title: str, bars: Sequence[tuple[str, float]]) -> str:
    """Bars one under the other, each with its name above it and its value."""
    row, gap = 34.0, 4.0
    most = max((value for _, value in bars), default=0.0) or 1.0
    parts = []
    for number, (name, value) in enumerate(bars):
        top = number * row
        thick = row - 17 - gap - 3
        width = max(1.0, value / most * (WIDTH - 70))
        label = name if len(name) <= 44 else f"{name[:43]}…"
        parts += [
            f'<text class="name" x="0" y="{top + 12:.1f}">{escape(label)}</text>',
            f'<rect class="bar" x="0" y="{top + 17:.1f}" width="{width:.1f}" height="{thick:.1f}" rx="3"/>',
            f'<text class="tick" x="{width + 6:.1f}" y="{top + 26:.1f}">{value:.3g}</text>',
        ]
    return _svg(title, max(row * len(bars), row), parts)


def _at(x: Axis, y: Axis, point: tuple[float, float]) -> tuple[float, float]:
    return (
        LEFT + x.place(point[0]) * (WIDTH - LEFT - RIGHT),
        HEIGHT - BOTTOM - y.place(point[1]) * (HEIGHT - TOP - BOTTOM),
    )


def _frame(x: Axis, y: Axis) -> str:
    parts = []
    for step in range(5):
        part = step / 4
        vx, vy = x.low + part * (x.high - x.low), y.low + part * (y.high - y.low)
        (px, _), (_, py) = _at(x, y, (vx, y.low)), _at(x, y, (x.low, vy))
        parts += [
            f'<line class="grid" x1="{LEFT}" y1="{py:.1f}" x2="{WIDTH - RIGHT}" y2="{py:.1f}"/>',
            f'<text class="tick" x="{LEFT - 6}" y="{py + 4:.1f}" text-anchor="end">{_tick(vy)}</text>',
            f'<text class="tick" x="{px:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{_tick(vx)}</text>',
        ]
    across, up = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text class="axis" x="{across}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x.name)}</text>')
    turned = f'transform="translate(11 {up}) rotate(-90)"'
    parts.append(f'<text class="axis" {turned} text-anchor="middle">{escape(y.name)}</text>')
    return "".join(parts)


def _tick(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 10_000 else f"{value / 1000:.3g}k"


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
    return f"{head}<title>{escape(title)}</title>{''.join(parts)}</svg>"
