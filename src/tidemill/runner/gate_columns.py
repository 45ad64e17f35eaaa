"""The columns that gates speak of: those a version reads, those there are today, those the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.core.errors import SettingsError
from tidemill.core.names import did_you_mean
from tidemill.registry.lineage import read_lineage
from tidemill.runner.files import FileReads
from tidemill.runner.gate_rows import spelled
from tidemill.runner.pinned import recorded_statement, recorded_views

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.runner.held_out import HeldOut
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.models import ModelVersion


def todays_columns(stations: Stations, version: ModelVersion) -> dict[str, str]:
    """The columns that the recorded query gives on the newest tables; no row is read."""
    from tidemill.runner.execute import open_query

    lineage = read_lineage(version.lineage)
    statement = recorded_statement(lineage, f"model {version.name} version {version.version}")
    assert statement.query is not None  # noqa: S101 - it was trained
    with stations.session() as session:
        files = FileReads(stations, session)
        bound = stations.bind(statement.query, views=recorded_views(lineage), files=files.sql)
        opened = open_query(bound, stations.context(session))
        schema = session.schema(opened.sql, opened.relations)
    return {column.name: str(column.type) for column in schema}


def check_columns(settings: DeploymentSettings, held: HeldOut) -> None:
    """Refuse settings that name columns there are not.

    Raises
    ------
    SettingsError
        A slice, a group or the label's time is not among the columns of the training query.
    """
    gates, names = settings.gates, held.table.column_names
    given = {"slices": gates.slices, "groups": gates.groups, "label_time": tuple(filter(None, (gates.label_time,)))}
    for setting, columns in given.items():
        for column in columns:
            if spelled(names, column) is None:
                raise SettingsError(
                    f"deployments.{settings.name}.gates.{setting} names {column}, which is not among the columns of "
                    f"the query that version {held.version} of {held.model} was trained with",
                    hint=did_you_mean(column, names),
                    columns=list(names),
                )
