"""The picture of docs/estimates.md: estimates with their intervals, window by window, and what labels showed later."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, TOP, FOOT = 760, 300, 50, 40, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A window: what labels showed, and the estimate with its bounds, unless it was off."""

    truth: float
    estimate: tuple[float, float, float] | None


def picture(points: list[Point], *, shifted: int = 8, drifted: int = 20) -> str:
    """Windows from left to right."""
    values = [one.truth for one in points] + [bound for one in points if one.estimate for bound in one.estimate]
    low, high = min(values) - 0.01, max(values) + 0.01
    step = (WIDTH - LEFT - 10) / len(points)

    def x(place: float) -> float:
        return LEFT + (place + 0.5) * step

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - FOOT)

    parts = [
        (
            f'<text x="{LEFT}" y="16" font-size="13">Accuracy in windows of 1,000 rows of adult: estimated'
            " without labels, and as labels show two windows later</text>"
        )
    ]
    tick = round(low + 0.02, 2)
    while tick < high:
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#e0e0e0"/>'
            f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" font-size="11" text-anchor="end">{tick:.2f}</text>'
        )
        tick += 0.05
    for place, text in ((shifted, "younger people come"), (drifted, "10 % of labels change")):
        parts.append(
            f'<line x1="{x(place - 0.5):.1f}" x2="{x(place - 0.5):.1f}" y1="{TOP - 8}" y2="{HEIGHT - FOOT}"'
            ' stroke="#888888" stroke-dasharray="4 3"/>'
            f'<text x="{x(place - 0.5) + 4:.1f}" y="{TOP - 2}" font-size="11" fill="#555555">{text}</text>'
        )
    for place, one in enumerate(points):
        if one.estimate:
            value, bottom, top = one.estimate
            parts.append(
                f'<rect x="{x(place) - step * 0.35:.1f}" width="{step * 0.7:.1f}" y="{y(top):.1f}"'
                f' height="{y(bottom) - y(top):.1f}" fill="#b9cde0"/>'
                f'<line x1="{x(place) - step * 0.35:.1f}" x2="{x(place) + step * 0.35:.1f}" y1="{y(value):.1f}"'
                f' y2="{y(value):.1f}" stroke="#2f5d8a" stroke-width="2"/>'
            )
        else:
            parts.append(
                f'<text x="{x(place):.1f}" y="{HEIGHT - FOOT - 4}" font-size="11" text-anchor="middle">off</text>'
            )
        parts.append(f'<circle cx="{x(place):.1f}" cy="{y(one.truth):.1f}" r="3.5" fill="#b3261e"/>')
    foot = HEIGHT - 18
    parts += [
        (
            f'<rect x="{LEFT}" y="{foot - 9}" width="14" height="10" fill="#b9cde0"/>'
            f'<text x="{LEFT + 20}" y="{foot}" font-size="11">estimate, 95 % interval</text>'
        ),
        (
            f'<circle cx="{LEFT + 190}" cy="{foot - 4}" r="3.5" fill="#b3261e"/>'
            f'<text x="{LEFT + 200}" y="{foot}" font-size="11">what labels showed</text>'
        ),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f' font-family="sans-serif" fill="#333333"><rect width="100%" height="100%" fill="#ffffff"/>'
        f"{''.join(parts)}</svg>\n"
    )
