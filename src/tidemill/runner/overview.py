"""The whole system at a glance, as plain data: one section each for deployments, alerts, retraining, parts and so on.

A new section is a row of `SECTIONS`, and how it reads in the terminal a row of `cli.status_page.SHOW`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tidemill.core.errors import SettingsError
from tidemill.core.settings import Settings
from tidemill.runner.retrain.standing import standing_requests
from tidemill.runner.status import statuses
from tidemill.runner.watch.few import few_of_named
from tidemill.serving.log.lag import lag
from tidemill.warehouse.control.alerts import list_alerts
from tidemill.warehouse.control.database import Database
from tidemill.warehouse.control.deliveries import sink_states
from tidemill.warehouse.control.parts import list_parts
from tidemill.warehouse.control.runs import list_runs
from tidemill.warehouse.control.schedules import list_slots, next_slots
from tidemill.warehouse.control.troubles import list_troubles
from tidemill.warehouse.protocol import Warehouse

RUNS = 5
OVERDUE = timedelta(minutes=1)
"""A slot that was not begun by then waits for a scheduler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is looked at. ``wrong``: what is wrong with the settings, which are not all there then."""

    settings: Settings
    db: Database
    warehouse: Callable[[], Warehouse]
    keep: Path
    now: datetime
    wrong: SettingsError | None = None


def overview(seen: Seen) -> dict[str, list[dict[str, Any]]]:
    """Every section, in order; where settings are wrong, those that tell of no settings."""
    return {name: read(seen) for name, read in SECTIONS.items() if seen.wrong is None or name not in OF_SETTINGS}


def deployments(seen: Seen) -> list[dict[str, Any]]:
    """How each deployment stands."""
    return [
        {**one.as_json(), "few_answers": _few_answers(seen, one.deployment.name)}
        for one in statuses(seen.db, seen.keep, settings=seen.settings, now=seen.now, changes=3)
    ]


def _few_answers(seen: Seen, name: str) -> str:
    """What is said of windows of too few answers; nothing while the settings cannot be read."""
    if seen.wrong is not None:
        return ""
    return few_of_named(seen.db, seen.settings.deployments, name, seen.now)


def parts(seen: Seen) -> list[dict[str, Any]]:
    """Processes that are up, that are silent, and that were killed."""
    return [
        {
            "part": one.part,
            "state": one.state(seen.now),
            "about": one.about,
            "host": one.holder.host.partition("/")[0],
            "pid": one.holder.pid,
            "started_at": _text(one.started_at),
            "beat_at": _text(one.beat_at),
        }
        for one in list_parts(seen.db)
    ]


def troubles(seen: Seen) -> list[dict[str, Any]]:
    """What parts could not do when they tried last; settings that are wrong are not followed."""
    wrong = [] if seen.wrong is None else [{"part": "settings", "about": "", "said": seen.wrong.placed, "since": None}]
    return wrong + [
        {"part": one.part, "about": one.about, "said": one.said, "since": _text(one.since)}
        for one in list_troubles(seen.db)
    ]


def alerts(seen: Seen) -> list[dict[str, Any]]:
    """What is wrong now and was sent to people, the newest first."""
    return [
        {
            "alert": one.number,
            "deployment": one.deployment,
            "headline": one.headline,
            "owner": one.owner,
            "runbook": one.runbook,
            "since": _text(one.since),
            "acknowledged_by": one.acknowledged_by,
            "muted_until": _text(one.muted_until),
        }
        for one in list_alerts(seen.db)
        if one.state == "open" and one.severity == "page"
    ]


def retraining(seen: Seen) -> list[dict[str, Any]]:
    """New versions that were asked for: open requests, and those that came to an end of late."""
    return standing_requests(seen.db, seen.now)


def sinks(seen: Seen) -> list[dict[str, Any]]:
    """Each place that alerts go to, by the settings, and whether they arrive."""
    states = {one.sink: one for one in sink_states(seen.db)}
    found = []
    for name, sink in seen.settings.alerts.items():
        state = states.get(name)
        found.append(
            {
                "sink": name,
                "kind": sink.kind,
                "sent": state.sent if state else 0,
                "waiting": state.waiting if state else 0,
                "given_up": state.given_up if state else 0,
                "failing_since": _text(state.failing_since if state else None),
                "error": state.error if state else "",
            }
        )
    return found


def log(seen: Seen) -> list[dict[str, Any]]:
    """How far the lake is behind the servers of this machine."""
    found = lag(seen.keep / "spool", seen.warehouse)
    seconds = None if found.since is None else (seen.now - found.since).total_seconds()
    return [{"waiting_bytes": found.bytes, "since": _text(found.since), "seconds": seconds}]


def schedules(seen: Seen) -> list[dict[str, Any]]:
    """Each schedule of the settings: when it comes next, and what became of its last slot."""
    recorded = next_slots(seen.db)
    found = []
    for one in seen.settings.schedules.values():
        waits = recorded.get(one.key)
        last = next(iter(list_slots(seen.db, one.key, limit=1)), None)
        overdue = one.enabled and waits is not None and waits < seen.now - OVERDUE
        found.append(
            {
                "schedule": one.name,
                "do": one.do,
                "cron": one.cron.text,
                "zone": one.zone,
                "enabled": one.enabled,
                "known": one.key in recorded,
                "next": _text(waits if overdue else one.next_after(seen.now)),
                "overdue": overdue,
                "last": None
                if last is None
                else {
                    "slot": _text(last.slot),
                    "status": last.status,
                    "said": last.said,
                    "attempt": last.attempt,
                    "passed_over": last.passed_over,
                    "run_id": last.run_id,
                    "again_at": _text(last.again_at),
                },
            }
        )
    return found


def runs(seen: Seen) -> list[dict[str, Any]]:
    """The last runs, the newest first."""
    return [
        {
            "run": one.number,
            "run_id": one.run_id,
            "status": one.status,
            "started_at": _text(one.started_at),
            "seconds": None if one.finished_at is None else (one.finished_at - one.started_at).total_seconds(),
            "error": None if one.error is None else one.error["message"],
        }
        for one in list_runs(seen.db, limit=RUNS)
    ]


SECTIONS: Mapping[str, Callable[[Seen], list[dict[str, Any]]]] = {
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

OF_SETTINGS = frozenset({"sinks", "schedules"})
"""Sections of what the settings say."""


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
