"""The rows a person names: a table or view of the project, a query, or a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.columns import ColumnNote
from tidemill.core.errors import NotFoundError, SettingsError
from tidemill.core.names import asset_key, did_you_mean, is_query, quote_path
from tidemill.core.source_tables import find_source
from tidemill.runner.column_notes import notes_of
from tidemill.sources.formats import format_of
from tidemill.sources.patterns import is_there

if TYPE_CHECKING:
    from tidemill.analysis.table import Table
    from tidemill.core.settings import Settings
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.protocol import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRows:
    """Rows that can be looked at.

    Parameters
    ----------
    look
        Opens them: a stored table is counted where it is, anything else is copied once.
    notes
        How a file was read.
    declared
        Gives what the project says of the columns of a table, by their keys.
    """

    name: str
    look: Callable[[], Table]
    notes: tuple[str, ...] = ()
    declared: Callable[[], Mapping[str, ColumnNote]] = dict


def is_file(name: str) -> bool:
    """Whether it is a file by its place or its ending: a table's name has neither. A query is none."""
    if is_query(name):
        return False
    return os.sep in name or is_there(name) or format_of(name) is not None


def named_rows(stations: Stations, session: Session, text: str, *, dialect: str = "") -> NamedRows:
    """Rows of a table, a view, a query or a file.

    Raises
    ------
    NotFoundError
        There is no such table or view.
    """
    if is_query(text):
        return rows_of_query(stations, session, text, dialect=dialect)
    return rows_of_file(session, Path(text)) if is_file(text) else rows_of_table(stations, session, text)


def rows_of_table(stations: Stations, session: Session, name: str) -> NamedRows:
    """Rows of a table or view of the project, or of a connection.

    Raises
    ------
    NotFoundError
        There is no such table or view.
    """
    name, stored = find_table(stations, name)
    text = f"SELECT * FROM {quote_path(name)}"
    if stored:
        stations.warehouse.require_intact([name], session.version)
        rows = _opened(session, text, name=name, stored=True)
    else:
        rows = rows_of_query(stations, session, text, dialect="duckdb", name=name)
    return replace(rows, declared=lambda: notes_of(stations, name))


def rows_of_query(stations: Stations, session: Session, text: str, *, dialect: str = "", name: str = "") -> NamedRows:
    """Rows of a query in the dialect, ML functions among them.

    Raises
    ------
    SettingsError
        It is not one query.
    """
    from tidemill.runner.execute import open_query
    from tidemill.runner.files import FileReads
    from tidemill.runner.views import SavedViews
    from tidemill.sql.parse import parse_text
    from tidemill.sql.statements import Select
    from tidemill.warehouse.control.assets import load_assets

    statements = parse_text(text, file="<query>", dialect=dialect or stations.settings.dialect)
    if len(statements) != 1 or not isinstance(statements[0], Select):
        raise SettingsError("one query is looked at", hint="such as 'SELECT ... FROM ...'")
    views = SavedViews(load_assets(stations.db))
    files = FileReads(stations, session, sure=True)
    bound = stations.bind(statements[0].query, views=views, files=files.sql)
    stations.warehouse.require_intact(bound.tables, session.version)
    opened = open_query(bound, stations.context(session))

    def look() -> Table:
        from tidemill.analysis.table import open_table

        return open_table(session, opened.sql, opened.relations)

    return NamedRows(name=name or " ".join(text.split()), look=look)


def rows_of_file(session: Session, path: Path) -> NamedRows:
    """Rows of a file, or of the files of a pattern, read as they were meant.

    Raises
    ------
    SourceError
        The file cannot be read.
    """
    from tidemill.sources.scan import scan_file

    scan = scan_file(session, path)
    return _opened(session, f"SELECT * FROM {scan.rows}", name=path.name, stored=True, notes=scan.notes)


@contextmanager
def without_project(settings: Settings | None) -> Iterator[Session]:
    """A session for files, when no project is needed."""
    from tidemill.warehouse.duckdb.lake import open_lake

    with tempfile.TemporaryDirectory(prefix="tidemill-files-") as scratch:
        threads = settings.threads or None if settings else None
        memory = f"{settings.memory_limit_mb}MB" if settings and settings.memory_limit_mb else None
        lake = open_lake(Path(scratch), search_path=Path.cwd(), threads=threads, memory_limit=memory)
        try:
            with lake.session() as session:
                yield session
        finally:
            lake.close()


def _opened(session: Session, sql: str, *, name: str, stored: bool, notes: tuple[str, ...] = ()) -> NamedRows:
    def look() -> Table:
        from tidemill.analysis.table import open_table

        return open_table(session, sql, stored=stored)

    return NamedRows(name=name, look=look, notes=notes)


def find_table(stations: Stations, name: str) -> tuple[str, bool]:
    """The name as the project has it, and whether it is a table whose rows are stored.

    Raises
    ------
    NotFoundError
        There is no such table or view.
    """
    from tidemill.warehouse.control.assets import load_assets

    tables = {asset_key(table): table for table in stations.warehouse.tables()}
    key = asset_key(name)
    if key in tables:
        return tables[key], True
    views = {key: asset.name for key, asset in load_assets(stations.db).items() if asset.kind == "view"}
    if key in views:
        return views[key], False
    if key.startswith("tidemill.") or find_source(name, stations.settings.connections) is not None:
        return name, False
    raise NotFoundError(
        f"there is no table or view {name}",
        hint=did_you_mean(name, [*tables.values(), *views.values()]) or "run makes the tables of a project",
        name=name,
    )
