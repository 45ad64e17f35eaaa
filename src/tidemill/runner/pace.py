"""How long a stage of a rollout takes at the pace of the last days: a small share of few answers can take years."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tidemill.warehouse.control.monitoring import load_windows

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.warehouse.control.database import Database, Tx
    from tidemill.warehouse.control.deployments import Deployment

SLOW = timedelta(days=30)
"""A stage that takes longer is told: new versions wait for it."""

LAST_DAYS = timedelta(days=7)


def answers_a_day(db: Database | Tx, settings: DeploymentSettings, now: datetime) -> float | None:
    """How many answers a deployment gave a day, by the windows of the last days; None where none was measured."""
    back = max(LAST_DAYS, 2 * settings.monitor.window)
    rows = [row for row in load_windows(db, settings.name, since=now - back) if row.end <= now]
    if not rows:
        return None
    return sum(row.answers for row in rows) / ((rows[-1].end - rows[0].start) / timedelta(days=1))


def slow_stage(db: Database | Tx, settings: DeploymentSettings, deployment: Deployment, now: datetime) -> str:
    """What to know of a stage that goes on for more than a month at this pace; '' for any other, and without a trial.

    Parameters
    ----------
    deployment
        How it stands: its stage and its share.
    """
    a_day = answers_a_day(db, settings, now) if deployment.challenger is not None else None
    if not a_day:
        return ""
    shadow = deployment.stage == "shadow"
    name = "shadow_requests" if shadow else "requests_per_share"
    share = 1.0 if shadow else deployment.share
    wanted = max(getattr(settings.rollout, name), settings.rollback.min_requests)
    days = wanted / (a_day * share)
    if days <= SLOW / timedelta(days=1):
        return ""
    of = "" if shadow else f", {100 * share:.3g} % of them,"
    return f"at {a_day:,.3g} answers a day{of} the {wanted:,} of {name} take {days:,.0f} days"
