"""Models and their versions, as rows. `registry.versions` is what the runner calls; this is what it writes.

- ``add_version(db, version, *, lease=None) -> ModelVersion``: gives it the next number (never one that was used, not
  even by a dropped version) and makes it current; the same (run_id, step) again gives the version of the first time.
- ``get_version(db, name, version=None) -> ModelVersion`` (None = current), ``find_version(db, run_id, step)``.
- ``list_models(db) -> list[Model]``, ``list_versions(db, name=None) -> list[ModelVersion]`` (newest first).
- ``drop_model(db, name, *, lease=None) -> bool``, ``drop_versions(tx, name, versions)``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tidemill.core.errors import NotFoundError
from tidemill.core.names import asset_key, did_you_mean
from tidemill.warehouse.control.database import Database, Row, Tx, parse_time, reading, to_json, writing
from tidemill.warehouse.control.leases import Lease, require


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFile:
    """A file of a version: its name, and the digest under which the store keeps it."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A version of a model. ``version`` and ``created_at`` are given when it is added."""

    name: str
    model_type: str
    digest: str
    fingerprint: str
    run_id: str
    step: str
    evaluated_on: str
    rows_train: int
    rows_eval: int
    seconds: float
    files: tuple[ArtifactFile, ...]
    options: dict[str, Any] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    feature_info: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    version: int = 0
    created_at: datetime | None = None
    dropped_at: datetime | None = None

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that exists, and its current version."""

    name: str
    version: int
    created_at: datetime
    updated_at: datetime


def add_version(db: Database | Tx, version: ModelVersion, *, lease: Lease | None = None) -> ModelVersion:
    """Write a new version and make it current."""
    key = asset_key(version.name)
    with writing(db) as tx:
        if lease is not None:
            require(tx, lease)
        earlier = find_version(tx, version.run_id, version.step)
        if earlier is not None:
            return earlier
        number = (tx.value("SELECT max(version) FROM model_versions WHERE model_key = :key", key=key) or 0) + 1
        now = tx.now()
        tx.execute(
            "INSERT INTO models (model_key, name, current_version, created_at, updated_at)"
            " VALUES (:key, :name, :version, :now, :now) ON CONFLICT (model_key) DO UPDATE"
            " SET name = excluded.name, current_version = excluded.current_version, updated_at = excluded.updated_at,"
            " dropped_at = NULL",
            key=key,
            name=version.name,
            version=number,
            now=now,
        )
        tx.execute(
            "INSERT INTO model_versions (model_key, version, name, model_type, digest, fingerprint, run_id, step,"
            " fence, evaluated_on, rows_train, rows_eval, seconds, bytes, options, lineage, feature_info, warnings,"
            " files, created_at) VALUES (:key, :version, :name, :model_type, :digest, :fingerprint, :run_id, :step,"
            " :fence, :evaluated_on, :rows_train, :rows_eval, :seconds, :bytes, :options, :lineage, :feature_info,"
            " :warnings, :files, :now)",
            key=key,
            version=number,
            name=version.name,
            model_type=version.model_type,
            digest=version.digest,
            fingerprint=version.fingerprint,
            run_id=version.run_id,
            step=version.step,
            fence=None if lease is None else lease.fence,
            evaluated_on=version.evaluated_on,
            rows_train=int(version.rows_train),
            rows_eval=int(version.rows_eval),
            seconds=float(version.seconds),
            bytes=version.bytes,
            options=to_json(version.options),
            lineage=to_json(version.lineage),
            feature_info=to_json(list(version.feature_info)),
            warnings=to_json(list(version.warnings)),
            files=to_json([[file.name, file.sha256, file.bytes] for file in version.files]),
            now=now,
        )
    return replace(version, version=number, created_at=parse_time(now))


def get_version(db: Database | Tx, name: str, version: int | None = None) -> ModelVersion:
    """One version of a model that exists; the current one without a number.

    Raises
    ------
    NotFoundError
        There is no such model or version.
    """
    key = asset_key(name)
    with reading(db) as tx:
        model = tx.row("SELECT * FROM models WHERE model_key = :key AND dropped_at IS NULL", key=key)
        if model is None:
            known = [row["name"] for row in tx.rows("SELECT name FROM models WHERE dropped_at IS NULL")]
            raise NotFoundError(
                f"there is no model {name}",
                hint=did_you_mean(name, known) or "make one with CREATE MODEL",
                model=name,
            )
        wanted = model["current_version"] if version is None else version
        rows = tx.rows(
            "SELECT * FROM model_versions WHERE model_key = :key AND dropped_at IS NULL ORDER BY version DESC", key=key
        )
    for row in rows:
        if row["version"] == wanted:
            return _version(row)
    shown = ", ".join(str(row["version"]) for row in rows[:12])
    raise NotFoundError(
        f"model {model['name']} has no version {wanted}", hint=f"versions: {shown}", model=name, version=wanted
    )


def find_version(db: Database | Tx, run_id: str, step: str) -> ModelVersion | None:
    """Give the version that a run's step registered, if it did."""
    with reading(db) as tx:
        row = tx.row("SELECT * FROM model_versions WHERE run_id = :run_id AND step = :step", run_id=run_id, step=step)
    return None if row is None else _version(row)


def list_models(db: Database | Tx) -> list[Model]:
    """Models that exist, by name."""
    with reading(db) as tx:
        rows = tx.rows("SELECT * FROM models WHERE dropped_at IS NULL ORDER BY model_key")
    return [
        Model(
            name=row["name"],
            version=row["current_version"],
            created_at=parse_time(row["created_at"]),
            updated_at=parse_time(row["updated_at"]),
        )
        for row in rows
    ]


def list_versions(db: Database | Tx, name: str | None = None, *, dropped: bool = False) -> list[ModelVersion]:
    """Versions of one model or of all, newest first; with ``dropped`` also those of dropped models."""
    conditions = ["1 = 1"] if dropped else ["dropped_at IS NULL"]
    params = {}
    if name is not None:
        conditions.append("model_key = :key")
        params["key"] = asset_key(name)
    with reading(db) as tx:
        rows = tx.rows(
            f"SELECT * FROM model_versions WHERE {' AND '.join(conditions)} ORDER BY model_key, version DESC", **params
        )
    return [_version(row) for row in rows]


def drop_model(db: Database | Tx, name: str, *, lease: Lease | None = None) -> bool:
    """Drop a model with its versions; their rows stay for the record, their files go with the next sweep."""
    key = asset_key(name)
    with writing(db) as tx:
        if lease is not None:
            require(tx, lease)
        now = tx.now()
        there = tx.execute(
            "UPDATE models SET dropped_at = :now, current_version = NULL WHERE model_key = :key AND dropped_at IS NULL",
            now=now,
            key=key,
        )
        tx.execute(
            "UPDATE model_versions SET dropped_at = :now WHERE model_key = :key AND dropped_at IS NULL",
            now=now,
            key=key,
        )
    return there > 0


def drop_versions(tx: Tx, name: str, versions: Sequence[int]) -> None:
    """Take some versions away; their rows stay for the record. The caller has made sure that none is in use."""
    tx.execute_many(
        "UPDATE model_versions SET dropped_at = :now WHERE model_key = :key AND version = :version"
        " AND dropped_at IS NULL",
        [{"now": tx.now(), "key": asset_key(name), "version": version} for version in versions],
    )


def _version(row: Row) -> ModelVersion:
    return ModelVersion(
        name=row["name"],
        model_type=row["model_type"],
        digest=row["digest"],
        fingerprint=row["fingerprint"],
        run_id=row["run_id"],
        step=row["step"],
        evaluated_on=row["evaluated_on"],
        rows_train=row["rows_train"],
        rows_eval=row["rows_eval"],
        seconds=row["seconds"],
        files=tuple(
            ArtifactFile(name=name, sha256=sha256, bytes=size) for name, sha256, size in json.loads(row["files"])
        ),
        options=json.loads(row["options"]),
        lineage=json.loads(row["lineage"]),
        feature_info=tuple(json.loads(row["feature_info"])),
        warnings=tuple(json.loads(row["warnings"])),
        version=row["version"],
        created_at=parse_time(row["created_at"]),
        dropped_at=None if row["dropped_at"] is None else parse_time(row["dropped_at"]),
    )
