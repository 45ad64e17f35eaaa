"""Model versions: their files in the store, their facts in the control database.

- ``register(db, store, *, name, trained, fingerprint, run_id, step, lineage, lease=None, also=None) -> ModelVersion``
- ``load(db, store, name, version=None) -> LoadedModel``
- ``list_versions(db, name=None)``, ``list_models(db)``: rows of `warehouse.control.models`
- ``drop_model(db, name, *, if_exists=False, lease=None) -> bool``
- ``sweep(db, store, *, older_than_s) -> list[str]``: files that no version names
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.core.errors import CorruptError, InternalError, NotFoundError
from tidemill.core.faults import fault
from tidemill.core.names import did_you_mean
from tidemill.model_types.base import Iteration
from tidemill.registry.aliases import resolve
from tidemill.registry.retention import kept_files, require_unused
from tidemill.registry.store import MEND, ArtifactStore
from tidemill.training.result import TrainedModel, artifact_digest
from tidemill.warehouse.control import metrics, models
from tidemill.warehouse.control.database import Database, Tx
from tidemill.warehouse.control.leases import Lease
from tidemill.warehouse.control.models import ArtifactFile, Model, ModelVersion

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A version ready to be used. ``files`` are read, and their digests checked, when they are asked for.

    ``metrics``, ``iterations`` and ``feature_info`` are what ML.EVALUATE without data, ML.TRAINING_INFO and
    ML.FEATURE_INFO answer.
    """

    name: str
    version: int
    manifest: dict[str, Any]
    files: Mapping[str, bytes]
    model_type: str = ""
    digest: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    evaluated_on: str = ""
    iterations: tuple[Iteration, ...] = ()
    feature_info: tuple[dict[str, Any], ...] = ()


class StoredFiles(Mapping[str, bytes]):
    """Files of a version by name; each access reads the store and checks the digest."""

    def __init__(self, store: ArtifactStore, version: ModelVersion) -> None:
        self._store = store
        self._label = f"{version.name} version {version.version}"
        self._digests = {file.name: file.sha256 for file in version.files}

    def __getitem__(self, name: str) -> bytes:
        return self._store.read(self._digests[name], name=f"{name} of model {self._label}")

    def __contains__(self, name: object) -> bool:
        return name in self._digests

    def __iter__(self) -> Iterator[str]:
        return iter(self._digests)

    def __len__(self) -> int:
        return len(self._digests)


def register(
    db: Database,
    store: ArtifactStore,
    *,
    name: str,
    trained: TrainedModel,
    fingerprint: str,
    run_id: str,
    step: str,
    lineage: Mapping[str, Any],
    lease: Lease | None = None,
    also: Callable[[Tx, ModelVersion], None] | None = None,
) -> ModelVersion:
    """Keep a trained model as the next version, and make it current.

    The files are durable before the row that names them: a process killed between the two leaves files that nobody
    names, and no version. Registering the same (run_id, step) again gives the version of the first time.

    Parameters
    ----------
    lineage
        What it was made from: plain data (tables with versions, files with digests, SQL).
    also
        Called inside the registering transaction with the version: what must be true together with it (the asset, the
        end of the step) is written there.

    Raises
    ------
    ConflictError
        The lease was lost: no version.
    SpaceError
        The disk is full: no version.
    """
    if trained.digest != artifact_digest(trained.files):
        raise InternalError(f"the trained model {name} does not have the digest it says")
    digests = store.put(trained.files)
    fault("register.before_commit")
    with db.write() as tx:
        earlier = models.find_version(tx, run_id, step)
        version = earlier or models.add_version(
            tx, _new_version(name, trained, digests, fingerprint, run_id, step, lineage), lease=lease
        )
        # A sweep deletes inside a writing transaction: what is there now stays until this one has ended.
        gone = [file.name for file in version.files if not store.has(file.sha256)]
        if gone:
            raise CorruptError(f"files of model {name} vanished while it was registered: {', '.join(gone)}", hint=MEND)
        if earlier is None:
            _save_judgement(tx, version, trained)
        if also is not None:
            also(tx, version)
        fault("register.during_commit")
    return version


def load(db: Database, store: ArtifactStore, name: str, version: int | str | None = None) -> LoadedModel:
    """Open a version of a model, by number or alias; without either, the current one.

    Raises
    ------
    NotFoundError
        There is no such model, version or alias.
    CorruptError
        The manifest is damaged. Other files are checked when they are read.
    """
    with db.read() as tx:
        found = resolve(tx, name, version)
        judged = metrics.load_metrics(tx, name, found.version)
        iterations = metrics.load_training_info(tx, name, found.version)
    files = StoredFiles(store, found)
    return LoadedModel(
        name=found.name,
        version=found.version,
        manifest=json.loads(files[MANIFEST]),
        files=files,
        model_type=found.model_type,
        digest=found.digest,
        options=found.options,
        metrics=judged,
        evaluated_on=found.evaluated_on,
        iterations=iterations,
        feature_info=found.feature_info,
    )


def list_versions(db: Database | Tx, name: str | None = None) -> list[ModelVersion]:
    """Versions of one model or of all, newest first."""
    return models.list_versions(db, name)


def list_models(db: Database | Tx) -> list[Model]:
    """Models that exist."""
    return models.list_models(db)


def drop_model(db: Database, name: str, *, if_exists: bool = False, lease: Lease | None = None) -> bool:
    """Drop a model with all its versions; says whether it was there.

    Raises
    ------
    StateError
        A deployment or an alias names one of its versions.
    NotFoundError
        There is none, and ``if_exists`` was not said.
    """
    with db.write() as tx:
        require_unused(tx, name)
        dropped = models.drop_model(tx, name, lease=lease)
        if not dropped and not if_exists:
            known = [model.name for model in models.list_models(tx)]
            raise NotFoundError(f"there is no model {name}", hint=did_you_mean(name, known), model=name)
    return dropped


def sweep(db: Database, store: ArtifactStore, *, older_than_s: float) -> list[str]:
    """Remove files that no version needs (`retention.kept_files`), older than the grace period; their paths."""
    with db.write() as tx:
        return store.sweep(kept_files(tx), older_than_s=older_than_s, now_s=tx.clock.now().timestamp())


def _save_judgement(tx: Tx, version: ModelVersion, trained: TrainedModel) -> None:
    metrics.save_metrics(
        tx,
        version.name,
        version.version,
        metrics=trained.metrics,
        evaluated_on=trained.evaluated_on,
        run_id=version.run_id,
    )
    metrics.save_training_info(tx, version.name, version.version, iterations=trained.iterations)


def _new_version(
    name: str,
    trained: TrainedModel,
    digests: Mapping[str, str],
    fingerprint: str,
    run_id: str,
    step: str,
    lineage: Mapping[str, Any],
) -> ModelVersion:
    files = tuple(
        ArtifactFile(name=file, sha256=digests[file], bytes=len(trained.files[file])) for file in sorted(trained.files)
    )
    return ModelVersion(
        name=name,
        model_type=trained.model_type,
        digest=trained.digest,
        fingerprint=fingerprint,
        run_id=run_id,
        step=step,
        evaluated_on=trained.evaluated_on,
        rows_train=trained.rows_train,
        rows_eval=trained.rows_eval,
        seconds=trained.seconds,
        files=files,
        options=dict(trained.options),
        lineage=dict(lineage),
        feature_info=tuple(trained.feature_info),
        warnings=tuple(trained.warnings),
    )
