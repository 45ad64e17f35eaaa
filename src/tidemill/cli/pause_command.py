"""tidemill pause: let a rollout stand still, or let no version answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tidemill.cli.deployments import DeploymentName, Why, print_state
from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import option


def pause(
    name: DeploymentName,
    traffic: Annotated[
        bool, option("--traffic", about="Let no version answer: every request gets the fallback.")
    ] = False,
    why: Why = "",
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Pause, and print how the deployment stands."""
    with entered(project) as opened:
        print_state(opened.pause(name, traffic=traffic, why=why), as_json=as_json)
