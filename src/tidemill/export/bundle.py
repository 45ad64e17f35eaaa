"""A deployment's champion as a project of its own: settings, a control database with one version, and its files."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.core.digest import digest_value
from tidemill.core.errors import CorruptError, NotFoundError, StateError
from tidemill.core.names import asset_key, did_you_mean, name_key
from tidemill.core.settings import SETTINGS_FILE
from tidemill.export.names import Shipped, check_image, dns_label
from tidemill.export.toml_text import toml_text
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database, Tx, open_database, sqlite_url
from tidemill.warehouse.control.deployments import (
    DeployedVersion,
    add_deployment,
    deployed_versions,
    find_deployment,
    list_deployments,
    save_deployment,
)
from tidemill.warehouse.control.models import ModelVersion, get_version

if TYPE_CHECKING:
    from tidemill.project import Project

BUNDLE_ID = "bundle.id"
GRACE_S = 10
"""What the grace period has beyond settling and draining."""
# What serving reads of a version.
_TABLES = ("model_versions", "metrics", "training_info")


def find_shipped(project: Project, name: str, image: str = "") -> Shipped:
    """The deployment that is asked for, with its champion.

    Raises
    ------
    NotFoundError
        There is no such deployment.
    StateError
        No version of it answers.
    """
    found = find_deployment(project.db, name)
    if found is None:
        known = [one.name for one in list_deployments(project.db)]
        raise NotFoundError(
            f"there is no deployment {name}", hint=did_you_mean(name, known) or f"tidemill deploy {name} makes one"
        )
    if found.champion is None:
        raise StateError(f"deployment {found.name} has no champion", hint=f"tidemill deploy {found.name}")
    version = get_version(project.db, found.model, found.champion)
    label = dns_label(found.name)
    server = project.settings.server
    return Shipped(
        name=found.name,
        label=label,
        model=version.name,
        version=version.version,
        digest=version.digest,
        image=check_image(image or f"{label}:v{version.version}-{version.digest[:12]}"),
        grace_s=int(server.settle_seconds + server.drain_seconds) + GRACE_S,
    )


def write_bundle(project: Project, shipped: Shipped, folder: Path, *, who: str) -> None:
    """Write the project that serves one version.

    Raises
    ------
    CorruptError
        A file of the version is not what was written.
    """
    keep = folder / ".tidemill"
    keep.mkdir(parents=True)
    text = settings_text(project.root, shipped.name)
    (folder / SETTINGS_FILE).write_text(text, encoding="utf-8")
    version = get_version(project.db, shipped.model, shipped.version)
    copy_files(project, version, keep)
    database = open_database(sqlite_url(keep / "control.sqlite"), clock=project.clock)
    try:
        rows = read_rows(project.db, version)
        with database.write() as tx:
            write_rows(tx, version, rows)
            put_champion(tx, shipped.name, version, who=who, why="exported")
    finally:
        database.close()
    for rest in ("control.sqlite-wal", "control.sqlite-shm"):
        (keep / rest).unlink(missing_ok=True)  # closed: all is in the file itself
    told = [shipped.name, shipped.model, shipped.version, shipped.digest, text]
    (folder / BUNDLE_ID).write_text(f"{digest_value(told)}\n", encoding="utf-8")


def settings_text(root: Path, name: str) -> str:
    """The settings of a project, as far as they are about one deployment and its server."""
    path = root / SETTINGS_FILE
    given: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    sections = {key: value for key, value in given.get("deployments", {}).items() if name_key(key) == name_key(name)}
    kept: dict[str, Any] = {"name": name}
    kept["server"] = given.get("server", {}) | {"auth": "always"}
    return toml_text(kept | ({"deployments": sections} if sections else {}))


def copy_files(project: Project, version: ModelVersion, keep: Path) -> None:
    """Copy a version's files under their digests, each checked on its way."""
    from tidemill.registry.store import ArtifactStore

    target = ArtifactStore(keep / "artifacts")
    for file in version.files:
        target.put({file.name: project.store.read(file.sha256, name=file.name)})
        if not target.has(file.sha256):
            raise CorruptError(f"file {file.name} of {version.name} did not arrive", file=file.name)
    shutil.rmtree(keep / "artifacts" / "tmp", ignore_errors=True)


Rows = dict[str, list[dict[str, Any]]]


def read_rows(db: Database, version: ModelVersion) -> Rows:
    """Everything the control database says of one version."""
    key = asset_key(version.name)
    with db.read() as tx:
        return {
            table: tx.rows(
                f"SELECT * FROM {table} WHERE model_key = :key AND version = :version",
                key=key,
                version=version.version,
            )
            for table in _TABLES
        }


def write_rows(tx: Tx, version: ModelVersion, rows: Rows) -> None:
    """Write a version under its own number, beside others; a version that is there stays as it is."""
    key, now = asset_key(version.name), tx.now()
    tx.execute(
        "INSERT INTO models (model_key, name, current_version, created_at, updated_at)"
        " VALUES (:key, :name, :version, :now, :now) ON CONFLICT (model_key) DO UPDATE"
        " SET current_version = excluded.current_version, updated_at = excluded.updated_at, dropped_at = NULL",
        key=key,
        name=version.name,
        version=version.version,
        now=now,
    )
    there = tx.value(
        "SELECT digest FROM model_versions WHERE model_key = :key AND version = :version",
        key=key,
        version=version.version,
    )
    if there is None:
        for table in _TABLES:
            _insert(tx, table, rows[table])
    elif there != version.digest:
        raise StateError(
            f"{version.name} version {version.version} is another one in this volume ({there[:12]}) than in the image "
            f"({version.digest[:12]}): they come from two projects",
            hint="give the image a volume of its own",
        )


def _insert(tx: Tx, table: str, rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        names = list(row)
        marks = ", ".join(f":{name}" for name in names)
        tx.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", **row)


def put_champion(tx: Tx, name: str, version: ModelVersion, *, who: str, why: str) -> None:
    """Let a version answer in a deployment; nothing is on trial in a container."""
    before = find_deployment(tx, name) or add_deployment(tx, name, version.name)
    states = {
        number: replace(state, state="retired", reason=why)
        for number, state in deployed_versions(tx, name).items()
        if state.state in ("champion", "shadow", "canary") and number != version.version
    }
    states[version.version] = DeployedVersion(
        version=version.version, state="champion", digest=version.digest, reason=why
    )
    after = replace(
        before, model=version.name, champion=version.version, challenger=None, previous=None, stage="idle", share=0.0,
        share_number=-1,
    )  # fmt: skip
    save_deployment(tx, before, after, states)
    audit.append(
        tx,
        who=who,
        action="ship",
        object=f"deployment {name}",
        why=why,
        evidence={"champion": version.version, "before": before.champion, "digest": version.digest},
    )
