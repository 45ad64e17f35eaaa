"""A simulation on a terminal of a hundred columns."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from itertools import groupby

from tidemill.cli.words import columns_of_text, duration, paint
from tidemill.core.words import count
from tidemill.simulate.result import Alerted, Simulation, alike
from tidemill.simulate.scores import DEPLOYED, Period, Scores

WIDTH = 100
MOST_PERIODS = 24
MOST_LINES = 12
BAR = 24
LONG = 1e9


def describe(found: Simulation, *, colour: bool = False) -> str:
    """The simulation as a person reads it."""
    scores = found.scores
    head = (
        f"{found.deployment}: {count(scores.answers, 'answer')}, {found.begin:%Y-%m-%d} to {found.last:%Y-%m-%d}, "
        f"{scores.labelled:,} of them with a label"
    )
    if found.labels_until.date() > found.last.date():
        head += f"; the last label came on {found.labels_until:%Y-%m-%d}"
    refused = [paint(line, "31", when=colour) for line in _refused(found)] if found.many_refused else []
    lines = [*refused, paint(head, "1", when=colour), *_notes(found), "", *_contestants(scores), "", *_periods(scores)]
    lines += ["", *_retrained(found), *_trail(found), *_alerts(found.alerts, colour=colour)]
    return "\n".join([*lines, "", _costs(found)])


def _notes(found: Simulation) -> list[str]:
    notes = [f"planted: {', '.join(found.planted)}"] if found.planted else []
    if not found.grows:
        notes.append("the champion answered as it stands: it is not trained from what was replayed")
    if found.refused and not found.many_refused:
        notes.append(f"{count(found.refused, 'row')} refused by the server; the first: {found.refusal}")
    return [line for note in [*notes, *found.notes] for line in textwrap.wrap(note, WIDTH, initial_indent="  ",
                                                                              subsequent_indent="    ")]  # fmt: skip


def _refused(found: Simulation) -> list[str]:
    rows = found.refused + found.scores.answers
    said = f"the server refused {found.refused:,} of {count(rows, 'row')}; the first: {found.refusal}"
    return textwrap.wrap(said, WIDTH, subsequent_indent="  ")


def _contestants(scores: Scores) -> list[str]:
    """Who was right how often, each knowing only what was known when it was asked."""
    names = list(dict.fromkeys(name for one in scores.totals.values() for name in one))
    if not names:
        return ["no label came, so nothing is scored"]
    rows = [["before its label was known", *names]]
    rows += [[who, *(_told(one[name]) if name in one else "-" for name in names)] for who, one in scores.totals.items()]
    return columns_of_text(rows)


def _periods(scores: Scores) -> list[str]:
    periods = [one for one in scores.periods if one.answers]
    if not periods or not scores.labelled:
        return []
    joined = -(-len(periods) // MOST_PERIODS)
    shown = [periods[start : start + joined] for start in range(0, len(periods), joined)]
    others = list(next((one.scores for one in periods if one.scores), {}))
    rows = [["from", "version", "answers", *others]]
    for group in shown:
        versions = sorted({one.version for one in group if one.version is not None})
        told = f"{versions[0]}-{versions[-1]}" if len(versions) > 1 else str(versions[0]) if versions else "-"
        rows.append(
            [
                f"{group[0].start:%Y-%m-%d}",
                told,
                f"{sum(one.answers for one in group):,}",
                *(_mean(group, name) for name in others),
            ]
        )
    drawn = columns_of_text(rows)
    values = [_number(group, DEPLOYED) for group in shown]
    most = max((value for value in values if value is not None), default=0.0)
    bars = ["", *("" if value is None or not most else "█" * round(value / most * BAR) for value in values)]
    wide = max(map(len, drawn))
    title = "accuracy" if scores.metric == "accuracy" else "mean absolute error"
    return [f"{title} by period", *(f"{line:<{wide}}  {bar}".rstrip() for line, bar in zip(drawn, bars, strict=True))]


def _number(group: Sequence[Period], name: str) -> float | None:
    rows = sum(one.labelled for one in group)
    value = sum(one.scores[name] * one.labelled for one in group if one.labelled) / rows if rows else math.nan
    return value if math.isfinite(value) else None


def _mean(group: Sequence[Period], name: str) -> str:
    value = _number(group, name)
    return "-" if value is None else _told(value)


def _told(value: float) -> str:
    """A score; one that an absurd label made has three hundred digits."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.4f}" if abs(value) < LONG else f"{value:.4g}"


def _retrained(found: Simulation) -> list[str]:
    done = found.retrained
    waiting = sum(one.asked for one in found.waited if one.still)
    asked = sum(one.asked for one in done) + waiting
    if not asked:
        return []
    counted = ", ".join(
        f"{sum(one.outcome == outcome for one in done):,} {outcome}"
        for outcome in ("done", "refused", "unchanged", "failed")
        if any(one.outcome == outcome for one in done)
    )
    causes = ", ".join(dict.fromkeys(cause for one in done for cause in one.causes))
    counted += f", {asked - len(done):,} waited for a version on trial" if asked > len(done) else ""
    seconds = sum(one.seconds for one in done) / max(1, len(done))
    lines = [f"asked for a new version {count(asked, 'time')} ({causes}): {counted}; {seconds:.2f} s each"]
    for run in alike([one for one in done if one.outcome != "done"])[:3]:
        more = f" and {len(run) - 1:,} more until {run[-1].at:%Y-%m-%d}" if len(run) > 1 else ""
        lines.append(_cut(f"  {run[0].at:%Y-%m-%d}{more}: {run[0].outcome}: {run[0].why}"))
    return lines


def _trail(found: Simulation) -> list[str]:
    """What became of versions; the same again and again is told once."""
    lines = []
    for _, group in groupby(found.trail, key=lambda one: one.action):
        acts = list(group)
        first = acts[0]
        more = f", and {len(acts) - 1:,} more until {acts[-1].at:%Y-%m-%d}" if len(acts) > 1 else ""
        lines.append(_cut(f"  {first.at:%Y-%m-%d %H:%M}  {first.action} version {first.version}{more}: {first.why}"))
    left = len(lines) - MOST_LINES
    return ["rollout:", *lines[:MOST_LINES], *([f"  … and {left:,} more lines: --json"] if left > 0 else [])]


def _alerts(alerts: Sequence[Alerted], *, colour: bool) -> list[str]:
    if not alerts:
        return ["no alert"]
    left = len(alerts) - MOST_LINES
    lines = [f"{count(len(alerts), 'alert')}{f', the newest {MOST_LINES} of them' if left > 0 else ''}:"]
    for one in alerts[-MOST_LINES:]:
        ended = f"until {one.resolved_at:%Y-%m-%d}" if one.resolved_at else "still open"
        text = f"{one.opened_at:%Y-%m-%d %H:%M}  {one.severity:<9}  {one.headline} ({ended})"
        told = textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent=" " * 31)
        lines += [paint(line, "33", when=colour and one.severity == "page") for line in told]
    return [*lines, *([f"  … and {left:,} before them: --json"] if left > 0 else [])]


def _costs(found: Simulation) -> str:
    parts = [f"{name} {duration(seconds)}" for name, seconds in found.costs.items() if name != "all"]
    return f"took {duration(found.costs['all'])}: {', '.join(parts)}"


def _cut(text: str, width: int = WIDTH) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= width else f"{text[: width - 1]}…"
