"""What people say of alerts: seen, be silent for a while, worth it or not. Each leaves a row in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tidemill.core.errors import SettingsError
from tidemill.monitoring.record import floors
from tidemill.monitoring.verdict import Key
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.alerts import AlertRow, add_event, get_alert, save_alert
from tidemill.warehouse.control.connection import Database, Tx


def acknowledge(db: Database, number: int, *, who: str, why: str = "") -> AlertRow:
    """Say that somebody is at it."""
    with db.write() as tx:
        alert = get_alert(tx, number)
        moment = tx.clock.now()
        now = replace(alert, acknowledged_by=who, acknowledged_at=moment, acknowledged_why=why)
        return _changed(tx, now, "acknowledged", who=who, why=why)


def mute(db: Database, number: int, *, until: datetime, who: str, why: str) -> AlertRow:
    """Send nothing of what an alert is about now until a moment, whether it goes on or comes back.

    What else has the same cause (another column of the same table) is told.

    Raises
    ------
    SettingsError
        There is no reason, or the moment is over.
    """
    if not why.strip():
        raise SettingsError("muting an alert needs a reason", hint="tidemill alerts mute ID --for '2 days' --why '...'")
    with db.write() as tx:
        if until <= tx.clock.now():
            raise SettingsError(f"{until:%Y-%m-%d %H:%M} UTC is over: nothing would be muted")
        alert = get_alert(tx, number)
        now = replace(alert, muted_until=until, muted_figures=alert.figures)
        return _changed(tx, now, "muted", who=who, why=why, evidence={"until": until.isoformat()})


def unmute(db: Database, number: int, *, who: str, why: str = "") -> AlertRow:
    """Let an alert be heard again."""
    with db.write() as tx:
        return _changed(
            tx, replace(get_alert(tx, number), muted_until=None, muted_figures=()), "unmuted", who=who, why=why
        )


def rate(db: Database, number: int, *, useful: bool, who: str, why: str = "") -> tuple[AlertRow, dict[Key, float]]:
    """Say whether an alert was worth it.

    Returns
    -------
    tuple[AlertRow, dict[Key, float]]
        The alert, and by figure of it the effect up to which there is no alert from now on.
    """
    with db.write() as tx:
        alert = replace(get_alert(tx, number), useful=useful, useful_why=why)
        done = _changed(tx, alert, "useful" if useful else "not useful", who=who, why=why)
        mine = {Key(*one) for one in alert.figures}
        found = {key: least for key, least in floors(tx, alert.deployment).items() if key in mine}
    return done, found


def _changed(
    tx: Tx, alert: AlertRow, happening: str, *, who: str, why: str, evidence: Mapping[str, Any] | None = None
) -> AlertRow:
    save_alert(tx, alert)
    add_event(tx, alert.number, happening=happening, who=who, detail=why)
    told = {"headline": alert.headline, **(evidence or {})}
    audit.append(tx, who=who, action=f"alert {happening}", object=f"alert {alert.number}", why=why, evidence=told)
    return alert
