"""Whether the deployments that sinks name are there: a sink of none would never be sent anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tidemill.core.errors import SettingsError
from tidemill.core.names import did_you_mean, name_key
from tidemill.warehouse.control.deployments import list_deployments

if TYPE_CHECKING:
    from tidemill.core.alerting import SinkSettings
    from tidemill.sql.statements import Summary
    from tidemill.warehouse.control.database import Database


def require_deployments(
    sinks: Iterable[SinkSettings], declared: Iterable[str], summaries: Iterable[Summary], db: Database
) -> None:
    """Refuse a sink for deployments that are neither in the settings, nor a model's own, nor deployed.

    Parameters
    ----------
    declared
        Those of the settings.
    summaries
        A model that these make can be deployed under its own name without a section.

    Raises
    ------
    SettingsError
        The first name that is none, and where it stands.
    """
    named = [(sink, name) for sink in sinks for name in sink.deployments]
    if not named:
        return
    models = [one.name for one in summaries if one.kind == "model"]
    known = [*declared, *models, *(one.name for one in list_deployments(db))]
    keys = set(map(name_key, known))
    for sink, name in named:
        if name_key(name) not in keys:
            raise SettingsError(
                f"alerts.{sink.name}.deployments: no deployment is named {name}",
                where=sink.deployments_at,
                hint=did_you_mean(name, known) or "a section [deployments.NAME] makes one",
            )
