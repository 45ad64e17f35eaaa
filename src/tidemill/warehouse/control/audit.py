"""The audit trail: one row for each change of state, chained by hashes, so that an edit or a missing row shows.

- ``append(tx, *, who, action, object, why="", evidence=None) -> AuditRow``: in the transaction of the change itself.
- ``verify(db) -> list[str]``: what is wrong with the chain; empty when nothing is.
- ``rows(db, *, object=None) -> list[AuditRow]``, ``head(db) -> tuple[int, str]`` (to be kept elsewhere: a chain that
  was cut at its end verifies, but no longer has the head somebody wrote down).

The hash of a row is SHA-256 over the hash before it and the row's own values as canonical JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.core.digest import digest_value
from tidemill.warehouse.control.database import Database, Row, Tx, reading, to_json

FIRST = "0" * 64
"""What the first row has for the hash before it."""

OBJECT_MATCH = " WHERE object = :object"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Who did what to which object, why, and what was known then."""

    number: int
    at: str
    who: str
    action: str
    object: str
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    previous: str
    hash: str


def append(
    tx: Tx,
    *,
    who: str,
    action: str,
    object: str,  # noqa: A002 - the column's name
    why: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> AuditRow:
    """Write the next row of the chain, in the transaction of what it tells."""
    number, previous = head(tx)
    values = {
        "number": number + 1,
        "at": tx.now(),
        "who": who,
        "action": action,
        "object": object,
        "why": why,
        "evidence": to_json(dict(evidence or {})),
        "previous": previous,
    }
    hashed = digest_value(values)
    tx.execute(
        "INSERT INTO audit (number, at, who, action, object, why, evidence, previous, hash)"
        " VALUES (:number, :at, :who, :action, :object, :why, :evidence, :previous, :hash)",
        **values,
        hash=hashed,
    )
    return _row(values | {"hash": hashed})


def head(db: Database | Tx) -> tuple[int, str]:
    """Number and hash of the newest row; 0 and `FIRST` where there is none."""
    with reading(db) as tx:
        row = tx.row("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
    return (0, FIRST) if row is None else (row["number"], row["hash"])


def has(db: Database | Tx, number: int, hashed: str) -> bool:
    """Whether the trail has this row."""
    with reading(db) as tx:
        return bool(tx.value("SELECT hash FROM audit WHERE number = :number", number=number) == hashed)


def rows(db: Database | Tx, *, object: str | None = None) -> list[AuditRow]:  # noqa: A002 - the column's name
    """All rows, or those of one object, oldest first."""
    given = {} if object is None else {"object": object}
    with reading(db) as tx:
        found = tx.rows(f"SELECT * FROM audit{OBJECT_MATCH if given else ''} ORDER BY number", **given)
    return [_row(row) for row in found]


def verify(db: Database | Tx, *, head: str = "") -> list[str]:
    """Check the whole chain; one sentence for each row that does not fit.

    Parameters
    ----------
    head
        A hash that was written down earlier: a trail that was cut, or set back to an older copy, lacks it.
    """
    problems: list[str] = []
    previous, expected = FIRST, 1
    with reading(db) as tx:
        found = tx.rows("SELECT * FROM audit ORDER BY number")
    for row in found:
        number = row["number"]
        if number != expected:
            last = number - 1
            gone = f"row {last} is" if last == expected else f"rows {expected} to {last} are"
            problems.append(f"{gone} gone")
        if row["previous"] != previous:
            problems.append(f"row {number} ({row['action']} {row['object']}) does not follow from the row before it")
        if digest_value({name: row[name] for name in _HASHED}) != row["hash"]:
            problems.append(f"row {number} ({row['action']} {row['object']}) was changed after it was written")
        previous, expected = row["hash"], number + 1
    if head and head not in {row["hash"] for row in found}:
        problems.append(f"no row has the hash {head}: the trail was cut, or is an older copy")
    return problems


_HASHED = ("number", "at", "who", "action", "object", "why", "evidence", "previous")


def _row(row: Row) -> AuditRow:
    values = {name: row[name] for name in (*_HASHED, "hash")}
    return AuditRow(**values | {"evidence": json.loads(row["evidence"])})
