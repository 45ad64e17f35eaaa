"""Alerts in words: a headline, the evidence line by line, and the whole as a person or a program gets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tidemill.core.words import listed
from tidemill.monitoring.alert import Alert, Contact, Transition
from tidemill.monitoring.families import FAMILIES
from tidemill.monitoring.verdict import Verdict

PHRASES: Mapping[str, str] = {
    "contract": "not as promised",
    "missing": "the share of missing values changed",
    "new_category": "values that training never had",
    "feature": "values distributed otherwise",
    "prediction": "predictions distributed otherwise",
    "quality": "quality fell",
    "estimate": "quality, estimated without labels, fell",
    "calibration": "probabilities no longer say how often it comes true",
    "staleness": "the training data is old",
    "latency": "answers take long",
    "errors": "requests fail",
    "traffic": "not as usual",
}
"""How a family of trouble reads, behind the names of what it is about: whoever cuts a headline off cuts its end."""

_FAMILIES = {family.name: family for family in FAMILIES}
_NAMED = 3
_LEAST_CHANCE = "1e-15"
"""What is smaller than doubles tell from nothing is not said to be nothing."""

Facts = Mapping[str, Any]


def headline(deployment: str, alert: Alert) -> str:
    """What an alert is about, in one line."""
    parts = [f"{_named(alert, family)}: {PHRASES[family]}" for family in alert.families]
    table = alert.cause.removeprefix("source ") if alert.cause.startswith("source ") else ""
    return f"{deployment}: {'; '.join(parts)}{f' (from table {table})' if table else ''}"


def next_step(alert: Alert, version: int | None = None) -> str:
    """What to do first, a line for each of its first few families; before a first version there is none to go back to.

    One trouble alone goes without its names.
    """
    families = alert.families[:_NAMED]
    if len(families) == 1:
        return _step(families[0], version)
    return "\n".join(f"{_named(alert, family)}: {_step(family, version)}" for family in families)


def _step(family: str, version: int | None) -> str:
    known = _FAMILIES[family]
    return (version == 1 and known.first_step) or known.next_step


def _named(alert: Alert, family: str) -> str:
    """What of a family is in alarm, the first few by name."""
    subjects = list(dict.fromkeys(_about(key.subject, key.slice) for key in alert.keys if key.family == family))
    return listed(subjects, _NAMED)


def next_lines(step: str) -> list[str]:
    """What to do, in lines that stand below each other."""
    first, *others = step.split("\n")
    return [f"next: {first}", *(f"      {one}" for one in others)]


def facts(one: Verdict) -> dict[str, Any]:
    """A judged figure as plain data."""
    return {
        "family": one.key.family,
        "subject": one.key.subject,
        "slice": one.key.slice,
        "test": one.key.test,
        "reference": one.reference,
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "limit": one.limit,
        "p_value": one.p_value,
        "rows": one.rows,
        "reference_rows": one.reference_rows,
        "weight": one.weight,
        "source": one.source,
        "note": one.note,
        "window_start": one.window.start,
        "window_end": one.window.end,
    }


def evidence_line(one: Facts) -> str:
    """A figure in words: the effect with its interval, what matters, the chance, the rows."""
    parts = [f"{_about(one['subject'], one['slice'])}: {one['test']} {_number(one['value'])}"]
    if one["low"] is not None and one["high"] is not None:
        parts.append(f"({_number(one['low'])} to {_number(one['high'])})")
    if one["limit"] is not None:
        parts.append(f"beyond {_number(one['limit'])}")
    text = " ".join(parts)
    if one["p_value"] is not None:
        text += f", p = {one['p_value']:.1e}" if one["p_value"] else f", p < {_LEAST_CHANCE}"
    against = "" if one["reference"] == "limit" else f" against {one['reference']}"
    if one["rows"]:
        beside = f" ({one['reference_rows']:,})" if one["reference_rows"] else ""
        text += f", {one['rows']:,} rows{against}{beside}"
    return f"{text}; {one['note']}" if one["note"] else text


def explained_line(one: Facts) -> str:
    """A feature that moved, with how much of the model hangs on it."""
    weight = f", importance {one['weight']:.0%}" if one["weight"] else ""
    return f"{one['subject']}: {one['test']} {_number(one['value'])}{weight}"


def contact_lines(owner: str, runbook: str) -> list[str]:
    """Who looks after it, and the page that says what to do, where somebody said so."""
    return [f"{name}: {said}" for name, said in (("owner", owner), ("runbook", runbook)) if said]


def message(
    transition: Transition,
    *,
    number: int,
    deployment: str,
    chart: Facts,
    at: datetime,
    evidence: Sequence[Facts],
    version: int | None,
    contact: Contact,
) -> dict[str, Any]:
    """What a sink is sent, as plain data."""
    alert = transition.alert
    return {
        "alert": number,
        "deployment": deployment,
        "happening": transition.happening,
        "severity": alert.severity,
        "cause": alert.cause,
        "headline": headline(deployment, alert),
        "since": alert.since,
        "opened_at": alert.opened,
        "resolved_at": alert.resolved,
        "at": at,
        "reason": transition.reason,
        "evidence": list(evidence),
        "explained": [facts(one) for one in transition.explained],
        "next_step": next_step(alert, version),
        "owner": contact.owner,
        "runbook": contact.runbook,
        "look": f"tidemill alerts show {number}",
        "chart": {name: value for name, value in chart.items() if name != "others"},
    }


def subject_line(told: Facts) -> str:
    """One line: what happened to which alert."""
    return " ".join(f"[{told['happening']}] {told['headline']}".split())


def plain_text(told: Facts) -> str:
    """A message as text."""
    lines = [told["headline"], "", f"{told['happening']}; first seen in the window from {_moment(told['since'])}"]
    if told["resolved_at"]:
        lines.append(f"over since {_moment(told['resolved_at'])}: {told['reason']}")
    elif told["reason"]:
        lines.append(told["reason"])
    # Up here: whoever cuts a long message off cuts its end. Messages that waited through an upgrade have none.
    lines += contact_lines(told.get("owner", ""), told.get("runbook", ""))
    lines += _listed("evidence", [evidence_line(one) for one in told["evidence"]])
    lines += _listed("features that moved", [explained_line(one) for one in told["explained"]])
    if not told["resolved_at"]:
        lines += ["", *next_lines(told["next_step"])]
    lines += ["", f"look: {told['look']}"]
    return "\n".join(lines) + "\n"


def _listed(name: str, lines: Sequence[str]) -> list[str]:
    shown = [f"  {line}" for line in lines[:10]]
    more = [f"  and {len(lines) - 10} more"] if len(lines) > 10 else []
    return ["", f"{name}:", *shown, *more] if shown else []


def _about(subject: str, part: str) -> str:
    return f"{subject} ({part})" if part else subject


def _number(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4g}"


def _moment(value: datetime | str) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{moment:%Y-%m-%d %H:%M} UTC"
