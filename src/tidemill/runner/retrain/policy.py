"""When a request may be carried out. Pure: the settings, what is recorded and the time are passed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidemill.core.durations import show_duration
from tidemill.core.retrain import RetrainSettings
from tidemill.serving.machine import QUARANTINED
from tidemill.warehouse.control.deployments import DeployedVersion, Deployment
from tidemill.warehouse.control.retrain import RetrainRequest

LOOK_AGAIN = timedelta(hours=1)
"""Where there was nothing new to learn from, nobody looks again before this."""
LONGEST_PAUSE = timedelta(hours=1)
"""After what may pass, such as a lock. A pause that ends later was written by a clock that was ahead."""
_TRAINED = ("done", "refused", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Why a request waits, and until when, where that is known."""

    why: str
    until: datetime | None = None


def hindrance(
    request: RetrainRequest,
    past: Sequence[RetrainRequest],
    *,
    settings: RetrainSettings,
    deployment: Deployment,
    versions: Mapping[int, DeployedVersion],
    now: datetime,
) -> Wait | None:
    """What keeps a request from being carried out now; None for nothing.

    Parameters
    ----------
    past
        Requests of the deployment, the newest first.
    """
    busy = occupied(deployment, now)
    if busy is not None:
        return busy
    if request.by_person:
        return None
    if request.attempt and request.not_before is not None and now < request.not_before <= now + LONGEST_PAUSE:
        return Wait(why=request.said, until=request.not_before)
    ended = [one for one in past if one.number != request.number and one.finished_at is not None]
    waits = (_nothing_new(request, now), _backed_off(ended, settings, versions, now), _capped(ended, settings, now))
    return next((wait for wait in waits if wait is not None and wait.until is not None and wait.until > now), None)


def occupied(deployment: Deployment, now: datetime) -> Wait | None:
    """Why no version may be tried now: another is on trial, or one was just taken back."""
    if deployment.challenger is not None:
        return Wait(why=f"version {deployment.challenger} is on trial")
    cool = deployment.cool_down_until
    if cool is not None and cool > now:
        return Wait(why="the deployment cools down after a rollback", until=cool)
    return None


def _nothing_new(request: RetrainRequest, now: datetime) -> Wait | None:
    """The request found nothing new before, and was opened again."""
    if request.finished_at is None or request.attempt:
        return None
    return Wait(why="there was nothing new to learn from", until=min(request.finished_at, now) + LOOK_AGAIN)


def _backed_off(
    ended: Sequence[RetrainRequest], settings: RetrainSettings, versions: Mapping[int, DeployedVersion], now: datetime
) -> Wait | None:
    bad = 0
    for one in ended:
        if one.status == "unchanged":
            continue
        if not _went_wrong(one, versions):
            break
        bad += 1
    last = next((one for one in ended if one.status != "unchanged"), None)
    if not bad or last is None or last.finished_at is None:
        return None
    pause = min(settings.back_off * 2 ** min(bad - 1, 32), settings.back_off_most)
    times = "the last one" if bad == 1 else f"the last {bad}"
    # An end that lies ahead was written by a clock that was wrong.
    began = min(last.finished_at, now)
    return Wait(why=f"{times} came to nothing: a pause of {show_duration(pause)}", until=began + pause)


def _went_wrong(one: RetrainRequest, versions: Mapping[int, DeployedVersion]) -> bool:
    if one.status in ("refused", "failed"):
        return True
    tried = None if one.version is None else versions.get(one.version)
    return tried is not None and tried.state == QUARANTINED


def _capped(ended: Sequence[RetrainRequest], settings: RetrainSettings, now: datetime) -> Wait | None:
    inside = [
        one.started_at
        for one in ended
        if one.status in _TRAINED and one.started_at is not None and now - settings.span < one.started_at <= now
    ]
    if len(inside) < settings.most:
        return None
    until = sorted(inside)[-settings.most] + settings.span
    return Wait(why=f"at most {settings.most} per {show_duration(settings.span)}", until=until)
