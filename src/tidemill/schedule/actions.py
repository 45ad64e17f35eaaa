"""What schedules can do, bound to the project: a function for each row of `core.schedules.ACTIONS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.errors import ContractError, CorruptError, TidemillError
from tidemill.core.words import count

if TYPE_CHECKING:
    from tidemill.core.schedules import ScheduleSettings
    from tidemill.project import Project

WAIT_S = 3600.0
"""How long a scheduled run waits for another run of the project to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done, in words; the run it made; and what went wrong although it was carried out to its end."""

    said: str
    run_id: str | None = None
    error: TidemillError | None = None


def run(project: Project, schedule: ScheduleSettings) -> Done:
    """Build what is stale."""
    report = project.run(schedule.select, wait_s=WAIT_S)
    if report.status == "nothing":
        return Done(said="nothing to do")
    failed = [step for step in report.steps if step.error is not None]
    done = sum(step.status in {"done", "resumed"} for step in report.steps)
    said = f"{done} of {len(report.steps)} steps done"
    if failed:
        said += f"; failed: {', '.join(step.asset for step in failed)}"
    return Done(said=said, run_id=report.run_id, error=failed[0].error if failed else None)


def check(project: Project, schedule: ScheduleSettings) -> Done:
    """Check what is in the lake."""
    report = project.check(schedule.select)
    checked = sum(len(table.results) for table in report.tables)
    broken = [table.name for table in report.tables if not table.held]
    if report.held:
        return Done(said=f"{checked} checks held")
    unread = next((table.error for table in report.tables if table.error is not None), None)
    failed = f"checks of {', '.join(broken)} failed"
    error = unread or ContractError(failed, hint="tidemill check says which rows")
    return Done(said=f"{checked} checks; {failed}", error=error)


def maintain(project: Project, _: ScheduleSettings) -> Done:
    """Look after the lake."""
    done = project.maintain()
    return Done(said=f"{len(done.acts)} acts" if done.acts else "nothing to do", error=done.error)


def collect(project: Project, _: ScheduleSettings) -> Done:
    """Carry the prediction log into the lake."""
    from tidemill.core.errors import BusyError

    try:
        found = project.collect()
    except BusyError as error:
        return Done(said=f"a collector is at work: {error.message}")
    return Done(said=f"{found.predictions} predictions and {found.labels} labels")


def monitor(project: Project, schedule: ScheduleSettings) -> Done:
    """Measure the windows that are over."""
    from tidemill.core.errors import BusyError

    try:
        found = project.monitor(schedule.select)
    except BusyError as error:
        return Done(said=f"a monitor is at work: {error.message}")
    errors = [one.error for one in found if one.error is not None]
    windows, figures = sum(len(one.windows) for one in found), sum(one.measurements for one in found)
    said = f"{count(windows, 'window')}, {count(figures, 'figure')}"
    return Done(said="; ".join([said, *(one.message for one in errors)]), error=errors[0] if errors else None)


def retrain(project: Project, schedule: ScheduleSettings) -> Done:
    """Ask for new versions of these deployments, and carry out what is due of any; one that may not be asked waits."""
    from tidemill.core.errors import TransientError

    said, errors = [], []
    for name in schedule.select:
        try:
            _ask(project, name)
        except TransientError:
            raise
        except TidemillError as error:
            said.append(error.message)
            errors.append(error)
    found = project.retrain_due()
    said += [f"{one.request.deployment}: {one.request.status}, {one.request.said}" for one in found]
    errors += [one.error for one in found if one.error is not None and one.request.status == "failed"]
    run_id = next((one.request.run_id for one in found if one.request.run_id), None)
    return Done(said="; ".join(said) or "nothing to do", run_id=run_id, error=errors[0] if errors else None)


def _ask(project: Project, name: str) -> None:
    """Ask for a new version.

    Raises
    ------
    NotFoundError
        There is no such deployment, or nothing is deployed by that name.
    SettingsError
        Its settings let no schedule ask.
    """
    from tidemill.core.retrain import unlet
    from tidemill.runner.deploy import deployment_of
    from tidemill.warehouse.control.deployments import get_deployment

    settings = deployment_of(project.stations, name)
    error = unlet(settings.name, settings.retrain, "schedule")
    if error is not None:
        raise error
    get_deployment(project.db, settings.name)  # says what to do where nothing is deployed
    project.request_retraining(settings.name, cause="schedule", who="schedule")


def backtest(project: Project, schedule: ScheduleSettings) -> Done:
    """Backtest these models, one after the other; one that cannot be keeps no other from its turn."""
    from tidemill.core.errors import TransientError
    from tidemill.runner.backtest.walk import Asked

    said, errors = [], []
    for model in schedule.select:
        try:
            found = project.backtest(Asked(model=model, every=schedule.every))
        except TransientError:
            raise
        except TidemillError as error:
            said.append(f"{model}: {error.message}")
            errors.append(error)
        else:
            said.append(f"{model}: backtest {found.number}, {' '.join(found.said)}")
    return Done(said="; ".join(said), error=errors[0] if errors else None)


def verify(project: Project, _: ScheduleSettings) -> Done:
    """Check every file against its digest."""
    problems = project.verify()
    if not problems:
        return Done(said="every file is as it was written")
    said = f"{len(problems)} files are damaged"
    return Done(said=said, error=CorruptError(said, hint="tidemill verify names them"))


PERFORM: Mapping[str, Callable[[Project, ScheduleSettings], Done]] = {
    "run": run,
    "check": check,
    "maintain": maintain,
    "collect": collect,
    "monitor": monitor,
    "retrain": retrain,
    "backtest": backtest,
    "verify": verify,
}
