"""A simulation as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from tidemill.analysis.documents.document import Block, Bullets, Document, Figure, Grid, Section, Text, plain
from tidemill.analysis.documents.html import as_html
from tidemill.monitoring.chart import chart_svg
from tidemill.simulate.chart import drawn, scores_svg
from tidemill.simulate.result import Alerted, Happened, Retrained, Simulation, alike

MOST_ROWS = 200
MOST_CHARTS = 12


def as_page(found: Simulation) -> str:
    """The whole simulation: scores over time, versions, alerts with their charts."""
    scores = found.scores
    sections = [Section(title="Scores over time", blocks=_scores(found))]
    if found.alerts:
        sections.append(Section(title="Alerts", blocks=_alerts(found.alerts)))
    sections += [
        Section(title="Versions", blocks=_versions(found)),
        Section(title="Period by period", blocks=(_periods(found),)),
    ]
    total = scores.totals.get("deployed", {}).get(scores.metric)
    facts = [
        ("answers", f"{scores.answers:,}"),
        ("with a label", f"{scores.labelled:,}"),
        (scores.metric.replace("_", " "), "-" if total is None else f"{total:.4g}"),
        ("new versions", f"{sum(one.outcome == 'done' for one in found.retrained):,}"),
        ("alerts", f"{len(found.alerts):,}"),
    ]
    notices = [f"Planted: {', '.join(f'`{plain(one)}`' for one in found.planted)}."] if found.planted else []
    if found.refused:
        notices.append(f"{found.refused:,} rows were not answered; the first: `{plain(found.refusal)}`.")
    notices += [plain(f"{one[0].upper()}{one[1:]}.") for one in found.notes]
    return as_html(
        Document(
            title=f"{found.deployment}, simulated",
            lead=f"`{plain(found.replayed)}` replayed from {found.begin:%Y-%m-%d} to {found.last:%Y-%m-%d}; "
            f"the last label came on {found.labels_until:%Y-%m-%d}.",
            facts=tuple(facts),
            notices=tuple(notices),
            sections=tuple(sections),
        )
    )


def _scores(found: Simulation) -> tuple[Block, ...]:
    scores = found.scores
    names = list(dict.fromkeys(name for one in scores.totals.values() for name in one))
    grid = Grid(
        columns=("contestant", *(name.replace("_", " ") for name in names)),
        rows=tuple((who, *(one.get(name) for name in names)) for who, one in scores.totals.items()),
    )
    says = (
        "Each answer is scored against a label that came after it. No contestant knew more: *no retraining* is the "
        "first version, asked about every row; *last label* repeats the newest label that had come."
    )
    left = [name for name in scores.totals if name not in drawn(scores)]
    if left:
        says += f" So far from the others that it stands in the table alone: *{', '.join(left)}*."
    svg = scores_svg(found)
    figure = (Figure(title="", svg=svg, grid=grid),) if svg else ()
    marks = (
        "Red bars are alerts (dark: pages), green dots new champions, brown dots versions that a gate refused, red "
        "dots versions that were taken back."
    )
    return (*figure, Text(text=marks), grid, Text(text=says))


def _versions(found: Simulation) -> tuple[Block, ...]:
    runs = [list(run) for _, run in groupby(found.trail, key=lambda one: (one.action, one.why))]
    rows = tuple(_run_of(run) for run in runs[:MOST_ROWS])
    blocks: list[Block] = [Grid(columns=("when", "what", "version", "why"), rows=rows)]
    left = sum(map(len, runs[MOST_ROWS:]))
    if left > 0:
        blocks.append(Text(text=f"{left:,} more stand in the JSON only."))
    refused = alike([one for one in found.retrained if one.outcome != "done"])
    if refused:
        blocks.append(Bullets(items=tuple(map(_asked, refused[:MOST_ROWS]))))
    return tuple(blocks)


def _asked(run: Sequence[Retrained]) -> str:
    """One line for requests that ended alike."""
    first = run[0]
    more = f", and {len(run) - 1:,} more until {run[-1].at:%Y-%m-%d}" if len(run) > 1 else ""
    return f"{first.at:%Y-%m-%d}{more}, {first.outcome}: {plain(_cut(first.why, 300))}"


def _run_of(run: Sequence[Happened]) -> tuple[str, str, int | str | None, str]:
    """One row for what happened several times in a row: versions that take over each day are hundreds."""
    first, last = run[0], run[-1]
    when, which = f"{first.at:%Y-%m-%d %H:%M}", first.version
    if len(run) > 1:
        return f"{when} to {last.at:%Y-%m-%d}", first.action, f"{which} to {last.version}", plain(_cut(first.why))
    return when, first.action, which, plain(_cut(first.why))


def _alerts(alerts: tuple[Alerted, ...]) -> tuple[Block, ...]:
    rows = tuple(
        (
            f"{one.opened_at:%Y-%m-%d %H:%M}",
            f"{one.resolved_at:%Y-%m-%d %H:%M}" if one.resolved_at else "open",
            one.severity,
            plain(one.headline),
        )
        for one in alerts[-MOST_ROWS:]
    )
    drawn = [one for one in reversed(alerts) if one.chart.get("windows")]
    charts = tuple(
        Figure(title=one.headline, svg=chart_svg(chart), grid=Grid(columns=(), rows=()))
        for one in drawn[:MOST_CHARTS]
        for chart in (one.chart, *one.chart.get("others", ()))
    )
    left = [f"the newest {MOST_ROWS:,} of {len(alerts):,}"] if len(alerts) > MOST_ROWS else []
    left += [f"charts of the newest {MOST_CHARTS} of {len(drawn)}"] if len(drawn) > MOST_CHARTS else []
    caption = f"{'; '.join(left)}: the JSON has all" if left else ""
    return (Grid(columns=("opened", "over", "severity", "what"), rows=rows, caption=caption), *charts)


def _periods(found: Simulation) -> Grid:
    names = list(found.scores.totals)
    rows = tuple(
        (f"{one.start:%Y-%m-%d}", one.version, one.answers, one.labelled, *(one.scores.get(name) for name in names),
         one.fading, one.known_fading)
        for one in found.scores.periods
    )  # fmt: skip
    return Grid(columns=("from", "version", "answers", "labelled", *names, "fading", "fading, as known"), rows=rows)


def _cut(text: str, most: int = 160) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
