"""tidemill drill: rehearse a rollback on a copy."""

from __future__ import annotations

import json
from pathlib import Path

from click.exceptions import Exit

from tidemill.cli.deployments import DeploymentName
from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.drill import Drill


def drill(name: DeploymentName, as_json: AsJson = False, project: ProjectFolder = Path()) -> None:
    """Rehearse, and leave with status 1 when a request failed or the version was not taken back."""
    from tidemill.drill import drill as rehearse

    with entered(project) as opened:
        found = rehearse(opened, name)
    print(json.dumps(found.as_json(), indent=2) if as_json else describe(found))
    if not found.passed:
        raise Exit(1)


def describe(found: Drill) -> str:
    """The drill as a person reads it."""
    trail = "verifies" if not found.trail else "; ".join(found.trail)
    return "\n".join(
        [
            f"rehearsed on a copy of {found.deployment}, version {found.version}:",
            f"  a failing version was put on trial; it was asked {found.asked:,} times and taken back by itself",
            f"  {found.back_s:.2f} s after it began: {found.why}",
            f"  a rollback by hand: the version before answered again after {found.by_hand_s:.2f} s",
            f"  {found.requests:,} requests meanwhile, {found.failed:,} failed",
            f"  the audit trail {trail}",
            "passed" if found.passed else "NOT PASSED",
        ]
    )
