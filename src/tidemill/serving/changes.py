"""Writes a move of a deployment down: its state, its versions and its audit row, in one commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidemill.core.faults import fault
from tidemill.serving.machine import Move, check_states
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database, Tx, writing
from tidemill.warehouse.control.deployments import (
    DeployedVersion,
    Deployment,
    deployed_versions,
    get_deployment,
    save_deployment,
)
from tidemill.warehouse.control.models import get_version

Choose = Callable[[Deployment, Mapping[int, DeployedVersion]], "Move | None"]


def apply_move(
    db: Database | Tx, name: str, choose: Choose, *, who: str, why: str = "", evidence: Mapping[str, Any] | None = None
) -> Deployment | None:
    """Choose a move from the newest state, and carry it out.

    Parameters
    ----------
    choose
        Given the deployment and its versions; None leaves everything as it is. It runs inside the transaction, so the
        state it sees is the state it changes.

    Returns
    -------
    Deployment | None
        The state after the move; None when there was none.

    Raises
    ------
    NotFoundError
        There is no such deployment, or a version of the model is gone.
    StateError
        The move is not one that may follow.
    """
    with writing(db) as tx:
        before = get_deployment(tx, name)
        versions = deployed_versions(tx, name)
        move = choose(before, versions)
        if move is None:
            return None
        digests = {version: get_version(tx, before.model, version).digest for version in move.states}
        states = check_states(move, versions, name=before.name, digests=digests, reason=why)
        after = save_deployment(tx, before, move.after, states)
        audit.append(
            tx,
            who=who,
            action=move.action,
            object=f"deployment {before.name}",
            why=why,
            evidence={
                "before": _told(before),
                "after": _told(after),
                "versions": {str(version): row.state for version, row in states.items()},
                **(evidence or {}),
            },
        )
        fault("deployment.before_commit")
    fault("deployment.after_commit")
    return after


def _told(deployment: Deployment) -> dict[str, Any]:
    """The state as the audit trail has it."""
    return {
        "champion": deployment.champion,
        "challenger": deployment.challenger,
        "stage": deployment.stage,
        "share": deployment.share,
        "held": deployment.held,
        "stopped": deployment.stopped,
    }
