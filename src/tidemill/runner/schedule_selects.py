"""Whether what a schedule names is there: seen before its time comes."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tidemill.core.errors import SettingsError, TidemillError
from tidemill.core.names import asset_key, did_you_mean
from tidemill.core.schedules import ScheduleSettings

if TYPE_CHECKING:
    from tidemill.sql.statements import Summary

OF_ASSETS = ("run", "check")


def wrong_selects(
    schedules: Iterable[ScheduleSettings], summaries: Callable[[], Sequence[Summary]], deployments: Iterable[str]
) -> list[SettingsError]:
    """What is wrong with the ``select`` of these schedules.

    Statements that cannot be read are no matter of a schedule: nothing is said of it then.
    """
    try:
        assets = [summary.name for summary in summaries()]
    except TidemillError:
        return []
    served = list(deployments)
    found = []
    for one in schedules:
        known, what = (assets, "asset") if one.do in OF_ASSETS else (served, "deployment")
        for selector in one.select:
            pattern = asset_key(selector.removeprefix("+").removesuffix("+"))
            if not any(fnmatch.fnmatchcase(asset_key(name), pattern) for name in known):
                message = f"schedules.{one.name}.select: no {what} is named {selector}"
                found.append(SettingsError(message, where=one.select_at, hint=did_you_mean(pattern, known)))
    return found
