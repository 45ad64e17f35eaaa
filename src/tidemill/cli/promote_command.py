"""tidemill promote: the version on trial becomes champion now."""

from __future__ import annotations

from pathlib import Path

from tidemill.cli.deployments import DeploymentName, Why, print_state
from tidemill.cli.options import AsJson, ProjectFolder, entered


def promote(name: DeploymentName, why: Why = "", as_json: AsJson = False, project: ProjectFolder = Path()) -> None:
    """Promote, and print how the deployment stands."""
    with entered(project) as opened:
        print_state(opened.promote(name, why=why), as_json=as_json)
