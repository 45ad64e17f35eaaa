"""Statements carried out one by one, for the commands and for the shell."""

from __future__ import annotations

from collections.abc import Iterator

from tidemill.project import Project
from tidemill.runner.result import Result


def each_result(project: Project, text: str, *, dialect: str = "") -> Iterator[Result]:
    """What each statement of a text answers, in order; the next is carried out when its answer is asked for."""
    from tidemill.runner.adhoc import run_each

    return run_each(project.stations, text, dialect=dialect or project.settings.dialect, listen=lambda _: None)
