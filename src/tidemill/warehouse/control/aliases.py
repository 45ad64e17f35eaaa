"""Aliases as rows: names that people give to versions of a model, such as ``champion`` or ``2026-audit``.

- ``set_alias(tx, model, alias, version, *, who) -> int | None``: the version it named before.
- ``remove_alias(tx, model, alias) -> int | None``: the version it named.
- ``find_alias(db, model, alias) -> int | None``, ``list_aliases(db, model=None) -> list[Alias]``.

`registry.aliases` checks names and writes the audit rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidemill.core.names import asset_key
from tidemill.warehouse.control.database import Database, Tx, parse_time, reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A name of a version."""

    model: str
    alias: str
    version: int
    set_by: str
    updated_at: datetime


def set_alias(tx: Tx, model: str, alias: str, version: int, *, who: str) -> int | None:
    """Point an alias at a version; returns the version it pointed at before."""
    before = find_alias(tx, model, alias)
    tx.execute(
        "INSERT INTO model_aliases (model_key, alias, version, set_by, updated_at)"
        " VALUES (:key, :alias, :version, :who, :now) ON CONFLICT (model_key, alias) DO UPDATE"
        " SET version = excluded.version, set_by = excluded.set_by, updated_at = excluded.updated_at",
        key=asset_key(model),
        alias=alias,
        version=version,
        who=who,
        now=tx.now(),
    )
    return before


def remove_alias(tx: Tx, model: str, alias: str) -> int | None:
    """Take an alias away; returns the version it pointed at, None when there was no such alias."""
    before = find_alias(tx, model, alias)
    tx.execute("DELETE FROM model_aliases WHERE model_key = :key AND alias = :alias", key=asset_key(model), alias=alias)
    return before


def find_alias(db: Database | Tx, model: str, alias: str) -> int | None:
    """The version an alias points at, or None."""
    sql = "SELECT version FROM model_aliases WHERE model_key = :key AND alias = :alias"
    with reading(db) as tx:
        found: int | None = tx.value(sql, key=asset_key(model), alias=alias)
    return found


def list_aliases(db: Database | Tx, model: str | None = None) -> list[Alias]:
    """Aliases of one model or of all, by model and name."""
    given = {} if model is None else {"key": asset_key(model)}
    condition = "" if model is None else " WHERE a.model_key = :key"
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT m.name, a.alias, a.version, a.set_by, a.updated_at FROM model_aliases a"
            f" JOIN models m ON m.model_key = a.model_key{condition} ORDER BY a.model_key, a.alias",
            **given,
        )
    return [
        Alias(
            model=row["name"],
            alias=row["alias"],
            version=row["version"],
            set_by=row["set_by"],
            updated_at=parse_time(row["updated_at"]),
        )
        for row in rows
    ]
