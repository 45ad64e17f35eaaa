"""Everything that is recorded of one version, gathered: what commands print, cards show and comparisons compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.core.names import asset_key
from tidemill.registry.aliases import resolve
from tidemill.registry.lineage import Lineage, read_lineage
from tidemill.registry.store import ArtifactStore
from tidemill.registry.versions import MANIFEST, StoredFiles
from tidemill.training.artifact import read_json_file
from tidemill.warehouse.control import metrics, models
from tidemill.warehouse.control.aliases import list_aliases
from tidemill.warehouse.control.database import Database, Tx
from tidemill.warehouse.control.deployments import GateResult, deployed_versions, list_deployments, load_gates
from tidemill.warehouse.control.erasures import Flag, flagged
from tidemill.warehouse.control.models import ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class InDeployment:
    """What became of a version in a deployment, and what its gates said of it."""

    name: str
    state: str
    reason: str
    since: datetime | None
    gates: tuple[GateResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is recorded of a version.

    Parameters
    ----------
    row, lineage, manifest
        The version's row, what it was made from, and what its artifact says of itself.
    given
        The options that the statement names.
    metrics
        On the rows it was judged on in training.
    erased
        Erasures of people whose rows it was trained on.
    """

    row: ModelVersion
    lineage: Lineage
    manifest: Mapping[str, Any]
    metrics: Mapping[str, float]
    current: bool
    aliases: tuple[str, ...]
    deployments: tuple[InDeployment, ...]
    erased: tuple[Flag, ...] = ()

    @property
    def given(self) -> dict[str, Any]:
        """The options that the statement names."""
        names = set(self.manifest.get("given", ()))
        return {name: value for name, value in self.row.options.items() if name in names}

    @property
    def label(self) -> str:
        """The column it predicts."""
        return str(self.manifest["label"]["column"])

    @property
    def classes(self) -> list[Any]:
        """The classes it tells apart; empty for a regression."""
        return list(self.manifest["label"]["classes"])

    def as_json(self) -> dict[str, Any]:
        """Plain data, but for times."""
        row, lineage = self.row, self.lineage
        return {
            "name": row.name,
            "version": row.version,
            "current": self.current,
            "aliases": list(self.aliases),
            "deployments": [
                {
                    "name": one.name,
                    "state": one.state,
                    "reason": one.reason,
                    "since": one.since,
                    "gates": [
                        {"gate": gate.gate, "status": gate.status, "summary": gate.summary,
                         "overridden_by": gate.overridden_by, "override_reason": gate.override_reason}
                        for gate in one.gates
                    ],
                }
                for one in self.deployments
            ],
            "model_type": row.model_type,
            "label": self.label,
            "classes": self.classes,
            "inputs": self.manifest.get("inputs", []),
            "created_at": row.created_at,
            "digest": row.digest,
            "bytes": row.bytes,
            "files": {file.name: file.sha256 for file in row.files},
            "rows_train": row.rows_train,
            "rows_eval": row.rows_eval,
            "evaluated_on": row.evaluated_on,
            "seconds": row.seconds,
            "metrics": dict(self.metrics),
            "options": dict(row.options),
            "given": sorted(self.given),
            "split": self.manifest.get("split", {}),
            "warnings": list(row.warnings),
            "erased": [{"erasure": one.number, "tables": list(one.tables)} for one in self.erased],
            "lineage": {**lineage.as_json(), "pinned": lineage.pinned},
        }  # fmt: skip


def describe_version(db: Database, store: ArtifactStore, name: str, version: int | str | None = None) -> Description:
    """Gather what is recorded of a version, by number or alias; the current one without either.

    Raises
    ------
    NotFoundError
        There is no such model, version or alias.
    CorruptError
        The manifest is damaged.
    """
    with db.read() as tx:
        row = resolve(tx, name, version)
        key = asset_key(row.name)
        judged = metrics.load_metrics(tx, row.name, row.version)
        current = {asset_key(model.name): model.version for model in models.list_models(tx)}
        aliases = tuple(one.alias for one in list_aliases(tx, row.name) if one.version == row.version)
        deployments = _in_deployments(tx, row)
        erased = tuple(one for one in flagged(tx, row.name) if one.version == row.version)
    return Description(
        row=row,
        lineage=read_lineage(row.lineage),
        manifest=read_json_file(StoredFiles(store, row), MANIFEST),
        metrics=judged,
        current=current.get(key) == row.version,
        aliases=aliases,
        deployments=deployments,
        erased=erased,
    )


def _in_deployments(tx: Tx, row: ModelVersion) -> tuple[InDeployment, ...]:
    found = []
    for deployment in list_deployments(tx):
        if asset_key(deployment.model) != asset_key(row.name):
            continue
        state = deployed_versions(tx, deployment.name).get(row.version)
        gates = tuple(load_gates(tx, deployment.name, row.version))
        if state is None and not gates:
            continue
        found.append(
            InDeployment(
                name=deployment.name,
                state=state.state if state else "not deployed",
                reason=state.reason if state else "",
                since=state.since if state else None,
                gates=gates,
            )
        )
    return tuple(found)
