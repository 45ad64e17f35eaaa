"""Whether what a schedule names is there: seen before its time comes."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tidemill.core.errors import SettingsError, TidemillError
from tidemill.core.names import asset_key, did_you_mean
from tidemill.core.schedules import ACTIONS, ScheduleSettings
from tidemill.warehouse.control.deployments import list_deployments
from tidemill.warehouse.control.models import list_models

if TYPE_CHECKING:
    from tidemill.sql.statements import Summary
    from tidemill.warehouse.control.database import Database


def wrong_selects(
    schedules: Iterable[ScheduleSettings],
    summaries: Callable[[], Sequence[Summary]],
    deployments: Iterable[str],
    db: Database,
) -> list[SettingsError]:
    """What is wrong with the ``select`` of these schedules.

    Statements that cannot be read are no matter of a schedule: nothing is said of it then.

    Parameters
    ----------
    deployments
        Those of the settings; what was deployed without a section of its own may be named too.
    """
    try:
        assets = list(summaries())
    except TidemillError:
        return []
    known = {
        "assets": [one.name for one in assets],
        "models": [*(one.name for one in assets if one.kind == "model"), *(one.name for one in list_models(db))],
        "deployments": [*deployments, *(one.name for one in list_deployments(db))],
    }
    selects = {action.name: action.selects for action in ACTIONS}
    return [
        error
        for one in schedules
        if (what := selects[one.do])
        for selector in one.select
        if (error := _wrong(one, selector, what, known[what])) is not None
    ]


def _wrong(one: ScheduleSettings, selector: str, what: str, known: Sequence[str]) -> SettingsError | None:
    wanted = asset_key(selector)
    if what == "assets":
        wanted = wanted.removeprefix("+").removesuffix("+")
        found = any(fnmatch.fnmatchcase(asset_key(name), wanted) for name in known)
    else:
        found = wanted in map(asset_key, known)
    if found:
        return None
    message = f"schedules.{one.name}.select: no {what.removesuffix('s')} is named {selector}"
    return SettingsError(message, where=one.select_at, hint=did_you_mean(wanted, known))
