"""Profiles of what a person names: a table or view of the project, a query, or a file that belongs to no project."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.clock import Clock
from tidemill.core.connections import find_source
from tidemill.core.errors import NotFoundError, SettingsError
from tidemill.core.names import asset_key, did_you_mean, quote_path
from tidemill.sources.patterns import quote_file

if TYPE_CHECKING:
    from tidemill.analysis.profile.result import Profile
    from tidemill.analysis.table import Table
    from tidemill.core.settings import Settings
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.protocol import Session

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
    if request.query:
        name, stored = " ".join(request.query.split()), False
        text, dialect = request.query, request.dialect or stations.settings.dialect
    else:
        name, stored = _find(stations, request.name)
        text, dialect = f"SELECT * FROM {quote_path(name)}", "duckdb"
    with stations.session() as session:
        if stored:
            stations.warehouse.require_intact([name], session.version)
            return _timed(session, text, request, name=name, stored=True, clock=stations.clock, listen=listen)
        from tidemill.runner.execute import open_query
        from tidemill.runner.files import FileReads
        from tidemill.runner.views import SavedViews
        from tidemill.sql.parse import parse_text
        from tidemill.sql.statements import Select
        from tidemill.warehouse.control.assets import load_assets

        statements = parse_text(text, file="<query>", dialect=dialect)
        if len(statements) != 1 or not isinstance(statements[0], Select):
            raise SettingsError("a profile is of one query", hint="tidemill profile -e 'SELECT ... FROM ...'")
        views = SavedViews(load_assets(stations.db))
        files = FileReads(stations, session, sure=True)
        bound = stations.bind(statements[0].query, views=views, files=files.sql)
        stations.warehouse.require_intact(bound.tables, session.version)
        opened = open_query(bound, stations.context(session))

        def look() -> Table:
            from tidemill.analysis.table import open_table

            return open_table(session, opened.sql, opened.relations)

        return _made(look, request, name=name, clock=stations.clock, listen=listen)


def profile_file(path: Path, request: ProfileRequest, *, settings: Settings | None, listen: Listener) -> Profile:
    """Profile a file; no project is needed, and none is opened.

    Raises
    ------
    SourceError
        The file cannot be read.
    """
    from tidemill.sources.files import keep_rows
    from tidemill.sources.scan import scan_file
    from tidemill.warehouse.duckdb.lake import open_lake

    with tempfile.TemporaryDirectory(prefix="tidemill-profile-") as scratch:
        threads = settings.threads or None if settings else None
        memory = f"{settings.memory_limit_mb}MB" if settings and settings.memory_limit_mb else None
        lake = open_lake(Path(scratch), search_path=Path.cwd(), threads=threads, memory_limit=memory)
        try:
            with lake.session() as session:
                listen(f"reading {path.name}")
                scan = scan_file(session, path)
                if scan.reader == "read_parquet":
                    sql, stored, notes = f"SELECT * FROM read_parquet({quote_file(scan.path)})", True, scan.notes
                else:
                    kept = scan if scan.kept else keep_rows(session, scan)
                    sql, stored, notes = f"SELECT * EXCLUDE (tm_row) FROM {kept.kept}", True, scan.notes
                return _timed(
                    session, sql, request, name=path.name, stored=stored, clock=Clock(), notes=notes, listen=listen
                )
        finally:
            lake.close()


def _timed(
    session: Session, sql: str, request: ProfileRequest, *, name: str, stored: bool, clock: Clock,
    notes: tuple[str, ...] = (), listen: Listener,
) -> Profile:  # fmt: skip
    from tidemill.analysis.table import open_table

    return _made(
        lambda: open_table(session, sql, stored=stored), request, name=name, clock=clock, notes=notes, listen=listen
    )


def _made(
    look: Callable[[], Table], request: ProfileRequest, *, name: str, clock: Clock, notes: tuple[str, ...] = (),
    listen: Listener,
) -> Profile:  # fmt: skip
    from tidemill.analysis.profile.make import make_profile

    started, now = clock.monotonic(), clock.now()
    found = make_profile(look(), name=name, now=now, label=request.label, notes=notes, listen=listen)
    return replace(found, seconds=clock.monotonic() - started)


def _find(stations: Stations, name: str) -> tuple[str, bool]:
    """The name as the project has it, and whether it is a table whose rows are stored."""
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
