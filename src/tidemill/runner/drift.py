"""Two sets of rows that a person names are compared: tables, views, queries or files, in any pairing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.clock import Clock
from tidemill.core.columns import hidden_names
from tidemill.runner.rows_of import (
    NamedRows,
    named_rows,
    rows_of_file,
    without_project,
)

if TYPE_CHECKING:
    from tidemill.analysis.drift.report import DriftReport
    from tidemill.core.settings import Settings
    from tidemill.runner.stations import Stations

Listener = Callable[[str], None]


def drift(
    stations: Stations, reference: str, current: str, *, dialect: str = "", listen: Listener = lambda _: None
) -> DriftReport:
    """Compare two tables, views, queries or files.

    Parameters
    ----------
    reference
        The rows that say what is usual: a name, a query, or a file's path.
    current
        The rows that are compared with them.

    Raises
    ------
    NotFoundError
        There is no such table or view.
    """
    with stations.session() as session:
        rows = [named_rows(stations, session, text, dialect=dialect) for text in (reference, current)]
        return _made(*rows, clock=stations.clock, listen=listen)


def drift_files(
    reference: Path, current: Path, *, settings: Settings | None, listen: Listener = lambda _: None
) -> DriftReport:
    """Compare two files; no project is needed, and none is opened.

    Raises
    ------
    SourceError
        A file cannot be read.
    """
    with without_project(settings) as session:
        listen(f"reading {reference.name} and {current.name}")
        return _made(rows_of_file(session, reference), rows_of_file(session, current), clock=Clock(), listen=listen)


def _made(reference: NamedRows, current: NamedRows, *, clock: Clock, listen: Listener) -> DriftReport:
    from tidemill.analysis.drift.report import make_report, timed

    started = clock.monotonic()
    names = (reference.name, current.name)
    hidden = hidden_names(reference.declared(), current.declared())
    found = make_report(reference.look(), current.look(), names=names, hidden=hidden, listen=listen)
    return timed(found, clock.monotonic() - started)
