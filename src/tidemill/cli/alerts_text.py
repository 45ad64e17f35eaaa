"""How alerts read in a terminal, and as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidemill.cli.words import paint, wants_colour, wrapped
from tidemill.core.words import count
from tidemill.monitoring.chart import chart_lines
from tidemill.monitoring.words import contact_lines, evidence_line, explained_line, next_lines
from tidemill.runner.result import text_table

if TYPE_CHECKING:
    from tidemill.warehouse.control.alerts import AlertEvent, AlertRow
    from tidemill.warehouse.control.deliveries import SinkState

WIDEST = 100
_RED, _YELLOW, _GREEN = "31", "33", "32"


def list_text(alerts: Sequence[AlertRow], *, others: int, now: datetime) -> str:
    """One line an alert, more where its headline is long."""
    rest = f"{count(others, 'other')}: tidemill alerts --all" if others else ""
    if not alerts:
        return f"no open alerts{f' ({rest})' if rest else ''}"
    rows = [
        (one.number, _state(one, now), _at(one.since), one.headline, one.owner, one.acknowledged_by or "")
        for one in alerts
    ]
    heads = ["alert", "state", "since (UTC)", "what", "owner", "seen by"]
    table = text_table(heads, wrapped(rows, 3, WIDEST), widest=WIDEST)
    return f"{table}\n{rest}" if rest else table


def alert_text(alert: AlertRow, events: Sequence[AlertEvent]) -> str:
    """Everything there is to say of an alert."""
    colour = wants_colour()
    tone = _GREEN if alert.state == "resolved" else _RED if alert.severity == "page" else _YELLOW
    came_back = f", came back {count(alert.reopened, 'time')}" if alert.reopened else ""
    seen = "seen" if alert.since < alert.opened_at else "open for one trouble or another, first seen"
    lines = [
        f"alert {alert.number}: {paint(alert.headline, tone, when=colour)}",
        f"{alert.severity}, {alert.state}{came_back}; since {alert.since:%Y-%m-%d %H:%M} UTC, {seen} at "
        f"{alert.opened_at:%Y-%m-%d %H:%M}"
        + (f", over at {alert.resolved_at:%Y-%m-%d %H:%M}" if alert.resolved_at else "")
        + (f"; version {alert.version} answered" if alert.version is not None else ""),
    ]
    lines += _section("evidence", [evidence_line(one) for one in alert.evidence])
    lines += _section(
        "features that moved, by importance times effect", [explained_line(one) for one in alert.explained]
    )
    for chart in (alert.chart, *alert.chart.get("others", ())):
        if chart.get("windows"):
            lines += ["", *chart_lines(chart, plain=_plain())]
    lines += ["", *next_lines(alert.next_step), *contact_lines(alert.owner, alert.runbook)]
    if events:
        rows = [(f"{one.at:%Y-%m-%d %H:%M}", one.happening, one.who, one.detail) for one in events]
        lines += ["", text_table(["at (UTC)", "what", "who", "why"], wrapped(rows, 3, 80), widest=80)]
    return "\n".join(lines)


def sinks_text(states: Sequence[SinkState]) -> str:
    """Sinks that are down, one line each; '' when all is well."""
    lines = []
    for one in states:
        if one.failing_since is not None:
            since = f"{one.failing_since:%Y-%m-%d %H:%M}"
            lines.append(
                f"sink {one.sink} is down since {since} UTC: {one.error}; {count(one.waiting, 'message')} waiting"
            )
        elif one.given_up:
            lines.append(f"sink {one.sink}: {count(one.given_up, 'message')} given up, the last because {one.error}")
    return "\n".join(paint(line, _RED, when=wants_colour()) for line in lines)


def plain_alert(alert: AlertRow, events: Sequence[AlertEvent]) -> dict[str, Any]:
    """An alert and its events as plain data."""
    return {**asdict(alert), "events": [asdict(one) for one in events]}


def as_json_rows(alerts: Sequence[AlertRow], states: Sequence[SinkState]) -> dict[str, Any]:
    """The list as plain data."""
    return {"alerts": [asdict(one) for one in alerts], "sinks": [asdict(one) for one in states]}


def _state(one: AlertRow, now: datetime) -> str:
    muted = ", muted" if one.muted_until is not None and one.muted_until > now else ""
    kind = "" if one.severity == "page" else " diagnosis"
    return f"{one.state}{kind}{muted}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _section(name: str, lines: Sequence[str]) -> list[str]:
    return ["", f"{name}:", *(f"  {line}" for line in lines)] if lines else []


def _plain() -> bool:
    """Whether the terminal may not have the characters of the chart."""
    encoding = (sys.stdout.encoding or "ascii").lower()
    return "utf" not in encoding or os.environ.get("TERM") == "dumb"
