"""tidemill resume: take back what pause did."""

from __future__ import annotations

from pathlib import Path

from tidemill.cli.deployments import DeploymentName, Why, print_state
from tidemill.cli.options import AsJson, ProjectFolder, entered


def resume(name: DeploymentName, why: Why = "", as_json: AsJson = False, project: ProjectFolder = Path()) -> None:
    """Resume, and print how the deployment stands."""
    with entered(project) as opened:
        print_state(opened.resume(name, why=why), as_json=as_json)
