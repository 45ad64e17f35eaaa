"""What the commands about deployments share: their arguments, and how a state reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from tidemill.cli.parameters import argument, option
from tidemill.cli.words import paint, wants_colour
from tidemill.runner.result import text_table

if TYPE_CHECKING:
    from tidemill.warehouse.control.deployments import Deployment, GateResult

DeploymentName = Annotated[str, argument(about="The deployment's name.")]
Why = Annotated[str, option("--why", metavar="REASON", about="A reason, for the audit trail.")]

_COLOURS = {"pass": "32", "fail": "31", "not enough evidence": "33"}


def state_line(one: Deployment) -> str:
    """How a deployment stands, in one line."""
    if one.stopped:
        return f"{one.name}: stopped, the fallback answers (tidemill resume {one.name})"
    champion = "no champion" if one.champion is None else f"version {one.champion} is champion"
    if one.challenger is None:
        return f"{one.name}: {champion}"
    trial = "in the shadow" if one.stage == "shadow" else f"answers {100 * one.share:.3g} % of the traffic"
    held = ", held" if one.held else ""
    return f"{one.name}: {champion}, version {one.challenger} {trial}{held}"


def gates_text(gates: Sequence[GateResult]) -> str:
    """What the gates said, one line each."""
    colour = wants_colour()
    rows = [(paint(gate.status, _COLOURS[gate.status], when=colour), gate.gate, _summary(gate)) for gate in gates]
    return text_table(["gate says", "gate", "because"], rows, widest=200)


def _summary(gate: GateResult) -> str:
    if gate.overridden_by is None:
        return gate.summary
    return f"{gate.summary} (overridden by {gate.overridden_by}: {gate.override_reason})"


def print_state(one: Deployment, *, as_json: bool) -> None:
    """Print how a deployment stands after a change."""
    if not as_json:
        print(state_line(one))
        return
    told = {
        "deployment": one.name,
        "champion": one.champion,
        "challenger": one.challenger,
        "stage": one.stage,
        "share": one.share,
        "held": one.held,
        "stopped": one.stopped,
    }
    print(json.dumps(told, indent=2))
