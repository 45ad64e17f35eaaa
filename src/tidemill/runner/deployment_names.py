"""Whether what the settings of a deployment name is there: its model, the table of its labels, columns of both.

Asked before anything is built. What a step is going to make is well: of its columns nothing is known yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import SettingsError, TidemillError
from tidemill.core.labels import LABEL_COLUMNS
from tidemill.core.names import asset_key, did_you_mean, name_key
from tidemill.core.source_tables import find_source
from tidemill.planner.graph import SYSTEM_SCHEMA
from tidemill.runner.unbuilt import KINDS
from tidemill.warehouse.control.assets import load_assets
from tidemill.warehouse.control.deployments import find_deployment
from tidemill.warehouse.control.models import list_models

if TYPE_CHECKING:
    from tidemill.core.connections import ConnectionSettings
    from tidemill.core.sections import DeploymentSettings
    from tidemill.planner.plan import Step
    from tidemill.sql.statements import Summary
    from tidemill.warehouse.control.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """What there is, and what statements make. What is dear to look up comes as a call.

    Parameters
    ----------
    steps
        The plan's: what they leave as it is has the columns it has now.
    tables, columns
        The tables of the lake, and the columns of one.
    keep
        The folder of everything that is kept for the project.
    """

    summaries: Sequence[Summary]
    steps: Sequence[Step]
    db: Database
    connections: Mapping[str, ConnectionSettings]
    tables: Callable[[], Iterable[str]]
    columns: Callable[[str], Iterable[str]]
    keep: Path

    def stays(self, name: str) -> bool:
        """Whether nothing is going to make it anew."""
        key = asset_key(name)
        made = any(asset_key(one.name) == key for one in self.summaries)
        return not made or any(asset_key(one.asset) == key and one.action in {"skip", "check"} for one in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A setting that names what is not there."""

    setting: str
    said: str
    name: str
    known: Iterable[str]


def require_names(deployments: Iterable[DeploymentSettings], there: There) -> None:
    """Refuse settings of deployments that name what is not there, and what no statement makes.

    Raises
    ------
    SettingsError
        The first name that is none, and where it stands.
    """
    for one in deployments:
        for check in CHECKS:
            for wrong in check(one, there):
                raise SettingsError(
                    f"deployments.{one.name}.{wrong.setting}: {wrong.said}",
                    where=one.named_at.get(wrong.setting),
                    hint=did_you_mean(wrong.name, wrong.known),
                )


def model(one: DeploymentSettings, there: There) -> Iterator[Wrong]:
    """A model that neither is there nor is made."""
    known = [it.name for it in there.summaries if it.kind == "model"]
    if asset_key(one.model) in map(asset_key, known):
        return
    known += [it.name for it in list_models(there.db)]
    if asset_key(one.model) not in map(asset_key, known):
        yield Wrong(setting="model", said=f"no model is named {one.model}", name=one.model, known=known)


def label_table(one: DeploymentSettings, there: There) -> Iterator[Wrong]:
    """A table of labels that neither is there nor is made. A file may still come."""
    name = one.labels.input
    if not _is_table(name) or asset_key(name).startswith(SYSTEM_SCHEMA):
        return
    if find_source(name, there.connections) is not None:
        return
    known = [it.name for it in there.summaries if it.kind in KINDS]
    if asset_key(name) in map(asset_key, known):
        return
    known += [*there.tables(), *(it.name for it in load_assets(there.db).values() if it.kind in KINDS)]
    if asset_key(name) not in map(asset_key, known):
        yield Wrong(setting="labels.input", said=f"no table or view is named {name}", name=name, known=known)


def label_columns(one: DeploymentSettings, there: There) -> Iterator[Wrong]:
    """Columns that the table of labels does not have."""
    given = {column: getattr(one.labels, column) for column in LABEL_COLUMNS if getattr(one.labels, column)}
    name = one.labels.input
    if not given or not _is_table(name) or not there.stays(name):
        return
    table = next((it for it in there.tables() if asset_key(it) == asset_key(name)), None)
    if table is None:
        return
    columns = list(there.columns(table))
    for setting, column in given.items():
        if name_key(column) not in map(name_key, columns):
            yield Wrong(setting=f"labels.{setting}", said=f"{table} has no column {column}", name=column, known=columns)


def _is_table(name: str) -> bool:
    if not name:
        return False
    from tidemill.runner.batch.source import is_file  # most plans have none, and this brings much along

    return not is_file(name)


def features(one: DeploymentSettings, there: There) -> Iterator[Wrong]:
    """Columns to be watched, or hidden in the log, that neither the newest version reads nor the champion."""
    hidden = [("hash_columns", name) for name in one.hash_columns] + [
        ("omit_columns", name) for name in one.omit_columns
    ]
    if not (one.monitor.columns or one.monitor.ignore or hidden) or not there.stays(one.model):
        return
    from tidemill.monitoring.inputs import unknown_names

    read = _read_by(one, there)
    if read is None:
        return
    for setting, name in unknown_names(one.monitor, read):
        yield Wrong(
            setting=f"monitor.{setting}", said=f"model {one.model} reads no column {name}", name=name, known=read
        )
    logged = [*read, *one.monitor.slices, *([one.key] if one.key else [])]
    for setting, name in hidden:
        if name_key(name) not in map(name_key, logged):
            yield Wrong(setting=setting, said=f"no column {name} is ever in the log", name=name, known=logged)


def _read_by(one: DeploymentSettings, there: There) -> list[str] | None:
    """What the newest version and the champion read; None where one of them is gone or damaged."""
    from tidemill.registry.store import ArtifactStore
    from tidemill.registry.versions import load

    found = find_deployment(there.db, one.name)
    store = ArtifactStore(there.keep / "artifacts")
    columns: list[str] = []
    for version in dict.fromkeys((None, found.champion if found is not None else None)):
        try:
            columns += [str(it["name"]) for it in load(there.db, store, one.model, version).manifest["inputs"]]
        except TidemillError:  # that is told by who answers with it
            return None
    return list(dict.fromkeys(columns))


CHECKS: tuple[Callable[[DeploymentSettings, There], Iterator[Wrong]], ...] = (
    model,
    label_table,
    label_columns,
    features,
)
