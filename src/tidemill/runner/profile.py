"""Profiles of what a person names: a table or view of the project, a query, or a file that belongs to no project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.clock import Clock
from tidemill.runner.rows_of import NamedRows, rows_of_file, rows_of_query, rows_of_table, without_project

if TYPE_CHECKING:
    from tidemill.analysis.profile.result import Profile
    from tidemill.core.settings import Settings
    from tidemill.runner.stations import Stations

Listener = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """What to look at.

    Parameters
    ----------
    name
        A table or view of the project; '' with a query.
    query
        A query in the dialect.
    label
        The column that is to be predicted.
    """

    name: str = ""
    query: str = ""
    dialect: str = ""
    label: str = ""


def profile(stations: Stations, request: ProfileRequest, *, listen: Listener) -> Profile:
    """Profile a table, a view or a query of the project.

    Raises
    ------
    NotFoundError
        There is no such table or view.
    """
    with stations.session() as session:
        if request.query:
            rows = rows_of_query(stations, session, request.query, dialect=request.dialect)
        else:
            rows = rows_of_table(stations, session, request.name)
        return _made(rows, request, clock=stations.clock, listen=listen)


def profile_file(path: Path, request: ProfileRequest, *, settings: Settings | None, listen: Listener) -> Profile:
    """Profile a file, or the files of a pattern; no project is needed, and none is opened.

    Raises
    ------
    SourceError
        The file cannot be read.
    """
    with without_project(settings) as session:
        listen(f"reading {path.name}")
        return _made(rows_of_file(session, path), request, clock=Clock(), listen=listen)


def _made(rows: NamedRows, request: ProfileRequest, *, clock: Clock, listen: Listener) -> Profile:
    from tidemill.analysis.profile.make import make_profile

    started, now = clock.monotonic(), clock.now()
    found = make_profile(
        rows.look(),
        name=rows.name,
        now=now,
        label=request.label,
        notes=rows.notes,
        declared=rows.declared(),
        listen=listen,
    )
    return replace(found, seconds=clock.monotonic() - started)
