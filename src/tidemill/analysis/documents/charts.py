"""Small charts as SVG texts: lines, points, bars and squares; no script, no fonts, readable in light and dark.

Colours are the page's CSS variables. Every text that comes from data is escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from tidemill.analysis.documents.ticks import ticks

WIDTH, HEIGHT = 360.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 74.0, 12.0, 12.0, 40.0

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What an axis shows, from where to where; ``whole`` where it counts."""

    name: str
    low: float = 0.0
    high: float = 1.0
    whole: bool = False

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


def _three_digits(value: float) -> str:
    return f"{value:.3g}"


def bar_chart(title: str, bars: Sequence[tuple[str, float]], *, told: Callable[[float], str] = _three_digits) -> str:
    """Bars one under the other, each with its name above it and its value, which ``told`` puts into words."""
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
            f'<text class="tick" x="{width + 6:.1f}" y="{top + 26:.1f}">{escape(told(value))}</text>',
        ]
    return _svg(title, max(row * len(bars), row), parts)


def histogram_chart(title: str, edges: Sequence[float], counts: Sequence[int], labels: Sequence[str]) -> str:
    """Bars side by side between edges, with the first, middle and last label of the edges under them.

    Parameters
    ----------
    labels
        The text of each edge; one more than there are counts.
    """
    height, foot = 150.0, 22.0
    most = max(counts, default=0) or 1
    low, span = edges[0], (edges[-1] - edges[0]) or 1.0
    parts = [f'<line class="grid" x1="0" y1="{height - foot:.1f}" x2="{WIDTH:.0f}" y2="{height - foot:.1f}"/>']
    for left, right, count, name in zip(edges, edges[1:], counts, labels, strict=False):
        if not count:
            continue
        x, wide = (left - low) / span * WIDTH, (right - left) / span * WIDTH
        tall = max(1.5, count / most * (height - foot - 14))
        parts.append(
            f'<rect class="bar" x="{x + 0.5:.2f}" y="{height - foot - tall:.1f}" width="{max(0.8, wide - 1):.2f}" '
            f'height="{tall:.1f}" rx="1"><title>{escape(name)}: {_rows(count)}</title></rect>'
        )
    middle = len(labels) // 2
    for at, anchor in ((0, "start"), (middle, "middle"), (len(labels) - 1, "end")):
        x = (edges[at] - low) / span * WIDTH
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{height - 6:.1f}" text-anchor="{anchor}">{escape(labels[at])}</text>'
        )
    parts.append(f'<text class="tick" x="0" y="10">{_rows(most)} at most</text>')
    return _svg(title, height, parts)


def paired_columns(title: str, names: Sequence[str], old: Sequence[float], new: Sequence[float]) -> str:
    """Pairs of columns side by side, the older one behind in grey; each tells its name and both shares."""
    height, foot = 150.0, 22.0
    most = max([*old, *new], default=0.0) or 1.0
    step = WIDTH / max(1, len(names))
    parts = [f'<line class="grid" x1="0" y1="{height - foot:.1f}" x2="{WIDTH:.0f}" y2="{height - foot:.1f}"/>']
    for at, (name, was, now) in enumerate(zip(names, old, new, strict=True)):
        told = f"<title>{escape(name)}: {was:.2%}, now {now:.2%}</title>"
        parts.append(f'<g>{told}<rect class="hit" x="{at * step:.2f}" y="0" width="{step:.2f}" height="{height}"/>')
        for kind, share, left, wide in (("bar was", was, 0.06, 0.88), ("bar", now, 0.28, 0.44)):
            if share:
                tall = max(1.0, share / most * (height - foot - 14))
                place = f'x="{(at + left) * step:.2f}" y="{height - foot - tall:.1f}" width="{wide * step:.2f}"'
                parts.append(f'<rect class="{kind}" {place} height="{tall:.1f}" rx="1"/>')
        parts.append("</g>")
    for at, anchor in ((0, "start"), (len(names) // 2, "middle"), (len(names) - 1, "end")) if names else ():
        x = {"start": 0.0, "middle": (at + 0.5) * step, "end": WIDTH}[anchor]
        text = escape(_cut(names[at], 18))
        if anchor == "end" and at > 0 and names[at] == "missing":  # beside the last of the values, which is named too
            text = f"{escape(_cut(names[at - 1], 18))} | missing"
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 6:.1f}" text-anchor="{anchor}">{text}</text>')
    parts.append(f'<text class="tick" x="0" y="10">{most:.1%} at most</text>')
    return _svg(title, height, parts)


def paired_bars(title: str, names: Sequence[str], old: Sequence[float], new: Sequence[float]) -> str:
    """Pairs of bars one under the other, the older one in grey, each pair with its name above it and both shares."""
    row, wide = 34.0, WIDTH - 110
    most = max([*old, *new], default=0.0) or 1.0
    parts = []
    for at, (name, was, now) in enumerate(zip(names, old, new, strict=True)):
        top = at * row
        parts.append(f'<text class="name" x="0" y="{top + 12:.1f}">{escape(_cut(name, 44))}</text>')
        for kind, share, y in (("bar was", was, top + 16), ("bar", now, top + 23)):
            place = f'x="0" y="{y:.1f}" width="{max(1.0, share / most * wide):.1f}"'
            parts.append(f'<rect class="{kind}" {place} height="6" rx="2"/>')
        x = max(was, now) / most * wide + 6
        parts.append(f'<text class="tick" x="{x:.1f}" y="{top + 26:.1f}">{was:.1%} → {now:.1%}</text>')
    return _svg(title, max(row * len(names), row), parts)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def heat_chart(title: str, names: Sequence[str], values: Sequence[Sequence[float | None]]) -> str:
    """A square of cells, darker the nearer to 1 or -1; each tells its value."""
    size = (WIDTH * 1.6 - 130) / max(1, len(names))
    size = min(size, 36.0)
    left, top = 130.0, 6.0
    parts = []
    for row, name in enumerate(names):
        y = top + row * size
        label = name if len(name) <= 20 else f"{name[:19]}…"
        parts.append(
            f'<text class="tick" x="{left - 6:.1f}" y="{y + size / 2 + 4:.1f}" text-anchor="end">{escape(label)}</text>'
        )
        for column in range(row + 1):
            value = values[row][column]
            told = "no value" if value is None else f"{round(value, 2) + 0.0:.2f}"
            kind = "plus" if value is not None and value >= 0 else "minus"
            shade = 0.0 if value is None else abs(value)
            x = left + column * size
            parts.append(
                f'<rect class="cell {kind}" x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{size:.1f}" '
                f'fill-opacity="{shade:.3f}"><title>{escape(name)} and {escape(names[column])}: {told}</title></rect>'
            )
            if size >= 26 and value is not None and row != column:
                parts.append(
                    f'<text class="tick{" over" if shade > 0.55 else ""}" x="{x + size / 2:.1f}" '
                    f'y="{y + size / 2 + 4:.1f}" '
                    f'text-anchor="middle">{told.replace("0.", ".")}</text>'
                )
    wide, tall = left + len(names) * size + 6, top + len(names) * size + 6
    size_ = f'viewBox="0 0 {wide:.0f} {tall:.0f}" style="max-width:{wide:.0f}px"'
    head = f'<svg {size_} role="img" aria-label="{escape(title)}">'
    return f"{head}<title>{escape(title)}</title>{''.join(parts)}</svg>"


def _at(x: Axis, y: Axis, point: tuple[float, float]) -> tuple[float, float]:
    return (
        LEFT + x.place(point[0]) * (WIDTH - LEFT - RIGHT),
        HEIGHT - BOTTOM - y.place(point[1]) * (HEIGHT - TOP - BOTTOM),
    )


def _frame(x: Axis, y: Axis) -> str:
    bottom = f'y1="{HEIGHT - BOTTOM}" x2="{WIDTH - RIGHT}" y2="{HEIGHT - BOTTOM}"'
    parts = [f'<line class="grid" x1="{LEFT}" {bottom}/>']
    for value, label in ticks(y.low, y.high, whole=y.whole):
        _, py = _at(x, y, (x.low, value))
        parts += [
            f'<line class="grid" x1="{LEFT}" y1="{py:.1f}" x2="{WIDTH - RIGHT}" y2="{py:.1f}"/>',
            f'<text class="tick" x="{LEFT - 6}" y="{py + 4:.1f}" text-anchor="end">{label}</text>',
        ]
    for value, label in ticks(x.low, x.high, whole=x.whole):
        px, _ = _at(x, y, (value, y.low))
        parts.append(f'<text class="tick" x="{px:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{label}</text>')
    across, up = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text class="axis" x="{across}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x.name)}</text>')
    turned = f'transform="translate(11 {up}) rotate(-90)"'
    parts.append(f'<text class="axis" {turned} text-anchor="middle">{escape(y.name)}</text>')
    return "".join(parts)


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
    return f"{head}<title>{escape(title)}</title>{''.join(parts)}</svg>"
