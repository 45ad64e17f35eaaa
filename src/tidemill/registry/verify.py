"""Check that every file of every model version is what was written."""

from __future__ import annotations

from tidemill.core.digest import digest_value
from tidemill.registry.store import ArtifactStore
from tidemill.warehouse.control import models
from tidemill.warehouse.control.database import Database
from tidemill.warehouse.control.models import ModelVersion
from tidemill.warehouse.protocol import Problem


def verify_artifacts(db: Database, store: ArtifactStore, name: str | None = None) -> list[Problem]:
    """Check the files of one model's versions, or of all; reads every file once."""
    problems: list[Problem] = []
    checked: dict[tuple[str, int], str] = {}
    for version in models.list_versions(db, name):
        label = f"model {version.name} version {version.version}"
        if _digest(version) != version.digest:
            problems.append(
                Problem(
                    what="model digest",
                    object=label,
                    detail="the digests of its files do not give the version's digest",
                )
            )
        for file in version.files:
            key = (file.sha256, file.bytes)
            if key not in checked:
                checked[key] = store.problem(file.sha256, size=file.bytes)
            if checked[key]:
                problems.append(Problem(what="model file", object=f"{file.name} of {label}", detail=checked[key]))
    return problems


def _digest(version: ModelVersion) -> str:
    """Compute the digest from the row, as `training.result.artifact_digest` does from the bytes."""
    return digest_value([[file.name, file.sha256] for file in sorted(version.files, key=lambda file: file.name)])
