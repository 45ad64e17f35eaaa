"""Project, the one object users hold: it opens the stations, wires them, and decides nothing itself."""

from __future__ import annotations

from pathlib import Path

from tidemill.core.clock import Clock
from tidemill.core.settings import read_settings, settings_to_look
from tidemill.project.access import Access
from tidemill.project.answers import Answers
from tidemill.project.building import Building
from tidemill.project.deployments import Deployments
from tidemill.project.models import Models
from tidemill.project.opened import KEEP
from tidemill.project.tables import Tables
from tidemill.project.watching import Watching


class Project(Building, Tables, Models, Deployments, Answers, Watching, Access):
    """A folder of SQL and one settings file: plan it, run it, query it.

    Stations open when they are first needed, so that a plan with nothing to do opens none of the heavy ones. What can
    be asked of a project stands by subject, in the files of this folder.
    """


def open_project(path: str | Path = ".", *, clock: Clock | None = None) -> Project:
    """Open the project in a folder, or in the nearest folder above it that is one.

    Parameters
    ----------
    path
        The project's folder, or a folder inside it.
    clock
        Where times and ids come from; the machine's when not given.

    Raises
    ------
    SettingsError
        No folder here is a project, or its settings are wrong.
    """
    root = _root_of(path)
    return Project(root, read_settings(root), clock=clock or Clock())


def open_to_look(path: str | Path = ".", *, clock: Clock | None = None) -> Project:
    """Open the same project for somebody who only looks, also where its settings are wrong: `Project.wrong` says how.

    Raises
    ------
    SettingsError
        No folder here is a project, or its settings are wrong and nothing is kept for it where they lead.
    """
    root = _root_of(path)
    settings, wrong = settings_to_look(root)
    if wrong is not None and not settings.control_url and not (root / KEEP / "control.sqlite").is_file():
        raise wrong
    return Project(root, settings, clock=clock or Clock(), wrong=wrong)


def _root_of(path: str | Path) -> Path:
    start = Path(path).resolve()
    return next((folder for folder in (start, *start.parents) if (folder / "tidemill.toml").is_file()), start)
