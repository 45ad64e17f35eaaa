"""Deployments as rows: which version of a model answers under a name, which one is on trial, and what its gates said.

`serving.machine` decides what follows on what; this module writes it down. A change is written over the state it was
made from, told by ``generation``: who comes second gets `ConflictError` and looks again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tidemill.core.errors import ConflictError, NotFoundError
from tidemill.core.names import did_you_mean, name_key
from tidemill.warehouse.control.database import Database, Row, Tx, parse_time, reading, time_text, to_json, writing

Stage = Literal["idle", "shadow", "canary"]
GateStatus = Literal["pass", "fail", "not enough evidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The state of one deployment.

    Parameters
    ----------
    champion, challenger
        Versions of the model: the one that answers, and the one on trial.
    previous
        The champion before, kept loaded: where a rollback of the champion goes.
    share_number, share
        Which of the declared shares the challenger has, and that share of the traffic in [0, 1].
    held
        The rollout does not go on by itself; it still goes back by itself.
    stopped
        No version answers: the fallback does.
    generation
        Grows with every change.
    """

    name: str
    model: str
    champion: int | None = None
    challenger: int | None = None
    previous: int | None = None
    stage: Stage = "idle"
    share_number: int = -1
    share: float = 0.0
    held: bool = False
    stopped: bool = False
    cool_down_until: datetime | None = None
    generation: int = 0
    stage_since: datetime | None = None

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions it needs, each once."""
        return tuple(dict.fromkeys(v for v in (self.champion, self.challenger, self.previous) if v is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedVersion:
    """What became of a version in a deployment."""

    version: int
    state: str
    digest: str = ""
    reason: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What one gate said of a version."""

    gate: str
    status: GateStatus
    summary: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0
    overridden_by: str | None = None
    override_reason: str | None = None


def find_deployment(db: Database | Tx, name: str) -> Deployment | None:
    """One deployment, or None."""
    with reading(db) as tx:
        row = tx.row("SELECT * FROM deployments WHERE deployment_key = :key", key=name_key(name))
    return None if row is None else _deployment(row)


def get_deployment(db: Database | Tx, name: str) -> Deployment:
    """One deployment.

    Raises
    ------
    NotFoundError
        Nothing was deployed under this name.
    """
    with reading(db) as tx:
        found = find_deployment(tx, name)
        if found is None:
            known = [one.name for one in list_deployments(tx)]
            raise NotFoundError(
                f"there is no deployment {name}",
                hint=did_you_mean(name, known) or f"tidemill deploy {name} makes one",
                deployment=name,
            )
    return found


def list_deployments(db: Database | Tx) -> list[Deployment]:
    """All deployments, by name."""
    with reading(db) as tx:
        return [_deployment(row) for row in tx.rows("SELECT * FROM deployments ORDER BY deployment_key")]


def add_deployment(tx: Tx, name: str, model: str) -> Deployment:
    """Begin a deployment that no version answers for yet."""
    now = tx.now()
    tx.execute(
        "INSERT INTO deployments (deployment_key, name, model, stage, share_number, share, held, stopped, generation,"
        " stage_since, created_at, updated_at) VALUES (:key, :name, :model, 'idle', -1, 0, 0, 0, 0, :now, :now, :now)",
        key=name_key(name),
        name=name,
        model=model,
        now=now,
    )
    return get_deployment(tx, name)


def save_deployment(tx: Tx, before: Deployment, after: Deployment, states: Mapping[int, DeployedVersion]) -> Deployment:
    """Write a state over the one it was made from, and what became of its versions.

    Raises
    ------
    ConflictError
        The deployment changed meanwhile.
    """
    key = name_key(before.name)
    now = tx.now()
    touched = tx.execute(
        "UPDATE deployments SET model = :model, champion = :champion, challenger = :challenger, previous = :previous,"
        " stage = :stage, share_number = :share_number, share = :share, held = :held, stopped = :stopped,"
        " cool_down_until = :cool_down, generation = :generation, stage_since = :since, updated_at = :now"
        " WHERE deployment_key = :key AND generation = :before",
        key=key,
        model=after.model,
        champion=after.champion,
        challenger=after.challenger,
        previous=after.previous,
        stage=after.stage,
        share_number=after.share_number,
        share=float(after.share),
        held=int(after.held),
        stopped=int(after.stopped),
        cool_down=None if after.cool_down_until is None else time_text(after.cool_down_until),
        generation=before.generation + 1,
        since=now if (after.stage, after.share_number) != (before.stage, before.share_number) else _since(before, now),
        now=now,
        before=before.generation,
    )
    if not touched:
        raise ConflictError(
            f"deployment {before.name} was changed by somebody else meanwhile",
            hint="look at tidemill status, try again",
        )
    # The champion's row goes last: two rows may not say champion even within the transaction.
    for row in sorted(states.values(), key=lambda one: one.state == "champion"):
        _save_version(tx, key, row, now)
    return get_deployment(tx, before.name)


def _since(before: Deployment, now: str) -> str:
    return now if before.stage_since is None else time_text(before.stage_since)


def _save_version(tx: Tx, key: str, row: DeployedVersion, now: str) -> None:
    tx.execute(
        "INSERT INTO deployment_versions (deployment_key, version, digest, state, reason, since)"
        " VALUES (:key, :version, :digest, :state, :reason, :now) ON CONFLICT (deployment_key, version) DO UPDATE"
        " SET digest = excluded.digest, state = excluded.state, reason = excluded.reason, since = excluded.since",
        key=key,
        version=row.version,
        digest=row.digest,
        state=row.state,
        reason=row.reason,
        now=now,
    )


def deployed_versions(db: Database | Tx, name: str) -> dict[int, DeployedVersion]:
    """Every version that was ever in a deployment, by number."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT * FROM deployment_versions WHERE deployment_key = :key ORDER BY version", key=name_key(name)
        )
    return {
        row["version"]: DeployedVersion(
            version=row["version"],
            state=row["state"],
            digest=row["digest"],
            reason=row["reason"],
            since=parse_time(row["since"]),
        )
        for row in rows
    }


def save_gates(
    db: Database | Tx,
    name: str,
    version: int,
    results: Sequence[GateResult],
    *,
    override: tuple[str, str] | None = None,
) -> int:
    """Keep what the gates said of a version; returns the number of the attempt.

    Parameters
    ----------
    override
        Who goes on in spite of gates that did not pass, and why; it is kept with each of those.
    """
    key = name_key(name)
    who, why = override or (None, None)
    with writing(db) as tx:
        sql = "SELECT max(attempt) FROM gate_results WHERE deployment_key = :key AND version = :version"
        attempt = (tx.value(sql, key=key, version=version) or 0) + 1
        now = tx.now()
        tx.execute_many(
            "INSERT INTO gate_results (deployment_key, version, attempt, number, gate, status, summary, evidence,"
            " overridden_by, override_reason, created_at) VALUES (:key, :version, :attempt, :number, :gate, :status,"
            " :summary, :evidence, :who, :why, :now)",
            [
                {
                    "key": key,
                    "version": version,
                    "attempt": attempt,
                    "number": number,
                    "gate": result.gate,
                    "status": result.status,
                    "summary": result.summary,
                    "evidence": to_json(dict(result.evidence)),
                    "who": None if result.status == "pass" else who,
                    "why": None if result.status == "pass" else why,
                    "now": now,
                }
                for number, result in enumerate(results, start=1)
            ],
        )
    return int(attempt)


def load_gates(db: Database | Tx, name: str, version: int) -> list[GateResult]:
    """What the gates said of a version at its last attempt, in their order."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT * FROM gate_results WHERE deployment_key = :key AND version = :version AND attempt ="
            " (SELECT max(attempt) FROM gate_results WHERE deployment_key = :key AND version = :version)"
            " ORDER BY number",
            key=name_key(name),
            version=version,
        )
    return [
        GateResult(
            gate=row["gate"],
            status=row["status"],
            summary=row["summary"],
            evidence=json.loads(row["evidence"]),
            attempt=row["attempt"],
            overridden_by=row["overridden_by"],
            override_reason=row["override_reason"],
        )
        for row in rows
    ]


def _deployment(row: Row) -> Deployment:
    return Deployment(
        name=row["name"],
        model=row["model"],
        champion=row["champion"],
        challenger=row["challenger"],
        previous=row["previous"],
        stage=row["stage"],
        share_number=row["share_number"],
        share=row["share"],
        held=bool(row["held"]),
        stopped=bool(row["stopped"]),
        cool_down_until=None if row["cool_down_until"] is None else parse_time(row["cool_down_until"]),
        generation=row["generation"],
        stage_since=parse_time(row["stage_since"]),
    )
