"""How deployments stand: their state, what their gates said, and what servers on this machine counted of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tidemill.core.sections import declared_deployment
from tidemill.runner.pace import slow_stage
from tidemill.serving.board import Board, TrialCounts
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.audit import AuditRow
from tidemill.warehouse.control.deployments import (
    DeployedVersion,
    Deployment,
    GateResult,
    deployed_versions,
    list_deployments,
    load_gates,
)
from tidemill.warehouse.control.outcomes import Outcomes, load_outcomes

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tidemill.core.settings import Settings
    from tidemill.warehouse.control.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything there is to say of one deployment.

    Parameters
    ----------
    gates
        Results by version, for the versions that answer or are on trial.
    counts
        What servers on this machine counted in the present stage; None when there is no trial.
    slow
        What to know of a stage that takes long at the pace of the last days; '' for any other.
    """

    deployment: Deployment
    versions: Mapping[int, DeployedVersion]
    gates: Mapping[int, tuple[GateResult, ...]]
    counts: TrialCounts | None
    outcomes: Mapping[int, Outcomes]
    changes: tuple[AuditRow, ...] = field(default=())
    slow: str = ""

    def as_json(self) -> dict[str, Any]:
        """The status as plain data."""
        one = self.deployment
        return {
            "deployment": one.name,
            "model": one.model,
            "champion": one.champion,
            "challenger": one.challenger,
            "previous": one.previous,
            "stage": one.stage,
            "share": one.share,
            "held": one.held,
            "stopped": one.stopped,
            "stage_since": None if one.stage_since is None else one.stage_since.isoformat(),
            "cool_down_until": None if one.cool_down_until is None else one.cool_down_until.isoformat(),
            "versions": [
                {"version": row.version, "state": row.state, "digest": row.digest, "reason": row.reason}
                for row in self.versions.values()
            ],
            "gates": {
                str(version): [
                    {
                        "gate": gate.gate,
                        "status": gate.status,
                        "summary": gate.summary,
                        "overridden_by": gate.overridden_by,
                        "override_reason": gate.override_reason,
                    }
                    for gate in gates
                ]
                for version, gates in self.gates.items()
            },
            "trial": None if self.counts is None else _trial(self.counts),
            "slow": self.slow,
            "labelled": {
                str(version): {"answers": found.answers, "mean_loss": found.loss_sum / max(found.answers, 1)}
                for version, found in self.outcomes.items()
            },
            "changes": [{"at": row.at, "who": row.who, "action": row.action, "why": row.why} for row in self.changes],
        }


def statuses(db: Database, keep: Path, *, settings: Settings, now: datetime, changes: int = 5) -> list[Status]:
    """Every deployment, with its last few changes (0 for all)."""
    found = []
    for one in list_deployments(db):
        own = declared_deployment(settings.deployments, one.name)
        slow = "" if own is None else slow_stage(db, own, one, now)
        found.append(replace(_status(db, keep, one, changes), slow=slow))
    return found


def _status(db: Database, keep: Path, deployment: Deployment, changes: int) -> Status:
    with db.read() as tx:
        versions = deployed_versions(tx, deployment.name)
        shown = [version for version in (deployment.champion, deployment.challenger) if version is not None]
        refused = [row.version for row in versions.values() if row.state == "refused"]
        gates = {version: tuple(load_gates(tx, deployment.name, version)) for version in [*shown, *refused[-1:]]}
        rows = audit.rows(tx, object=f"deployment {deployment.name}")
        outcomes = load_outcomes(tx, deployment.name, deployment.stage_since) if deployment.challenger else {}
    return Status(
        deployment=deployment,
        versions=versions,
        gates=gates,
        counts=_counts(keep, deployment),
        outcomes=outcomes,
        changes=tuple(rows[-changes:] if changes else rows),
    )


def _counts(keep: Path, deployment: Deployment) -> TrialCounts | None:
    path = keep / "serve" / f"{deployment.name}.board"
    if deployment.challenger is None or deployment.stage_since is None or not path.is_file():
        return None
    with Board(path, worker=0) as board:
        return board.counts(int(deployment.stage_since.timestamp() * 1e6))


def _trial(counts: TrialCounts) -> dict[str, Any]:
    return {
        "champion": {"answers": counts.champion.answers, "errors": counts.champion.errors},
        "challenger": {"answers": counts.challenger.answers, "errors": counts.challenger.errors},
        "same_decision": counts.agree,
        "other_decision": counts.differ,
        "largest_score_difference": counts.largest_difference,
    }
