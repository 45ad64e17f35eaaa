"""A copy of a project to rehearse in: its statements as they are, and an empty ``.tidemill`` of its own.

Its control database, lake and log lie in a scratch folder; it sends no alert and no lineage event anywhere, and reads
no source of labels: those come from the replay. Of a champion that is copied the project keeps what its windows are
compared with, where no monitor has learnt that yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import StateError
from tidemill.core.names import asset_key, is_query
from tidemill.core.openlineage import openlineage_settings
from tidemill.core.sections import one_deployment
from tidemill.export.bundle import copy_files, find_shipped, put_champion, read_rows, write_rows
from tidemill.project import Project
from tidemill.runner.deploy import deployment_of
from tidemill.runner.rows_of import is_file
from tidemill.warehouse.control.models import get_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidemill.core.clock import Clock
    from tidemill.core.sections import DeploymentSettings
    from tidemill.simulate.request import Request
    from tidemill.sql.statements import Summary

WHO = "tidemill simulate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """The project in its copy.

    Parameters
    ----------
    grows
        The table that is replayed, where the model is trained from it: it has the rows whose labels are known, and no
        other. '' where the champion answers as it is.
    """

    project: Project
    settings: DeploymentSettings
    grows: str


def open_copy(project: Project, request: Request, folder: Path, *, clock: Clock) -> Copy:
    """Make the copy; a champion that is not trained from what is replayed is put into it.

    Raises
    ------
    NotFoundError
        There is no such deployment or model.
    StateError
        The deployment keeps no log, or has no champion.
    """
    settings = deployment_of(project.stations, request.deployment)
    if settings.log == "off":
        raise StateError(f"deployment {settings.name} keeps no log, so nothing of it can be watched",
                         hint="log = 'buffered' in tidemill.toml")  # fmt: skip
    grows = _trained_from(project.statements.summaries(), settings.model, request.replay)
    own = replace(settings, log="buffered", labels=one_deployment(settings.name, {}).labels)
    scratch = replace(
        project.settings,
        control_url="",
        deployments={settings.name: own},
        alerts={},
        schedules={},
        openlineage=openlineage_settings({}),
    )
    keep = folder / ".tidemill"
    keep.mkdir(parents=True)
    copied = Project(project.root, scratch, clock=clock, keep=keep, given=[grows] if grows else [])
    if not grows:
        _put_champion(project, copied, settings)
    return Copy(project=copied, settings=own, grows=grows)


def _put_champion(project: Project, copied: Project, settings: DeploymentSettings) -> None:
    """The version that answers now; what its windows are compared with is among its files."""
    shipped = find_shipped(project, settings.name)
    version = get_version(project.db, shipped.model, shipped.version)
    copy_files(project, version, copied.keep)
    rows = read_rows(project.db, version)
    with copied.db.write() as tx:
        write_rows(tx, version, rows)
        put_champion(tx, shipped.name, version, who=WHO, why="the simulation begins")


def _trained_from(summaries: Sequence[Summary], model: str, replay: str) -> str:
    """The replayed table, by its name in the project, if the model is trained from it; else ''."""
    if is_query(replay) or is_file(replay):
        return ""
    reads = {asset_key(one.name): one.tables for one in summaries if one.name}
    wanted, seen, waiting = asset_key(replay), set[str](), [asset_key(model)]
    while waiting:
        for name in reads.get(waiting.pop(), ()):
            key = asset_key(name)
            if key == wanted:
                return name
            if key not in seen:
                seen.add(key)
                waiting.append(key)
    return ""
