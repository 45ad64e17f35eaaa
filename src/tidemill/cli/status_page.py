"""The status page in the terminal: how each section of `runner.overview` reads."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tidemill.cli.words import duration, paint, wants_colour, wrapped
from tidemill.core.words import count
from tidemill.runner.result import text_table

WIDTH = 120
Rows = list[dict[str, Any]]

_COLOURS = {"up": "32", "ok": "32", "gone": "31", "failed": "31", "lost": "31", "stopped": "31", "silent": "33"}
_COLOURS |= {"missed": "33", "interrupted": "33", "cancelled": "33", "running": "36", "refused": "31", "done": "32"}
_WORD = re.compile(rf"(?<=  )(?:{'|'.join(_COLOURS)})(?=  |$)|due since [-0-9: ]+[0-9]", re.MULTILINE)


def page(found: Mapping[str, Rows]) -> str:
    """Every section under its name."""
    text = "\n\n".join(f"{name.upper()}\n{SHOW[name](rows)}" for name, rows in found.items())
    return _WORD.sub(lambda it: paint(it[0], _COLOURS.get(it[0], "31"), when=True), text) if wants_colour() else text


def deployments(rows: Rows) -> str:
    """One line each."""
    if not rows:
        return "none: tidemill deploy NAME makes one"
    lines = []
    for one in rows:
        trial = ""
        if one["challenger"] is not None:
            where = "in the shadow" if one["stage"] == "shadow" else f"answers {100 * one['share']:.3g} %"
            held = ", held" if one["held"] else ""
            trial = f"version {one['challenger']} {where}{held}"
            if one["trial"] is not None:
                arm = one["trial"]["challenger"]
                trial += f", {count(arm['answers'], 'answer')}, {count(arm['errors'], 'error')}"
        champion = "none" if one["champion"] is None else f"version {one['champion']}"
        state = "stopped" if one["stopped"] else champion
        lines.append((one["deployment"], one["model"], state, trial, _when(one["stage_since"])))
    table = text_table(["deployment", "model", "champion", "on trial", "since (UTC)"], lines)
    few = [f"{one['deployment']}: {one['few_answers']}" for one in rows if one["few_answers"]]
    return "\n".join([table, *(line for said in few for line in textwrap.wrap(said, WIDTH, subsequent_indent="  "))])


def alerts(rows: Rows) -> str:
    """One line each, more where a headline is long."""
    if not rows:
        return "none is open"
    lines = [
        (one["alert"], _when(one["since"]), one["headline"], one["owner"], one["acknowledged_by"] or "") for one in rows
    ]
    return text_table(["alert", "since (UTC)", "what", "owner", "seen by"], wrapped(lines, 2, 100), widest=100)


def retraining(rows: Rows) -> str:
    """One line a request."""
    if not rows:
        return "none: tidemill retrain NAME asks for a new version"
    lines = [
        (
            one["request"],
            one["deployment"],
            ", ".join(one["asked_by"]),
            "; ".join(f"{it['cause']}: {it['why']}" if it["why"] else it["cause"] for it in one["reasons"]),
            one["asked"],
            _when(one["asked_at"]),
            one["status"],
            one["outcome"] + (f" until {_when(one['not_before'])}" if one["not_before"] else ""),
        )
        for one in rows
    ]
    heads = ["request", "deployment", "asked by", "for", "times", "since (UTC)", "state", "because"]
    return text_table(heads, lines, widest=80)


def sinks(rows: Rows) -> str:
    """One line each."""
    if not rows:
        return "none: tidemill.toml has them as [alerts.NAME]"
    lines = [
        (
            one["sink"],
            one["kind"],
            "ok" if one["failing_since"] is None else "failed",
            one["sent"],
            one["waiting"],
            one["given_up"],
            one["error"],
        )
        for one in rows
    ]
    return text_table(["sink", "kind", "state", "sent", "waiting", "given up", "because"], lines, widest=80)


def parts(rows: Rows) -> str:
    """One line a process."""
    if not rows:
        return "none is up: tidemill up starts them all"
    lines = [
        (one["part"], one["state"], one["about"], f"{one['pid']} on {one['host']}", _when(one["started_at"]))
        for one in rows
    ]
    return text_table(["part", "state", "about", "process", "since (UTC)"], lines)


def troubles(rows: Rows) -> str:
    """One line each."""
    if not rows:
        return "none that a part tells of"
    lines = [(one["part"], one["about"], _when(one["since"]), one["said"]) for one in rows]
    return text_table(["part", "about", "since (UTC)", "what"], lines, widest=100)


def log(rows: Rows) -> str:
    """One sentence."""
    (one,) = rows
    if not one["waiting_bytes"]:
        return "everything that was answered is in the lake"
    since = "" if one["seconds"] is None else f", the oldest since {duration(max(0.0, one['seconds']))}"
    return f"{count(one['waiting_bytes'], 'byte')} wait for the collector{since}; queries see them already"


def schedules(rows: Rows) -> str:
    """One line each."""
    if not rows:
        return "none: tidemill.toml has them as [schedules.NAME]"
    lines = []
    for one in rows:
        last = one["last"]
        upcoming = _when(one["next"]) if one["enabled"] else "off"
        if one["overdue"]:
            upcoming = f"due since {upcoming}"
        elif one["enabled"] and not one["known"]:
            upcoming += " (no scheduler knows it yet)"
        lines.append(
            (
                one["schedule"],
                one["do"],
                upcoming,
                "" if last is None else _when(last["slot"]),
                "" if last is None else last["status"],
                "" if last is None else last["said"],
            )
        )
    return text_table(["schedule", "do", "next (UTC)", "last (UTC)", "was", "said"], lines, widest=60)


def runs(rows: Rows) -> str:
    """One line each."""
    if not rows:
        return "none yet: tidemill run"
    lines = [
        (
            one["run"],
            one["status"],
            _when(one["started_at"]),
            "" if one["seconds"] is None else duration(one["seconds"]),
            one["error"] or "",
        )
        for one in rows
    ]
    return text_table(["run", "status", "started (UTC)", "took", "because"], lines, widest=80)


SHOW: Mapping[str, Callable[[Rows], str]] = {
    "deployments": deployments,
    "alerts": alerts,
    "retraining": retraining,
    "sinks": sinks,
    "parts": parts,
    "troubles": troubles,
    "log": log,
    "schedules": schedules,
    "runs": runs,
}


def _when(text: str | None) -> str:
    return "" if text is None else f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"
