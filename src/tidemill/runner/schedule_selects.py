"""Whether what a schedule names is there, and can be done: seen before its time comes."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tidemill.core.errors import SettingsError, TidemillError
from tidemill.core.names import asset_key, did_you_mean
from tidemill.core.retrain import unlet
from tidemill.core.schedules import ACTIONS, ScheduleSettings
from tidemill.core.sections import declared_deployment, one_deployment
from tidemill.warehouse.control.deployments import list_deployments
from tidemill.warehouse.control.models import list_models

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.runner.statements import ProjectStatements
    from tidemill.warehouse.control.database import Database


def wrong_selects(
    schedules: Iterable[ScheduleSettings],
    statements: ProjectStatements,
    deployments: Mapping[str, DeploymentSettings],
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
        assets = statements.summaries()
    except TidemillError:
        return []
    known = {
        "assets": [one.name for one in assets],
        "models": [*(one.name for one in assets if one.kind == "model"), *(one.name for one in list_models(db))],
        "deployments": [*deployments, *(one.name for one in list_deployments(db))],
    }
    actions = {action.name: action for action in ACTIONS}
    wrong = []
    for one in schedules:
        action = actions[one.do]
        for selector in one.select if action.selects else ():
            error = _unknown(one, selector, action.selects, known[action.selects])
            if error is None and action.needs_time:
                error = _untimed(one, selector, statements, db)
            if error is None and action.cause:
                error = _unlet(one, selector, action.cause, deployments)
            wrong += [] if error is None else [error]
    return wrong


def _unknown(one: ScheduleSettings, selector: str, what: str, known: Sequence[str]) -> SettingsError | None:
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


def _unlet(
    one: ScheduleSettings, name: str, cause: str, deployments: Mapping[str, DeploymentSettings]
) -> SettingsError | None:
    """What is wrong with a deployment whose settings do not let a schedule ask for a new version."""
    found = declared_deployment(deployments, name) or one_deployment(name, {})
    error = unlet(found.name, found.retrain, cause)
    if error is not None:
        error.message = f"schedules.{one.name}.select: {error.message}"
        error.where = one.select_at
    return error


def _untimed(one: ScheduleSettings, model: str, statements: ProjectStatements, db: Database) -> SettingsError | None:
    """What is wrong with a model whose rows have no time; a statement that is wrong otherwise, a plan tells of."""
    from tidemill.runner.backtest.keep import statement_of
    from tidemill.runner.backtest.walk import time_of
    from tidemill.sql.options import check_create_model

    try:
        timed = time_of(check_create_model(statement_of(db, statements, model)[0]))
    except TidemillError:
        return None
    if timed:
        return None
    return SettingsError(
        f"schedules.{one.name}.select: nothing says which column of model {model} is the time of a row",
        where=one.select_at,
        hint=f"add TRAIN_TIME_COL = 'its name' to OPTIONS of {model}, and the column to the query",
    )
