"""How requests for new versions stand: the open ones, and what became of those that ended of late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tidemill.serving.machine import QUARANTINED
from tidemill.warehouse.control.connection import Database
from tidemill.warehouse.control.deployments import DeployedVersion, deployed_versions
from tidemill.warehouse.control.retrain import OPEN, RetrainRequest, list_requests, open_requests

LATE = timedelta(days=7)
"""What ended longer ago is history: `tidemill retrain` lists it."""
ENDED = 5
"""So many that ended are shown at most."""

_BECAME: Mapping[str, str] = {
    "shadow": "is on trial in the shadow",
    "canary": "is on trial with a share of the traffic",
    "champion": "is champion",
    "retired": "was retired",
    QUARANTINED: "was rolled back",
}


def standing_requests(db: Database, now: datetime) -> list[dict[str, Any]]:
    """Open requests first, then those that ended in the last week; each the newest first."""
    with db.read() as tx:
        waiting = open_requests(tx)[::-1]
        ended = [
            one
            for one in list_requests(tx)
            if one.status not in OPEN and one.finished_at is not None and one.finished_at > now - LATE
        ]
        return [_plain(one, deployed_versions(tx, one.deployment)) for one in [*waiting, *ended[:ENDED]]]


def as_they_stand(db: Database, deployment: str | None = None) -> list[RetrainRequest]:
    """All requests, the newest first; those whose version entered its rollout say what has become of it since."""
    with db.read() as tx:
        found = list_requests(tx, deployment)
        versions = {name: deployed_versions(tx, name) for name in {one.deployment for one in found}}
    return [replace(one, said=_outcome(one, _tried(one, versions[one.deployment]))) for one in found]


def _tried(one: RetrainRequest, versions: Mapping[int, DeployedVersion]) -> DeployedVersion | None:
    return None if one.version is None or one.status != "done" else versions.get(one.version)


def _plain(one: RetrainRequest, versions: Mapping[int, DeployedVersion]) -> dict[str, Any]:
    tried = _tried(one, versions)
    return {
        "request": one.number,
        "deployment": one.deployment,
        "model": one.model,
        "status": one.status,
        "asked": one.asked,
        "asked_by": list(dict.fromkeys(ask.who for ask in one.asks)),
        "asked_at": one.asked_at.isoformat(),
        "reasons": [{"cause": cause, "why": _why(one, cause)} for cause in one.causes],
        "not_before": _text(one.not_before),
        "started_at": _text(one.started_at),
        "finished_at": _text(one.finished_at),
        "run_id": one.run_id,
        "champion": one.champion,
        "version": one.version,
        "version_state": None if tried is None else tried.state,
        "outcome": _outcome(one, tried),
    }


def _why(one: RetrainRequest, cause: str) -> str:
    """What the first who asked by this cause said, or the alert that they asked on."""
    ask = next(ask for ask in one.asks if ask.cause == cause)
    about = ask.evidence.get("about", "")
    return ask.why or (f"alert {ask.evidence['alert']}, {about}" if about else "")


def _outcome(one: RetrainRequest, tried: DeployedVersion | None) -> str:
    """What it waits for, or what came of it up to now: a version that entered its rollout goes on in it."""
    if tried is None or tried.state not in _BECAME:
        return one.said
    because = f": {tried.reason}" if tried.state == QUARANTINED and tried.reason else ""
    return f"version {tried.version} {_BECAME[tried.state]}{because}"


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
