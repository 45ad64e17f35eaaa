"""Whether what a schedule names is there: seen before its time comes."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidemill.core.errors import SettingsError, TidemillError
from tidemill.core.names import asset_key, did_you_mean
from tidemill.core.schedules import ScheduleSettings

if TYPE_CHECKING:
    from tidemill.project import Project

OF_ASSETS = ("run", "check")


def wrong_selects(project: Project, schedules: Sequence[ScheduleSettings]) -> list[SettingsError]:
    """What is wrong with the ``select`` of these schedules.

    Statements that cannot be read are no matter of a schedule: nothing is said of it then.
    """
    try:
        assets = [summary.name for summary in project.statements.summaries()]
    except TidemillError:
        return []
    found = []
    for one in schedules:
        of_assets = one.do in OF_ASSETS
        known = assets if of_assets else list(project.settings.deployments)
        what = "asset" if of_assets else "deployment"
        for selector in one.select:
            pattern = asset_key(selector.removeprefix("+").removesuffix("+"))
            if not any(fnmatch.fnmatchcase(asset_key(name), pattern) for name in known):
                message = f"schedules.{one.name}.select: no {what} is named {selector}"
                found.append(SettingsError(message, where=one.select_at, hint=did_you_mean(pattern, known)))
    return found
