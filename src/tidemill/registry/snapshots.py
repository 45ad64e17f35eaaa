"""Which snapshots of the warehouse something refers to: they are never expired, whatever the policy says."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tidemill.core.names import asset_key
from tidemill.registry.lineage import read_lineage
from tidemill.registry.retention import references
from tidemill.warehouse.control import models
from tidemill.warehouse.control.database import Database, Tx, reading

Use = tuple[int, str]
"""A snapshot, and why it stays: the text completes "snapshot 3 stays: ..."."""


def snapshots_in_use(db: Database | Tx) -> dict[int, list[str]]:
    """Every snapshot that something refers to, with the reasons."""
    found: dict[int, list[str]] = {}
    with reading(db) as tx:
        for snapshot, why in (*_trained_on(tx), *_scored(tx)):
            found.setdefault(snapshot, []).append(why)
    return {snapshot: list(dict.fromkeys(found[snapshot])) for snapshot in sorted(found)}


def _trained_on(tx: Tx) -> Iterable[Use]:
    """Snapshots that versions were trained on: to look at their rows, to train them again, to replay what they said.

    Of a dropped version it stays while `registry.retention.kept_files` keeps its files: it gave predictions.
    """
    answered = {(one.model_key, one.version) for one in references(tx) if one.kind == "predictions"}
    for version in models.list_versions(tx, dropped=True):
        if version.dropped_at is None or (asset_key(version.name), version.version) in answered:
            snapshot = read_lineage(version.lineage).snapshot
            if snapshot is not None:
                yield snapshot, f"model {version.name} version {version.version} was trained on it"


def _scored(tx: Tx) -> Iterable[Use]:
    """Snapshots that batches were scored from."""
    for row in tx.rows("SELECT job_id, input_version FROM scoring_jobs ORDER BY started_at, job_id"):
        snapshot = json.loads(row["input_version"]).get("snapshot")
        if isinstance(snapshot, int):
            yield snapshot, f"batch {row['job_id']} was scored from it"
