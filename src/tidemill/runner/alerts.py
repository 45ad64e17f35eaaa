"""Alerts of a project: decided on each window, sent, and what people say of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tidemill.core.errors import NotFoundError
from tidemill.core.names import did_you_mean
from tidemill.monitoring.alert import Contact
from tidemill.monitoring.budget import Policy
from tidemill.monitoring.deliver import Passed, deliver
from tidemill.monitoring.record import record
from tidemill.runner.deploy import deployment_of
from tidemill.warehouse.control.connection import to_json
from tidemill.warehouse.control.deliveries import add_deliveries, hurry

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.monitoring.alert import Transition
    from tidemill.monitoring.history import History
    from tidemill.monitoring.measurement import Measurement, Window
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.connection import Tx


def record_alerts(
    stations: Stations,
    deployment: str,
    window: Window,
    measurements: Iterable[Measurement],
    *,
    tx: Tx | None = None,
    history: History | None = None,
) -> list[Transition]:
    """Decide what the figures of a window mean, and write it down: call it once they are stored.

    Families may come in several calls, and a window again: late labels, say. Nothing is sent here, see
    `deliver_alerts`.

    Parameters
    ----------
    measurements
        A figure's ``value`` is the size of the effect: more is worse (either way, for what may move both ways); None
        is no verdict. With a p-value it spends the budget; with a limit alone it is beyond it or not. A figure with
        neither is shown, not judged. ``reference="previous"`` beside another reference of the same figure asks both
        to agree.
    tx
        A transaction to take part in; else one is made.
    history
        What was judged before, where the caller has it (`monitoring.record.record`).

    Returns
    -------
    list[Transition]
        What happened to alerts, those that only go on too; ``alert.id`` is the number of ``tidemill.alerts``.

    Raises
    ------
    NotFoundError
        There is no such deployment.
    """
    settings = deployment_of(stations, deployment)
    return record(
        stations.db if tx is None else tx,
        settings.name,
        window,
        measurements,
        policy=policy_of(settings),
        sinks=stations.settings.alerts,
        clock=stations.clock,
        contact=Contact(owner=settings.monitor.owner, runbook=settings.monitor.runbook),
        history=history,
    )


def deliver_alerts(
    stations: Stations, *, deadline_s: float = 30.0, environment: Mapping[str, str] = os.environ
) -> Passed:
    """Send what waits: one pass over all sinks, over after the deadline whatever hangs. Call it again and again."""
    return deliver(
        stations.db,
        stations.settings.alerts,
        root=stations.root,
        environment=environment,
        clock=stations.clock,
        deadline_s=deadline_s,
    )


def policy_of(settings: DeploymentSettings) -> Policy:
    """How alarms are decided for a deployment."""
    alerting = settings.alerting
    return Policy(
        false_alarms_per_month=alerting.false_alarms_per_month,
        breaches=alerting.breaches,
        of_windows=alerting.of_windows,
        quiet_windows=alerting.quiet_windows,
        cool_down=alerting.cool_down,
        season=settings.monitor.season,
    )


def send_test(stations: Stations, sink: str) -> None:
    """Put a message into the queue of a sink that says it is a test; what waits there after a failure goes with it.

    Raises
    ------
    NotFoundError
        The settings have no sink of that name.
    """
    if sink not in stations.settings.alerts:
        hint = did_you_mean(sink, stations.settings.alerts) or "write a section [alerts.NAME] into tidemill.toml"
        raise NotFoundError(f"the settings have no sink {sink}", hint=hint)
    now = stations.clock.now()
    told = {
        "alert": 0,
        "deployment": "test",
        "happening": "test",
        "severity": "page",
        "cause": "test",
        "headline": f"This is a test of {stations.settings.name}: alerts reach {sink}.",
        "since": now.isoformat(),
        "opened_at": now.isoformat(),
        "resolved_at": None,
        "at": now.isoformat(),
        "reason": "",
        "evidence": [],
        "explained": [],
        "next_step": "nothing",
        "owner": "",
        "runbook": "",
        "look": "tidemill alerts",
        "chart": {"title": "", "limit": None, "since": now.isoformat(), "windows": []},
    }
    with stations.db.write() as tx:
        hurry(tx, sink, now=now)
        add_deliveries(
            tx, alert=None, happening="test", message=to_json(told), sinks={sink: stations.clock.new_id()}, now=now
        )
