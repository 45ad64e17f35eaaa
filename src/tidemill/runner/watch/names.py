"""Columns that the settings of a monitor name and that there are not: what they were to watch is not watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.core.errors import SettingsError
from tidemill.core.names import did_you_mean, name_key, quote_text
from tidemill.monitoring.inputs import unknown_names
from tidemill.runner.watch.quality import path_of
from tidemill.serving.labels.joined import moment
from tidemill.warehouse.control.deployments import find_deployment
from tidemill.warehouse.control.monitoring import load_windows

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.runner.stations import Stations

MOST_ANSWERS = 10_000

_SEND = "callers send it with their rows, and a server keeps it that was started with this setting"


def wrong_names(stations: Stations, settings: DeploymentSettings) -> list[SettingsError]:
    """Each name that is wrong, at every pass: the rest is watched, so nothing else would tell it.

    A feature is one when the champion reads it; a slice also when callers send it along, as the newest answers tell.
    """
    watch = settings.monitor
    found = find_deployment(stations.db, settings.name)
    if found is None or found.champion is None or not (watch.columns or watch.ignore or watch.slices):
        return []
    manifest = stations.load_model(settings.model, found.champion).manifest
    columns = [str(one["name"]) for one in manifest["inputs"]]
    wrong = [
        (name, one, "which the champion does not read", did_you_mean(one, columns))
        for name, one in unknown_names(watch, columns)
    ]
    omitted = {name_key(name) for name in settings.omit_columns}
    wrong += [
        ("slices", one, "which omit_columns leaves out of the log", "take it out of one of the two")
        for one in watch.slices
        if name_key(one) in omitted
    ]
    read = {name_key(one) for one in columns} | omitted
    asked = [one for one in watch.slices if name_key(one) not in read]
    wrong += [
        ("slices", one, "which came with none of the newest answers", f"{_SEND}; {did_you_mean(one, columns)}")
        for one in _unsent(stations, settings, asked)
    ]
    return [
        SettingsError(f"deployments.{settings.name}.monitor.{setting} names the column {name}, {why}", hint=hint)
        for setting, name, why, hint in wrong
    ]


def _unsent(stations: Stations, settings: DeploymentSettings, columns: list[str]) -> list[str]:
    """The columns that none of the newest answers was sent with, from the newest window that has any on."""
    rows = [row for row in load_windows(stations.db, settings.name) if row.answers] if columns else []
    if not rows:
        return []
    counts = ", ".join(f"count(json_extract_string(inputs, {quote_text(path_of(one))}))" for one in columns)
    with stations.session() as session:
        (sent,) = session.fetch(
            f"SELECT {counts} FROM (SELECT inputs FROM tidemill.predictions WHERE deployment ="
            f' {quote_text(settings.name)} AND "at" >= {moment(rows[-1].start)} ORDER BY "at" DESC'
            f" LIMIT {MOST_ANSWERS})"
        )
    return [one for one, count in zip(columns, sent, strict=True) if not count]
