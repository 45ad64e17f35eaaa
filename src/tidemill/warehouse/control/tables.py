"""Versions of tables as the control database knows them: which run made each, from which fingerprint.

- ``save_table_version(db, version, *, fingerprint, lease=None)`` takes what `Warehouse.publish` returned.
- ``list_table_versions(db, name=None) -> list[TableVersion]``, newest first.
"""

from __future__ import annotations

from tidemill.core.names import asset_key
from tidemill.warehouse.control.database import Database, Tx, parse_time, reading, time_text, writing
from tidemill.warehouse.control.leases import Lease, require
from tidemill.warehouse.protocol import TableVersion


def save_table_version(
    db: Database | Tx, version: TableVersion, *, fingerprint: str, lease: Lease | None = None
) -> None:
    """Write a version that the lake has; writing it twice changes nothing."""
    with writing(db) as tx:
        if lease is not None:
            require(tx, lease)
        tx.execute(
            "INSERT INTO table_versions (table_key, version, name, fingerprint, run_id, step, row_count, bytes,"
            " message, created_at) VALUES (:key, :version, :name, :fingerprint, :run_id, :step, :row_count, :bytes,"
            " :message, :created_at) ON CONFLICT (table_key, version) DO NOTHING",
            key=asset_key(version.table),
            version=version.version,
            name=version.table,
            fingerprint=fingerprint,
            run_id=version.run_id,
            step=version.step,
            row_count=version.rows,
            bytes=version.bytes,
            message=version.message,
            created_at=time_text(version.created_at),
        )


def list_table_versions(db: Database | Tx, name: str | None = None) -> list[TableVersion]:
    """Versions of one table or of all, newest first."""
    only = "" if name is None else " WHERE table_key = :key"
    params = {} if name is None else {"key": asset_key(name)}
    with reading(db) as tx:
        rows = tx.rows(f"SELECT * FROM table_versions{only} ORDER BY version DESC, table_key", **params)
    return [
        TableVersion(
            table=row["name"],
            version=row["version"],
            created_at=parse_time(row["created_at"]),
            run_id=row["run_id"],
            step=row["step"],
            rows=row["row_count"],
            bytes=row["bytes"],
            message=row["message"],
        )
        for row in rows
    ]
