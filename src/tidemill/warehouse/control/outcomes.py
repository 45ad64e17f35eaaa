"""How labelled answers came out, by version, since a stage of a rollout began: the collector writes, servers read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tidemill.core.names import name_key
from tidemill.warehouse.control.database import Database, Tx, reading, time_text, writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Losses of labelled answers: how many, their sum, and the sum of their squares."""

    answers: int = 0
    loss_sum: float = 0.0
    loss_squares: float = 0.0


def save_outcomes(db: Database | Tx, name: str, since: datetime, outcomes: Mapping[int, Outcomes]) -> None:
    """Write what is known by now, over what was known before."""
    with writing(db) as tx:
        for version, found in outcomes.items():
            tx.execute(
                "INSERT INTO outcomes"
                " (deployment_key, stage_since, version, answers, loss_sum, loss_squares, updated_at)"
                " VALUES (:key, :since, :version, :answers, :loss_sum, :loss_squares, :now)"
                " ON CONFLICT (deployment_key, stage_since, version) DO UPDATE SET answers = excluded.answers,"
                " loss_sum = excluded.loss_sum, loss_squares = excluded.loss_squares, updated_at = excluded.updated_at",
                key=name_key(name),
                since=time_text(since),
                version=version,
                answers=found.answers,
                loss_sum=float(found.loss_sum),
                loss_squares=float(found.loss_squares),
                now=tx.now(),
            )


def load_outcomes(db: Database | Tx, name: str, since: datetime | None) -> dict[int, Outcomes]:
    """What is known of each version."""
    if since is None:
        return {}
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT version, answers, loss_sum, loss_squares FROM outcomes"
            " WHERE deployment_key = :key AND stage_since = :since",
            key=name_key(name),
            since=time_text(since),
        )
    return {
        row["version"]: Outcomes(answers=row["answers"], loss_sum=row["loss_sum"], loss_squares=row["loss_squares"])
        for row in rows
    }
