"""What is asked of a source of labels, which of its columns is what, and which values are labels of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import BindError, NotFoundError, SettingsError
from tidemill.core.names import did_you_mean, name_key
from tidemill.registry.versions import load
from tidemill.serving.log.label_rules import LabelRules
from tidemill.serving.log.label_values import LabelValues, values_of
from tidemill.warehouse.control.deployments import find_deployment

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.runner.batch.source import Source
    from tidemill.runner.stations import Stations


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """What to read.

    Parameters
    ----------
    input
        A table, a view, or a file or pattern of files; '' with ``query``.
    id, key, label, at, known
        Columns; '' for those whose names say what they are.
    here
        Where relative file names begin.
    """

    deployment: str
    input: str = ""
    query: str = ""
    dialect: str = ""
    id: str = ""
    key: str = ""
    label: str = ""
    at: str = ""
    known: str = ""
    here: Path = Path()
    who: str = ""


def rules_of(stations: Stations, settings: DeploymentSettings) -> LabelRules:
    """The champion's classes and the time it is; any plain value where no version answers, or the model is gone."""
    label = _label_of(stations, settings)
    values = values_of(label["classes"] or ()) if label else LabelValues()
    return LabelRules(key=settings.key, now=stations.clock.now(), values=values, timed=True)


def _label_of(stations: Stations, settings: DeploymentSettings) -> Mapping[str, Any]:
    deployment = find_deployment(stations.db, settings.name)
    if deployment is None or deployment.champion is None:
        return {}
    try:
        found = load(stations.db, stations.store, deployment.model, deployment.champion)
    except NotFoundError:
        return {}
    label: Mapping[str, Any] = found.manifest["label"]
    return label


def columns_of(
    stations: Stations, request: LabelRequest, settings: DeploymentSettings, source: Source
) -> dict[str, str]:
    """Which column is what: those that were named, else those whose names say it."""
    listed = source.session.columns(source.query.sql, source.query.relations)
    there = {name_key(column.name): column.name for column in listed}

    def find(asked: str, *usual: str) -> str:
        if asked and name_key(asked) not in there:
            raise BindError(
                f"{source.shown} has no column {asked}", hint=did_you_mean(asked, list(there.values())), column=asked
            )
        return next((there[name_key(name)] for name in (asked, *usual) if name and name_key(name) in there), "")

    if request.key and not settings.key:
        raise SettingsError(
            f"deployment {settings.name} has no key, so no answer can be found by {request.key}",
            hint=f'name the column of the entity under [deployments.{settings.name}]: key = "{request.key}"',
        )
    by_id = "" if request.key else find(request.id, "prediction_id", "" if name_key(settings.key) == "id" else "id")
    by_key = "" if by_id or not settings.key else find(request.key, settings.key)
    predicted = str(_label_of(stations, settings).get("column", ""))
    found = {
        "id": by_id,
        "label": find(request.label, "label", predicted),
        "time": find(request.at, "at", "time"),
        "known_at": find(request.known, "known_at"),
    }
    found |= {settings.key: by_key} if by_key else {}
    names = ", ".join(there.values())
    if not by_id and not by_key:
        raise SettingsError(
            f"no column of {source.shown} says whose labels they are; it has {names}",
            hint="name one: --id for the prediction's id, --key for the deployment's key",
        )
    if not found["label"]:
        raise SettingsError(f"no column of {source.shown} is the label; it has {names}", hint="name one: --label")
    if by_key and not found["time"]:
        raise SettingsError(
            f"labels by key need the time at which they came true; {source.shown} has {names}",
            hint="name the column: --at",
        )
    return {name: column for name, column in found.items() if column}
