"""Requests for a new version of a deployment's model, as rows; `runner.retrain` says when one is carried out.

A deployment has one open request at most: who asks while there is one adds a reason to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.core.names import name_key
from tidemill.warehouse.control.connection import Database, Row, Tx, parse_time, reading, time_text, to_json, writing

OPEN = ("waiting", "running")
PERSON = "person"
_KEPT = 20
"""So many reasons of a request are kept: the first ones. How often it was asked for is counted in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One time that somebody, or something, asked."""

    cause: str
    who: str
    at: datetime
    why: str = ""
    evidence: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "cause": self.cause,
            "who": self.who,
            "at": time_text(self.at),
            "why": self.why,
            "evidence": dict(self.evidence),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainRequest:
    """A request.

    Parameters
    ----------
    status
        waiting, running, done (the version is on its way through the rollout), unchanged (there was nothing new to
        learn from), refused (by a gate), failed.
    said
        What it waits for, or how it ended.
    asked
        How often it was asked for.
    champion
        The version that answered when it was begun.
    version
        The version that came of it.
    """

    number: int
    deployment: str
    model: str
    status: str
    said: str
    asked: int
    asks: Sequence[Ask]
    asked_at: datetime
    not_before: datetime | None
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    run_id: str | None
    champion: int | None
    version: int | None
    error: Mapping[str, Any] | None

    @property
    def causes(self) -> tuple[str, ...]:
        """Why it was asked for, each cause once."""
        return tuple(dict.fromkeys(ask.cause for ask in self.asks))

    @property
    def by_person(self) -> bool:
        """Whether a person is among those who asked."""
        return PERSON in self.causes


def add_ask(tx: Tx, deployment: str, model: str, ask: Ask) -> RetrainRequest:
    """Ask: a row of its own, or one more reason on the open request.

    A request that found nothing new is opened again, so that alarms without new rows leave one row behind.
    """
    newest = next(iter(list_requests(tx, deployment, limit=1)), None)
    if newest is None or newest.status not in (*OPEN, "unchanged"):
        number = (tx.value("SELECT max(request) FROM retrain_requests") or 0) + 1
        tx.execute(
            "INSERT INTO retrain_requests (request, deployment_key, deployment, model, status, said, asked, asks,"
            " asked_at, attempt) VALUES (:number, :key, :deployment, :model, 'waiting', '', 1, :asks, :at, 0)",
            number=number,
            key=name_key(deployment),
            deployment=deployment,
            model=model,
            asks=to_json([ask.as_json()]),
            at=time_text(ask.at),
        )
        return get_request(tx, number)
    again = newest.status == "unchanged"
    asks = [*newest.asks, ask]
    if len(asks) > _KEPT:
        # A person's reason is kept whenever it comes: it lifts the bounds.
        asks = [*asks[: _KEPT - 1], ask] if ask.cause == PERSON and not newest.by_person else asks[:_KEPT]
    tx.execute(
        "UPDATE retrain_requests SET asked = asked + 1, asks = :asks, status = :status, attempt = :attempt"
        " WHERE request = :number",
        asks=to_json([one.as_json() for one in ([ask] if again else asks)]),
        status="waiting" if again else newest.status,
        attempt=0 if again else newest.attempt,
        number=newest.number,
    )
    return get_request(tx, newest.number)


def get_request(db: Database | Tx, number: int) -> RetrainRequest:
    """One request."""
    with reading(db) as tx:
        row = tx.row("SELECT * FROM retrain_requests WHERE request = :number", number=number)
    assert row is not None  # noqa: S101 - numbers come from the table
    return _request(row)


def list_requests(db: Database | Tx, deployment: str | None = None, *, limit: int = 100) -> list[RetrainRequest]:
    """Requests of a deployment or of all, the newest first."""
    where = "" if deployment is None else " WHERE deployment_key = :key"
    params = {} if deployment is None else {"key": name_key(deployment)}
    with reading(db) as tx:
        sql = f"SELECT * FROM retrain_requests{where} ORDER BY request DESC LIMIT :limit"
        return [_request(row) for row in tx.rows(sql, limit=limit, **params)]


def open_requests(db: Database | Tx) -> list[RetrainRequest]:
    """Requests that wait or run, the oldest first."""
    with reading(db) as tx:
        rows = tx.rows("SELECT * FROM retrain_requests WHERE status IN ('waiting', 'running') ORDER BY request")
    return [_request(row) for row in rows]


def begin_request(db: Database | Tx, number: int, *, champion: int | None) -> RetrainRequest:
    """Begin, or begin again."""
    with writing(db) as tx:
        tx.execute(
            "UPDATE retrain_requests SET status = 'running', said = '', not_before = NULL, attempt = attempt + 1,"
            " started_at = :now, finished_at = NULL, run_id = NULL, version = NULL, error = NULL, champion = :champion"
            " WHERE request = :number",
            now=tx.now(),
            champion=champion,
            number=number,
        )
        return get_request(tx, number)


def note_version(db: Database | Tx, number: int, *, run_id: str | None, version: int) -> None:
    """Write down what was trained, before it is deployed: a killed process is told by it."""
    with writing(db) as tx:
        tx.execute(
            "UPDATE retrain_requests SET run_id = :run_id, version = :version WHERE request = :number",
            run_id=run_id,
            version=version,
            number=number,
        )


def came_of_a_request(db: Database | Tx, deployment: str, version: int) -> bool:
    """Whether a version was trained because somebody, or something, asked for one."""
    with reading(db) as tx:
        found = tx.row(
            "SELECT 1 FROM retrain_requests WHERE deployment = :deployment AND version = :version LIMIT 1",
            deployment=deployment,
            version=version,
        )
    return found is not None


def put_back(db: Database | Tx, number: int, *, said: str, not_before: datetime | None) -> RetrainRequest:
    """Let a request wait, and say for what."""
    with writing(db) as tx:
        tx.execute(
            "UPDATE retrain_requests SET status = 'waiting', said = :said, not_before = :not_before"
            " WHERE request = :number",
            said=said,
            not_before=None if not_before is None else time_text(not_before),
            number=number,
        )
        return get_request(tx, number)


def end_request(
    db: Database | Tx,
    number: int,
    *,
    status: str,
    said: str,
    run_id: str | None = None,
    version: int | None = None,
    error: Mapping[str, Any] | None = None,
) -> RetrainRequest:
    """Write down how a request ended."""
    with writing(db) as tx:
        tx.execute(
            "UPDATE retrain_requests SET status = :status, said = :said, finished_at = :now, not_before = NULL,"
            " run_id = coalesce(:run_id, run_id), version = coalesce(:version, version), error = :error"
            " WHERE request = :number",
            status=status,
            said=said,
            now=tx.now(),
            run_id=run_id,
            version=version,
            error=None if error is None else to_json(dict(error)),
            number=number,
        )
        return get_request(tx, number)


def _request(row: Row) -> RetrainRequest:
    def moment(name: str) -> datetime | None:
        return None if row[name] is None else parse_time(row[name])

    asks = [Ask(**{**one, "at": parse_time(one["at"])}) for one in json.loads(row["asks"])]
    return RetrainRequest(
        number=row["request"],
        deployment=row["deployment"],
        model=row["model"],
        status=row["status"],
        said=row["said"],
        asked=row["asked"],
        asks=asks,
        asked_at=parse_time(row["asked_at"]),
        not_before=moment("not_before"),
        attempt=row["attempt"],
        started_at=moment("started_at"),
        finished_at=moment("finished_at"),
        run_id=row["run_id"],
        champion=row["champion"],
        version=row["version"],
        error=None if row["error"] is None else json.loads(row["error"]),
    )
