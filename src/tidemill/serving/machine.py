"""What follows on what in a deployment: pure moves from one state to the next.

A version's life: candidate -> (gates) -> shadow -> canary, share by share -> champion -> retired; or refused by a gate,
or rolled back, which is quarantine: it comes back only as a candidate that somebody gives a reason for.

Each move takes a `Deployment` and gives the next one with the states of the versions it touched. `runner.deploy` and
the servers write them down with an audit row; nothing here reads a clock or a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tidemill.core.errors import StateError
from tidemill.core.sections import RolloutSettings
from tidemill.warehouse.control.deployments import DeployedVersion, Deployment

FOLLOWS: Mapping[str, frozenset[str]] = {
    "": frozenset({"candidate"}),
    "candidate": frozenset({"refused", "shadow", "canary", "champion", "candidate"}),
    "refused": frozenset({"candidate"}),
    "shadow": frozenset({"canary", "champion", "rolled_back", "retired"}),
    "canary": frozenset({"canary", "champion", "rolled_back", "retired"}),
    "champion": frozenset({"retired", "rolled_back"}),
    "retired": frozenset({"candidate", "champion"}),
    "rolled_back": frozenset({"candidate"}),
}
"""Which state of a version may follow on which; the first is a version the deployment has not seen."""

QUARANTINED = "rolled_back"

KEPT_OUT = frozenset({"refused", QUARANTINED})
"""States of a version that was kept from answering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A step of the machine: the state after it, what became of the versions, and the word for the audit trail."""

    action: str
    after: Deployment
    states: Mapping[int, str] = field(default_factory=dict)


def begin(deployment: Deployment, version: int, *, rollout: RolloutSettings) -> Move:
    """A candidate whose gates passed takes its first stage; a challenger it finds there is retired.

    Without a champion there is nothing to be compared with: the first version answers at once.

    Raises
    ------
    StateError
        It is the champion already.
    """
    if version == deployment.champion:
        raise StateError(
            f"version {version} is the champion of {deployment.name} already", hint="deploy another version"
        )
    gone = {deployment.challenger: "retired"} if deployment.challenger not in (None, version) else {}
    states = {number: state for number, state in gone.items() if number is not None}
    entered = replace(deployment, challenger=version, cool_down_until=None)
    if deployment.champion is None:
        move = _crown(entered)
    elif rollout.shadow_requests:
        after = replace(entered, stage="shadow", share_number=-1, share=0.0)
        move = Move(action="shadow", after=after, states={version: "shadow"})
    else:
        move = _next_share(replace(entered, share_number=-1), rollout)
    return replace(move, states={**states, **move.states})


def advance(deployment: Deployment, *, rollout: RolloutSettings) -> Move:
    """The challenger takes its next stage: from the shadow to the first share, from the last share to champion.

    Raises
    ------
    StateError
        There is no challenger.
    """
    require_challenger(deployment)
    return _next_share(deployment, rollout)


def promote(deployment: Deployment) -> Move:
    """The challenger becomes champion at once.

    Raises
    ------
    StateError
        There is no challenger.
    """
    require_challenger(deployment)
    return _crown(deployment)


def roll_back(deployment: Deployment, *, now: datetime, cool_down_s: float) -> Move:
    """The version on trial goes; without one the champion goes, and the champion before it answers again.

    Raises
    ------
    StateError
        There is nothing to go back to.
    """
    until = now + timedelta(seconds=cool_down_s)
    idle = replace(deployment, challenger=None, stage="idle", share_number=-1, share=0.0, cool_down_until=until)
    if deployment.challenger is not None:
        if deployment.challenger == deployment.previous:  # on trial again: nowhere to go back to any more
            idle = replace(idle, previous=None)
        return Move(action="roll back", after=idle, states={deployment.challenger: QUARANTINED})
    if deployment.champion is None or deployment.previous is None:
        raise StateError(
            f"deployment {deployment.name} has no earlier champion to go back to",
            hint="tidemill pause NAME --traffic answers with the fallback",
        )
    after = replace(idle, champion=deployment.previous, previous=None)
    states = {deployment.champion: QUARANTINED, deployment.previous: "champion"}
    return Move(action="roll back", after=after, states=states)


def hold(deployment: Deployment, *, held: bool) -> Move:
    """The rollout stands still, or goes on."""
    return Move(action="pause" if held else "resume", after=replace(deployment, held=held))


def stop(deployment: Deployment, *, stopped: bool) -> Move:
    """No version answers any more, or they do again."""
    return Move(action="stop" if stopped else "start", after=replace(deployment, stopped=stopped))


def refuse(deployment: Deployment, version: int) -> Move:
    """A gate did not let a candidate pass."""
    return Move(action="refuse", after=deployment, states={version: "refused"})


def check_states(
    move: Move, before: Mapping[int, DeployedVersion], *, name: str, digests: Mapping[int, str], reason: str
) -> dict[int, DeployedVersion]:
    """The rows of the versions a move touches.

    Raises
    ------
    StateError
        A version cannot go where the move takes it.
    """
    rows = {}
    for version, state in move.states.items():
        was = before[version].state if version in before else ""
        if state not in FOLLOWS[was]:
            raise StateError(
                f"version {version} of {name} is {was.replace('_', ' ') or 'not deployed'}: it cannot become {state}",
                hint="tidemill status shows the versions of a deployment",
            )
        digest = digests.get(version) or (before[version].digest if version in before else "")
        rows[version] = DeployedVersion(version=version, state=state, digest=digest, reason=reason)
    return rows


def require_challenger(deployment: Deployment) -> int:
    """The version on trial.

    Raises
    ------
    StateError
        There is none.
    """
    if deployment.challenger is None:
        raise StateError(
            f"no version of {deployment.name} is on trial", hint=f"tidemill deploy {deployment.name} begins a rollout"
        )
    return deployment.challenger


def _next_share(deployment: Deployment, rollout: RolloutSettings) -> Move:
    number = deployment.share_number + 1
    if number >= len(rollout.shares):
        return _crown(deployment)
    version = require_challenger(deployment)
    after = replace(deployment, stage="canary", share_number=number, share=rollout.shares[number])
    return Move(action="canary", after=after, states={version: "canary"})


def _crown(deployment: Deployment) -> Move:
    version = require_challenger(deployment)
    states = {version: "champion"}
    if deployment.champion is not None:
        states[deployment.champion] = "retired"
    after = replace(
        deployment,
        champion=version,
        challenger=None,
        previous=deployment.champion,
        stage="idle",
        share_number=-1,
        share=0.0,
    )
    return Move(action="promote", after=after, states=states)
