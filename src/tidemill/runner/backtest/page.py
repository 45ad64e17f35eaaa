"""A backtest as one HTML page: quality against age and pace, and how it went over time."""

from __future__ import annotations

from collections.abc import Sequence

from tidemill.analysis.documents.charts import Axis, line_chart
from tidemill.analysis.documents.document import Block, Bullets, Document, Figure, Grid, Section, Text, plain
from tidemill.analysis.documents.html import as_html
from tidemill.core.durations import show_duration
from tidemill.evaluation.ageing import NEVER, Estimate
from tidemill.runner.backtest.report import BacktestReport, pace_words

MOST_ROWS = 400


def as_page(report: BacktestReport) -> str:
    """Write the page."""
    sections = [
        Section(title="What it comes to", blocks=(Bullets(items=tuple(plain(one) for one in report.said)),)),
        Section(title="Quality against age", blocks=_ages(report)),
        Section(title="Quality by how often it is trained", blocks=_paces(report)),
        Section(title="Over time", blocks=_time(report)),
    ]
    if report.notes:
        sections.append(Section(title="Left out", blocks=(Bullets(items=tuple(plain(one) for one in report.notes)),)))
    document = Document(
        title=f"Backtest of {report.model}",
        lead=plain(
            f"Trained {len(report.cuts):,} times on what was known then, tested on the periods of "
            f"{show_duration(report.every)} that followed, by {report.metric}."
        ),
        facts=(
            ("trainings", f"{len(report.cuts):,}"),
            ("period", show_duration(report.every)),
            ("training rows", plain(report.window)),
            ("metric", report.metric),
            ("a training", f"{report.training_seconds:.2g} s"),
        ),
        sections=tuple(sections),
    )
    return as_html(document)


def _ages(report: BacktestReport) -> tuple[Block, ...]:
    found = report.ageing.ages
    if not found:
        return (Text(text="No period was tested at every age."),)
    grid = Grid(
        columns=("age", report.metric, "lost against fresh", "from", "to", "periods"),
        rows=tuple(
            (pace_words(one.age, report.every) if one.age else "fresh", one.value.value, *_row(one.loss))
            for one in found
        ),
    )
    points = [(float(one.age), one.value.value) for one in found]
    x = Axis(name=f"age in periods of {show_duration(report.every)}", low=0, high=max(1.0, points[-1][0]), whole=True)
    svg = line_chart("Quality against age", x, _axis(report.metric, points), line=points, dots=points)
    says = (
        "All ages are tested on the same rows. The interval of a loss is over periods, and wider where neighbouring "
        "periods resemble each other; one that reaches below zero is no measurable loss."
    )
    return (Figure(title=f"{report.metric} by age", svg=svg, grid=grid), Text(text=says))


def _paces(report: BacktestReport) -> tuple[Block, ...]:
    rows = tuple(
        (
            "once" if one.every == NEVER else f"every {pace_words(one.every, report.every)}",
            one.value.value,
            *_row(None if one.every == 1 else one.loss),
        )
        for one in report.ageing.paces
    )
    head = ("trained", report.metric, "lost against every period", "from", "to", "periods")
    return (Grid(columns=head, rows=rows),)


def _time(report: BacktestReport) -> tuple[Block, ...]:
    fresh = [(one.start, one.value, one.rows) for one in report.scores if one.age == 0]
    static = {one.start: one.value for one in report.static}
    if not fresh:
        return (Text(text="No period was tested."),)
    begin = fresh[0][0]
    line = [((start - begin) / report.every, value) for start, value, _ in fresh]
    dots = [((start - begin) / report.every, static[start]) for start, _, _ in fresh if start in static]
    x = Axis(name=f"periods since {begin:%Y-%m-%d}", low=0, high=max(1.0, line[-1][0]), whole=True)
    svg = line_chart("Over time", x, _axis(report.metric, [*line, *dots]), line=line, dots=dots, small=len(line) > 60)
    grid = Grid(
        columns=("period", "rows", "trained right before", "trained once"),
        rows=tuple(
            (f"{start:%Y-%m-%d %H:%M}", rows, value, static.get(start)) for start, value, rows in fresh[:MOST_ROWS]
        ),
        caption="" if len(fresh) <= MOST_ROWS else f"the first {MOST_ROWS} of {len(fresh):,} periods",
    )
    return (Figure(title="Line: trained right before each period. Points: trained once", svg=svg, grid=grid),)


def _row(one: Estimate | None) -> tuple[object, ...]:
    return (None, None, None, None) if one is None else (one.value, one.low, one.high, one.periods)


def _axis(metric: str, points: Sequence[tuple[float, float]]) -> Axis:
    low, high = min(value for _, value in points), max(value for _, value in points)
    room = 0.08 * (high - low) or 0.01 * abs(high) or 0.01
    return Axis(name=metric, low=low - room, high=high + room)
