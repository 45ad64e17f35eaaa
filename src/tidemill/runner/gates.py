"""Ask the gates about a version: collects what `serving.gates` judges.

What cannot be collected (a snapshot that is gone, a file that is damaged) is not an error here: the gates that need it
say that there is not enough evidence, and why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tidemill.runner.gate_parts import Collector
from tidemill.serving.gates.case import Case, Files, Missing
from tidemill.serving.gates.table import judge_case
from tidemill.warehouse.control.models import ModelVersion, get_version
from tidemill.warehouse.control.retrain import came_of_a_request

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.deployments import GateResult


def run_gates(
    stations: Stations,
    settings: DeploymentSettings,
    *,
    model: str,
    version: int,
    champion: int | None,
    listen: Callable[[str], None] = lambda _: None,
) -> list[GateResult]:
    """Judge a version by every gate, in the order of `serving.gates.table.GATES`.

    Parameters
    ----------
    champion
        The version it is held against; None where there is none.
    listen
        Is told what is being done.

    Raises
    ------
    NotFoundError
        There is no such version.
    SettingsError
        The settings name a column or a metric that there is not.
    """
    case = collect(stations, settings, model=model, version=version, champion=champion, listen=listen)
    return judge_case(case)


def collect(
    stations: Stations,
    settings: DeploymentSettings,
    *,
    model: str,
    version: int,
    champion: int | None,
    listen: Callable[[str], None] = lambda _: None,
) -> Case:
    """Everything the gates judge a version by.

    Raises
    ------
    NotFoundError
        There is no such version.
    SettingsError
        The settings name a column that there is not.
    """
    found = get_version(stations.db, model, version)
    other = None if champion is None else get_version(stations.db, model, champion)
    listen("checking files")
    files = _files(stations, found)
    if files.problems:
        return _damaged(settings, files, champion=champion)
    # Nobody looked at what such a version was trained on, whoever deploys it in the end.
    requested = came_of_a_request(stations.db, settings.name, version)
    return Collector(stations, settings, found, other, listen, requested).case(files)


def _files(stations: Stations, version: ModelVersion) -> Files:
    problems = (stations.store.problem(file.sha256, size=file.bytes) for file in version.files)
    return Files(problems=tuple(filter(None, problems)), bytes=version.bytes, count=len(version.files))


def _damaged(settings: DeploymentSettings, files: Files, *, champion: int | None) -> Case:
    lost = Missing("files of the version are damaged")
    return Case(
        settings=settings.gates,
        files=files,
        contract=lost,
        golden=lost,
        timing=lost,
        scored=lost,
        leakage=lost,
        champion=None if champion is None else lost,
    )
