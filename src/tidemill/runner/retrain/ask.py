"""Asking for a new version: the monitor, a schedule or a person writes a row; who carries it out is another matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tidemill.core.durations import show_duration
from tidemill.core.errors import InternalError, NotFoundError
from tidemill.core.retrain import CAUSES
from tidemill.runner.deploy import deployment_of
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.deployments import find_deployment, get_deployment
from tidemill.warehouse.control.models import get_version
from tidemill.warehouse.control.retrain import PERSON, Ask, RetrainRequest, add_ask

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.monitoring.alert import Transition
    from tidemill.runner.stations import Stations

DRIFT = "drift"
DRIFTS = frozenset({"missing", "new_category", "feature", "prediction", "estimate"})
"""Families of trouble that say that data moved, not that answers are worse."""
_FIGURES = 5


def request_retraining(
    stations: Stations,
    deployment: str,
    *,
    cause: str,
    who: str,
    why: str = "",
    evidence: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> RetrainRequest | None:
    """Ask for a new version of a deployment's model; however often, there is one open request.

    Parameters
    ----------
    cause
        quality, staleness, schedule, drift, or person.
    evidence
        What it is asked on: figures, an alert's number. Kept with the request.
    at
        When it was asked; now when not given.

    Returns
    -------
    RetrainRequest | None
        None where the settings do not let this cause ask; and drift asks only of a champion that is of some age.

    Raises
    ------
    NotFoundError
        There is no such deployment.
    """
    settings = deployment_of(stations, deployment)
    moment = at or stations.clock.now()
    told = dict(evidence or {})
    if cause == DRIFT:
        old_enough = settings.retrain.max_age_with_drift
        age = age_of_champion(stations, settings, moment)
        if not old_enough or age is None or age < old_enough:
            return None
        told["age_days"] = round(age / timedelta(days=1), 3)
    elif cause != PERSON and cause not in CAUSES:
        raise InternalError(f"nothing asks for a new version by {cause!r}")
    elif cause != PERSON and cause not in settings.retrain.on:
        return None
    if cause == PERSON:
        get_deployment(stations.db, settings.name)  # says what to do where nothing is deployed
    elif find_deployment(stations.db, settings.name) is None:
        return None
    ask = Ask(cause=cause, who=who, at=moment, why=why, evidence=told)
    with stations.db.write() as tx:
        request = add_ask(tx, settings.name, settings.model, ask)
        if request.asked == 1 or cause == PERSON:
            audit.append(
                tx,
                who=who,
                action="ask for retraining",
                object=f"deployment {settings.name}",
                why=why or cause,
                evidence={"request": request.number, "cause": cause, **told},
            )
    return request


def ask_for_alerts(stations: Stations, deployment: str, happened: Iterable[Transition]) -> None:
    """Ask for a new version where alerts of the version that answers say that its quality fell, or that data drifts.

    An alert that goes on asks again: the open request counts it, and one that was refused gets its next try.
    """
    found = find_deployment(stations.db, deployment)
    if found is None:
        return
    for one in happened:
        if one.happening == "resolved" or all(it.version not in (None, found.champion) for it in one.evidence):
            continue
        cause = "quality" if "quality" in one.alert.families else DRIFT if DRIFTS & set(one.alert.families) else ""
        if cause:
            figures = [
                {"subject": it.key.subject, "test": it.key.test, "value": it.value, "limit": it.limit}
                for it in one.evidence[:_FIGURES]
            ]
            told = {"alert": one.alert.id, "about": one.alert.cause, "figures": figures}
            request_retraining(stations, deployment, cause=cause, who="monitor", evidence=told)


def ask_stale(stations: Stations) -> list[RetrainRequest]:
    """Ask for a new version wherever the champion is older than its deployment lets it be."""
    found = []
    now = stations.clock.now()
    for settings in stations.settings.deployments.values():
        if "staleness" not in settings.retrain.on:
            continue
        try:
            age = age_of_champion(stations, settings, now)
        except NotFoundError:  # its model is gone: a request of it would come to nothing
            continue
        if age is None or age <= settings.retrain.max_age:
            continue
        request = request_retraining(
            stations,
            settings.name,
            cause="staleness",
            who="tidemill",
            why=f"the champion is {show_duration(age)} old",
            evidence={"age_days": round(age / timedelta(days=1), 3)},
            at=now,
        )
        found += [request] if request is not None else []
    return found


def age_of_champion(stations: Stations, settings: DeploymentSettings, now: datetime) -> timedelta | None:
    """How long ago the version that answers was trained; None where none answers."""
    deployed = find_deployment(stations.db, settings.name)
    if deployed is None or deployed.champion is None:
        return None
    made = get_version(stations.db, deployed.model, deployed.champion).created_at
    return None if made is None else now - made
