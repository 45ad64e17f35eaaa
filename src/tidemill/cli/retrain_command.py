"""tidemill retrain: ask for a new version of a deployment's model, or carry out what was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from click.exceptions import Exit

from tidemill.cli.deployments import Why
from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.cli.progress import status_line
from tidemill.core.errors import GateError, SettingsError
from tidemill.runner.result import text_table

if TYPE_CHECKING:
    from tidemill.project import Project
    from tidemill.runner.retrain.carry_out import Retrained
    from tidemill.warehouse.control.retrain import RetrainRequest


def retrain(
    deployment: Annotated[str, argument(about="The deployment; without one, requests are listed.")] = "",
    due: Annotated[bool, option("--due", about="Carry out what was asked for and is due.")] = False,
    later: Annotated[bool, option("--later", about="Only ask: the next --due carries it out.")] = False,
    why: Why = "",
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Train on what is there now, ask the gates, and begin the rollout; bounds of the settings do not hold for you."""
    if due and (deployment or later):
        raise SettingsError(
            "--due carries out what was asked for: it takes no deployment and no --later", hint="give one of the two"
        )
    if later and not deployment:
        raise SettingsError("--later needs a deployment to ask for", hint="tidemill retrain NAME --later")
    with entered(project) as opened:
        if due:
            with status_line() as tell:
                found = opened.retrain_due(listen=tell)
            _print_done(found, as_json=as_json)
            status = max((one.error.exit_status for one in found if one.error is not None), default=0)
        elif not deployment:
            _print_list(opened.retrain_requests(), as_json=as_json)
            status = 0
        else:
            status = _one(opened, deployment, why=why, later=later, as_json=as_json)
    if status:
        raise Exit(status)


def _one(opened: Project, deployment: str, *, why: str, later: bool, as_json: bool) -> int:
    request = opened.request_retraining(deployment, why=why)
    assert request is not None  # noqa: S101 - a person may always ask
    if later:
        if as_json:
            print(json.dumps({"request": request.number, "status": request.status}))
        else:
            print(f"request {request.number}: tidemill retrain --due carries it out")
        return 0
    with status_line() as tell:
        found = opened.retrain_due(only=request.number, listen=tell)
    _print_done(found, as_json=as_json)
    if found and found[0].request.status == "refused":
        return GateError.exit_status
    return max((one.error.exit_status for one in found if one.error is not None), default=0)


def _print_done(found: list[Retrained], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([one.as_json() for one in found], indent=2, ensure_ascii=False, default=str))
        return
    for one in found:
        print(_line(one.request))
        if one.error is not None:
            print(one.error.render())
    if not found:
        print("nothing was asked for")


def _line(one: RetrainRequest) -> str:
    """A request in one sentence."""
    until = f" until {one.not_before:%Y-%m-%d %H:%M} UTC" if one.not_before is not None else ""
    return f"{one.deployment}, request {one.number}: {one.status}, {one.said}{until}"


def _print_list(requests: list[RetrainRequest], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "request": one.number,
                "deployment": one.deployment,
                "status": one.status,
                "said": one.said,
                "asked": one.asked,
                "asks": [ask.as_json() for ask in one.asks],
                "not_before": None if one.not_before is None else one.not_before.isoformat(),
                "run_id": one.run_id,
                "version": one.version,
            }
            for one in requests
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif not requests:
        print("nothing was asked for")
    else:
        shown = [
            (one.number, one.deployment, ", ".join(one.causes), one.asked, f"{one.asked_at:%Y-%m-%d %H:%M}",
             one.status, one.said)
            for one in requests
        ]  # fmt: skip
        print(text_table(["request", "deployment", "asked for by", "times", "first", "status", "because"], shown,
                         widest=120))  # fmt: skip
