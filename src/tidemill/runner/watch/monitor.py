"""Passes of the monitor over deployments: one at a time, whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from tidemill.core.errors import TransientError, as_trouble
from tidemill.runner.alerts import deliver_alerts
from tidemill.runner.deploy import deployment_of
from tidemill.runner.watch.deployment import Listener, Monitored, Pass
from tidemill.warehouse.control.deployments import list_deployments
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import Lease, held
from tidemill.warehouse.control.troubles import save_troubles

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.runner.stations import Stations

LEASE = "monitor"
DELIVER_S = 30.0
"""How long a pass may take to send alerts; what is not sent by then waits for the next."""


def monitor(
    stations: Stations,
    names: Sequence[str] = (),
    *,
    listen: Listener = lambda _: None,
    wait_s: float = 0.0,
    ended: datetime | None = None,
) -> list[Monitored]:
    """Measure what is over and was not measured yet, for some deployments or for all that are watched.

    Parameters
    ----------
    ended
        When the last answer comes, where that is known: after it nobody is missed.

    Raises
    ------
    BusyError
        Another process is at it.
    NotFoundError
        There is no such deployment.
    """
    with held(stations.db, LEASE, this_process(), wait_s=wait_s) as lease:
        found = [_monitored(stations, one, lease, listen, ended) for one in _chosen(stations, names)]
        failed = {one.deployment: one.error.message for one in found if one.error is not None}
        save_troubles(stations.db, LEASE, failed, among=[one.deployment for one in found] if names else None)
    deliver_alerts(stations, deadline_s=DELIVER_S)
    return found


def _chosen(stations: Stations, names: Sequence[str]) -> list[DeploymentSettings]:
    if names:
        return [deployment_of(stations, name) for name in names]
    settings = [deployment_of(stations, one.name) for one in list_deployments(stations.db)]
    return [one for one in settings if one.monitor.enabled]


def _monitored(
    stations: Stations, settings: DeploymentSettings, lease: Lease, listen: Listener, ended: datetime | None
) -> Monitored:
    """One deployment's pass. What is wrong with one does not keep the others from being watched."""
    began = stations.clock.monotonic()
    try:
        found = Pass.open(stations, settings, lease, ended=ended).run(listen)
    except TransientError:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary of a deployment: the others are watched
        return Monitored(deployment=settings.name, error=as_trouble(error, f"watching {settings.name}"))
    return replace(found, seconds=stations.clock.monotonic() - began)
