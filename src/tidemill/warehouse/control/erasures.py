"""Requests to be erased, as rows: what was taken out, what is still awaited, which versions had read the rows.

Nobody is named here: `governance.ledger` has the digests by which their rows are known.

- ``add_erasure(tx, ...)``, ``list_erasures(db) -> list[Erasure]`` (oldest first).
- ``save_removed``, ``save_waiting``, ``save_taken_back``; ``flag_versions(tx, ...)``, ``flagged(db) -> list[Flag]``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidemill.core.names import asset_key
from tidemill.warehouse.control.database import Database, Row, Tx, parse_time, reading, time_text, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """A request, and what became of it.

    Parameters
    ----------
    columns
        The columns whose values told who is meant.
    status
        open, done, or taken back.
    removed
        Rows that were taken out, by the table; counted once for each file that had them.
    waiting
        What must still happen before it is proved, in words.
    """

    erasure_id: str
    number: int
    columns: tuple[str, ...]
    who: str
    why: str
    status: str
    removed: Mapping[str, int]
    waiting: tuple[str, ...]
    asked_at: datetime
    due_at: datetime
    removed_at: datetime | None
    proved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A version of a model that was trained on rows which were erased since, and the tables it read them from."""

    erasure_id: str
    number: int
    model: str
    version: int
    tables: tuple[str, ...]
    asked_at: datetime


def add_erasure(
    tx: Tx, erasure_id: str, *, columns: Sequence[str], who: str, why: str, asked_at: datetime, due_at: datetime
) -> None:
    """Write a request down; one that is there stays as it is."""
    number = int(tx.value("SELECT max(number) FROM erasures") or 0) + 1
    tx.execute(
        "INSERT INTO erasures (erasure_id, number, columns, who, why, status, removed, waiting, asked_at, due_at)"
        " VALUES (:id, :number, :columns, :who, :why, 'open', '{}', '[]', :asked, :due)"
        " ON CONFLICT (erasure_id) DO NOTHING",
        id=erasure_id,
        number=number,
        columns=to_json(list(columns)),
        who=who,
        why=why,
        asked=time_text(asked_at),
        due=time_text(due_at),
    )


def has_erasures(db: Database | Tx) -> bool:
    """Whether anybody was ever erased here."""
    with reading(db) as tx:
        return bool(tx.value("SELECT 1 FROM erasures LIMIT 1"))


def list_erasures(db: Database | Tx) -> list[Erasure]:
    """Every request, oldest first."""
    with reading(db) as tx:
        return [_erasure(row) for row in tx.rows("SELECT * FROM erasures ORDER BY number")]


def save_removed(tx: Tx, erasure_id: str, removed: Mapping[str, int]) -> None:
    """Write down what was taken out of which table, beside what was before."""
    row = tx.row("SELECT removed FROM erasures WHERE erasure_id = :id", id=erasure_id)
    known: dict[str, int] = json.loads(row["removed"]) if row else {}
    for table, rows in removed.items():
        known[table] = known.get(table, 0) + rows
    tx.execute(
        "UPDATE erasures SET removed = :removed, removed_at = coalesce(removed_at, :now) WHERE erasure_id = :id",
        removed=to_json(known),
        now=tx.now(),
        id=erasure_id,
    )


def save_waiting(tx: Tx, erasure_id: str, waiting: Collection[str]) -> None:
    """Write down what is still awaited; when nothing is, the erasure is done and proved."""
    tx.execute(
        "UPDATE erasures SET waiting = :waiting, status = :status, proved_at = :proved WHERE erasure_id = :id"
        " AND status <> 'taken back'",
        waiting=to_json(list(waiting)),
        status="open" if waiting else "done",
        proved=None if waiting else tx.now(),
        id=erasure_id,
    )


def save_taken_back(tx: Tx, erasure_id: str) -> None:
    """Write down that the values of a request may come in again."""
    tx.execute("UPDATE erasures SET status = 'taken back', waiting = '[]' WHERE erasure_id = :id", id=erasure_id)


def flag_versions(tx: Tx, erasure_id: str, found: Mapping[tuple[str, int], Collection[str]]) -> None:
    """Write down which versions read rows that are erased: by model and version, the tables."""
    for (model, version), tables in found.items():
        tx.execute(
            "INSERT INTO erased_versions (erasure_id, model_key, version, model, tables)"
            " VALUES (:id, :key, :version, :model, :tables) ON CONFLICT (erasure_id, model_key, version) DO NOTHING",
            id=erasure_id,
            key=asset_key(model),
            version=version,
            model=model,
            tables=to_json(sorted(tables)),
        )


def flagged(db: Database | Tx, model: str | None = None) -> list[Flag]:
    """Versions that were trained on rows which were erased since; of one model, or of all."""
    only = "" if model is None else " WHERE model_key = :key"
    params = {} if model is None else {"key": asset_key(model)}
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT v.*, e.number, e.asked_at FROM erased_versions v JOIN erasures e ON e.erasure_id = v.erasure_id"
            f"{only} ORDER BY v.model_key, v.version, e.number",
            **params,
        )
    return [
        Flag(
            erasure_id=row["erasure_id"],
            number=row["number"],
            model=row["model"],
            version=row["version"],
            tables=tuple(json.loads(row["tables"])),
            asked_at=parse_time(row["asked_at"]),
        )
        for row in rows
    ]


def _erasure(row: Row) -> Erasure:
    def moment(name: str) -> datetime | None:
        return None if row[name] is None else parse_time(row[name])

    return Erasure(
        erasure_id=row["erasure_id"],
        number=row["number"],
        columns=tuple(json.loads(row["columns"])),
        who=row["who"],
        why=row["why"],
        status=row["status"],
        removed=json.loads(row["removed"]),
        waiting=tuple(json.loads(row["waiting"])),
        asked_at=parse_time(row["asked_at"]),
        due_at=parse_time(row["due_at"]),
        removed_at=moment("removed_at"),
        proved_at=moment("proved_at"),
    )
