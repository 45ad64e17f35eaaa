"""tidemill deploy: let a version through its gates, and begin its rollout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from click.exceptions import Exit

from tidemill.cli.deployments import DeploymentName, Why, gates_text, state_line
from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import option
from tidemill.cli.progress import status_line
from tidemill.core.errors import GateError
from tidemill.warehouse.control.deployments import GateResult


def deploy(
    name: DeploymentName,
    version: Annotated[int | None, option("--version", about="The model's version; else the newest.")] = None,
    override: Annotated[
        str, option("--override", metavar="REASON", about="Go on although a gate does not pass, and say why.")
    ] = "",
    gates_only: Annotated[bool, option("--gates-only", about="Ask the gates, and change nothing.")] = False,
    why: Why = "",
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Deploy, and print what the gates said."""
    with entered(project) as opened:
        try:
            with status_line() as tell:
                made = opened.deploy(
                    name, version=version, why=why, override=override, gates_only=gates_only, listen=tell
                )
        except GateError:
            if not as_json:
                print(gates_text(opened.gates(name, version)))
            raise
    if as_json:
        told = {
            "deployment": made.deployment.name,
            "version": made.version,
            "passed": made.passed,
            "champion": made.deployment.champion,
            "challenger": made.deployment.challenger,
            "stage": made.deployment.stage,
            "share": made.deployment.share,
            "gates": [_gate(gate) for gate in made.gates],
        }
        print(json.dumps(told, indent=2, ensure_ascii=False, default=str))
    else:
        print(gates_text(made.gates))
        print("\nnothing was changed" if gates_only else f"\n{state_line(made.deployment)}")
    if gates_only and not made.passed:
        raise Exit(GateError.exit_status)


def _gate(gate: GateResult) -> dict[str, object]:
    return {"gate": gate.gate, "status": gate.status, "summary": gate.summary, "evidence": dict(gate.evidence)}
