"""What must stay and what may go: nothing that something refers to is deleted, the rest goes by policy.

A version is referred to by a deployment (it answers, is on trial, or is where a rollback goes), by an alias, by
predictions it gave, and by versions that were trained from it. Pruned and dropped versions keep their rows; their files
go with the next `registry.versions.sweep`, except those of versions that gave predictions, which can be replayed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from tidemill.core.errors import StateError
from tidemill.core.names import asset_key
from tidemill.registry.lineage import read_lineage
from tidemill.warehouse.control import audit, models
from tidemill.warehouse.control.aliases import list_aliases
from tidemill.warehouse.control.database import Database, Tx, reading, writing
from tidemill.warehouse.control.deployments import list_deployments
from tidemill.warehouse.control.models import ModelVersion

Kind = Literal["deployment", "alias", "predictions", "training"]
IN_USE: tuple[Kind, ...] = ("deployment", "alias")
"""What also stands in the way of DROP MODEL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Something that needs a version; ``text`` completes "version 3 stays: ..."."""

    model_key: str
    version: int
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a version: it stays for a reason, or goes (no reason)."""

    version: ModelVersion
    stays: str

    @property
    def goes(self) -> bool:
        """Whether it is pruned."""
        return not self.stays


def references(db: Database | Tx) -> list[Reference]:
    """Everything that refers to a version of a model."""
    with reading(db) as tx:
        return [*_deployed(tx), *_aliased(tx), *_answered(tx), *_trained_from(tx)]


def require_unused(tx: Tx, name: str) -> None:
    """Refuse to drop a model that something uses.

    Raises
    ------
    StateError
        A deployment or an alias names one of its versions.
    """
    key = asset_key(name)
    used = [one for one in references(tx) if one.model_key == key and one.kind in IN_USE]
    if used:
        first = used[0]
        hint = (
            f"take the alias away first: tidemill models {name} --remove-alias {first.text.split()[1]}"
            if first.kind == "alias"
            else "deploy another model there first, or take the deployment away"
        )
        raise StateError(
            f"model {name} cannot be dropped: {'; '.join(dict.fromkeys(one.text for one in used))}",
            hint=hint,
            model=name,
            references=[one.text for one in used],
        )


def verdicts(db: Database | Tx, name: str | None = None, *, keep: int, older_than: timedelta) -> list[Verdict]:
    """Say of each version of one model, or of all, whether the policy keeps it, and why; newest first.

    Parameters
    ----------
    keep
        How many of a model's newest versions stay, at least 1.
    older_than
        Versions younger than this stay.
    """
    with reading(db) as tx:
        why: dict[tuple[str, int], list[str]] = {}
        for one in references(tx):
            why.setdefault((one.model_key, one.version), []).append(one.text)
        current = {asset_key(model.name): model.version for model in models.list_models(tx)}
        youngest = tx.clock.now() - older_than
        found: list[Verdict] = []
        counted: dict[str, int] = {}
        for version in models.list_versions(tx, name):
            key = asset_key(version.name)
            place = counted[key] = counted.get(key, 0) + 1
            reasons = list(dict.fromkeys(why.get((key, version.version), [])))
            if current.get(key) == version.version:
                reasons.insert(0, "it is the current version")
            elif place <= max(keep, 1):
                reasons.append(f"it is among the newest {keep}")
            elif version.created_at is not None and version.created_at > youngest:
                reasons.append(f"it is younger than {older_than.days} days")
            found.append(Verdict(version=version, stays="; ".join(reasons)))
    return found


def prune(
    db: Database, name: str | None = None, *, keep: int, older_than: timedelta = timedelta(0), who: str, why: str = ""
) -> list[ModelVersion]:
    """Take away the versions that the policy does not keep; returns them.

    Asked and done in one transaction: what becomes referenced meanwhile stays.
    """
    with writing(db) as tx:
        gone = [one.version for one in verdicts(tx, name, keep=keep, older_than=older_than) if one.goes]
        for model in dict.fromkeys(version.name for version in gone):
            numbers = [version.version for version in gone if version.name == model]
            models.drop_versions(tx, model, numbers)
            audit.append(
                tx,
                who=who,
                action="prune",
                object=f"model {model}",
                why=why,
                evidence={"versions": numbers, "keep": keep, "older_than_days": older_than.days},
            )
    return gone


def kept_files(tx: Tx) -> set[str]:
    """Digests of the files that a sweep must leave: of every version that exists, and of those that answered."""
    answered = {(one.model_key, one.version) for one in references(tx) if one.kind == "predictions"}
    return {
        file.sha256
        for version in models.list_versions(tx, dropped=True)
        if version.dropped_at is None or (asset_key(version.name), version.version) in answered
        for file in version.files
    }


def _deployed(tx: Tx) -> Iterable[Reference]:
    for deployment in list_deployments(tx):
        parts = {"champion": deployment.champion, "challenger": deployment.challenger, "previous": deployment.previous}
        words = {"champion": "is the champion of", "challenger": "is on trial in", "previous": "is where a rollback of"}
        for part, version in parts.items():
            if version is not None:
                end = " goes" if part == "previous" else ""
                text = f"version {version} {words[part]} deployment {deployment.name}{end}"
                yield Reference(model_key=asset_key(deployment.model), version=version, kind="deployment", text=text)


def _aliased(tx: Tx) -> Iterable[Reference]:
    for alias in list_aliases(tx):
        text = f"alias {alias.alias} names version {alias.version}"
        yield Reference(model_key=asset_key(alias.model), version=alias.version, kind="alias", text=text)


def _answered(tx: Tx) -> Iterable[Reference]:
    """Versions that gave predictions: once in a deployment's traffic, or in batches."""
    rows = tx.rows(
        "SELECT d.name, d.model, v.version FROM deployment_versions v"
        " JOIN deployments d ON d.deployment_key = v.deployment_key WHERE v.state NOT IN ('candidate', 'refused')"
    )
    for row in rows:
        text = f"it answered in deployment {row['name']}"
        yield Reference(model_key=asset_key(row["model"]), version=row["version"], kind="predictions", text=text)
    for row in tx.rows("SELECT DISTINCT model_key, version FROM scoring_jobs"):
        yield Reference(
            model_key=row["model_key"], version=row["version"], kind="predictions", text="it scored a batch"
        )


def _trained_from(tx: Tx) -> Iterable[Reference]:
    """Versions that others began from or read predictions of: to train those again takes them."""
    sql = "SELECT name, version, lineage FROM model_versions WHERE dropped_at IS NULL ORDER BY model_key, version"
    for row in tx.rows(sql):
        lineage = read_lineage(json.loads(row["lineage"]))
        text = f"{row['name']} version {row['version']} was trained from it"
        if lineage.previous is not None:
            yield Reference(model_key=asset_key(row["name"]), version=lineage.previous, kind="training", text=text)
        for name, version in lineage.models.items():
            key = asset_key(name.partition("@")[0])
            yield Reference(model_key=key, version=version, kind="training", text=text)
