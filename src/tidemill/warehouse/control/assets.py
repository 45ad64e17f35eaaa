"""Assets: what was last built from which statement, so that the planner can say what changed.

- ``load_assets(db) -> dict[str, Asset]`` by `asset_key` (the name, case folded).
- ``save_asset(db, asset, *, lease=None)`` writes or replaces one; in a `Tx` it commits with the version it speaks of.
- ``remove_asset(db, key, *, lease=None) -> bool`` forgets one; whether it was there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tidemill.core.names import asset_key
from tidemill.warehouse.control.database import Database, Tx, reading, to_json, writing
from tidemill.warehouse.control.leases import Lease, require


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A table, view or model (or an assertion) as it was last built.

    Parameters
    ----------
    kind
        table, view, model, load, assert.
    fingerprint
        What its rows depend on; ``parts`` are the fingerprint's parts by name (query, options, what it reads), from
        which the planner tells what changed. ``description_digest`` covers what changes no rows.
    version
        Of the lake's table or of the model; None for a view.
    reads
        What it was made from, by name: fingerprints of assets, versions of outside tables, digests of files.
    origin
        ``file`` (a statement in the project's files) or ``sql`` (typed by a person; kept in ``statement``).
    """

    name: str
    kind: str
    fingerprint: str
    version: int | None = None
    parts: dict[str, str] = field(default_factory=dict)
    reads: dict[str, str] = field(default_factory=dict)
    origin: str = "file"
    file: str = ""
    line: int = 0
    statement: str = ""
    dialect: str = ""
    run_id: str = ""
    description_digest: str = ""

    @property
    def key(self) -> str:
        """The name as names are compared."""
        return asset_key(self.name)


def load_assets(db: Database | Tx) -> dict[str, Asset]:
    """All assets by key."""
    with reading(db) as tx:
        rows = tx.rows("SELECT * FROM assets ORDER BY asset_key")
    return {
        row["asset_key"]: Asset(
            name=row["name"],
            kind=row["kind"],
            fingerprint=row["fingerprint"],
            version=row["version"],
            parts=json.loads(row["parts"]),
            reads=json.loads(row["reads"]),
            origin=row["origin"],
            file=row["file"],
            line=row["line"],
            statement=row["statement"],
            dialect=row["dialect"],
            run_id=row["run_id"],
            description_digest=row["description_digest"],
        )
        for row in rows
    }


def save_asset(db: Database | Tx, asset: Asset, *, lease: Lease | None = None) -> None:
    """Write or replace an asset."""
    with writing(db) as tx:
        if lease is not None:
            require(tx, lease)
        tx.execute("DELETE FROM assets WHERE asset_key = :key", key=asset.key)
        tx.execute(
            "INSERT INTO assets (asset_key, name, kind, fingerprint, description_digest, version, parts, reads, origin,"
            " file, line, statement, dialect, run_id, updated_at) VALUES (:key, :name, :kind, :fingerprint, :described,"
            " :version, :parts, :reads, :origin, :file, :line, :statement, :dialect, :run_id, :now)",
            key=asset.key,
            name=asset.name,
            kind=asset.kind,
            fingerprint=asset.fingerprint,
            described=asset.description_digest,
            version=asset.version,
            parts=to_json(asset.parts),
            reads=to_json(asset.reads),
            origin=asset.origin,
            file=asset.file,
            line=asset.line,
            statement=asset.statement,
            dialect=asset.dialect,
            run_id=asset.run_id,
            now=tx.now(),
        )


def remove_asset(db: Database | Tx, key: str, *, lease: Lease | None = None) -> bool:
    """Forget an asset; says whether it was there."""
    with writing(db) as tx:
        if lease is not None:
            require(tx, lease)
        return tx.execute("DELETE FROM assets WHERE asset_key = :key", key=asset_key(key)) > 0
