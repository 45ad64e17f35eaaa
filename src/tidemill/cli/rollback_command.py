"""tidemill rollback: take a version back, and let the one before it answer."""

from __future__ import annotations

from pathlib import Path

from tidemill.cli.deployments import DeploymentName, Why, print_state
from tidemill.cli.options import AsJson, ProjectFolder, entered


def rollback(name: DeploymentName, why: Why = "", as_json: AsJson = False, project: ProjectFolder = Path()) -> None:
    """Roll back, and print how the deployment stands."""
    with entered(project) as opened:
        print_state(opened.rollback(name, why=why), as_json=as_json)
