"""Windows of too few answers: what is said of a deployment of which hardly anything was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tidemill.core.durations import show_duration
from tidemill.core.sections import declared_deployment, one_deployment
from tidemill.core.words import count
from tidemill.warehouse.control.monitoring import WindowRow, load_windows

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.warehouse.control.database import Database

RECENT = 14
"""So many windows back count for what a deployment is like now."""

LEAST_WINDOWS = 3
"""What only began is not said to have too few."""


def few_of_late(db: Database, settings: DeploymentSettings, now: datetime) -> str:
    """What is to be said of a deployment's last windows; '' where most of them had enough answers."""
    return few_answers(load_windows(db, settings.name, since=now - RECENT * settings.monitor.window), settings)


def few_of_named(db: Database, declared: Mapping[str, DeploymentSettings], name: str, now: datetime) -> str:
    """The same of a deployment by its name, whether or not the settings have a section of it."""
    return few_of_late(db, declared_deployment(declared, name) or one_deployment(name, {}), now)


def few_answers(windows: Sequence[WindowRow], settings: DeploymentSettings) -> str:
    """What is to be said of these windows; '' where most of them had enough answers."""
    watch = settings.monitor
    answered = sorted(one.answers for one in windows if one.answers)
    few = sum(answers < watch.min_rows for answers in answered)
    if len(answered) < LEAST_WINDOWS or 2 * few <= len(answered):
        return ""
    longer = watch.window * -(-watch.min_rows // answered[len(answered) // 2])
    return (
        f"{few:,} of {count(len(answered), 'window')} of {show_duration(watch.window)} had fewer than "
        f"{count(watch.min_rows, 'answer')}: their columns, predictions and quality were not judged; set window = "
        f'"{show_duration(longer)}", or a smaller min_rows, in [deployments.{settings.name}.monitor]'
    )
