"""Everything a step calls, in one place: made by the project, handed down to the runner."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.clock import Clock
from tidemill.core.names import quote_path
from tidemill.core.settings import Settings
from tidemill.core.source_tables import find_source, lake_name, source_path
from tidemill.runner.call import TableFunction
from tidemill.runner.execute import Context

if TYPE_CHECKING:
    from tidemill.registry.store import ArtifactStore
    from tidemill.registry.versions import LoadedModel
    from tidemill.sql.bound import BoundQuery
    from tidemill.sql.file_reads import ReadFiles
    from tidemill.sql.statements import Query
    from tidemill.warehouse.control.database import Database
    from tidemill.warehouse.protocol import Session, SystemSource, Warehouse


@dataclass(frozen=True, slots=True, kw_only=True)
class Stations:
    """The stations of one project, opened.

    Parameters
    ----------
    system
        Control tables and the prediction log by name, read when a query asks for ``tidemill.NAME``.
    functions
        ML table functions by name.
    """

    root: Path
    settings: Settings
    clock: Clock
    db: Database
    warehouse: Warehouse
    store: ArtifactStore
    system: Mapping[str, SystemSource]
    functions: Mapping[str, TableFunction]

    @property
    def threads(self) -> int:
        """How many threads a fit or a scorer may use."""
        return self.settings.threads or len(os.sched_getaffinity(0))

    def session(self, *, at_least: int | None = None, at: int | None = None) -> Session:
        """A reader at the newest snapshot (any from ``at_least`` on, or exactly ``at``), with the control tables."""
        return self.warehouse.session(system=self.system, at_least=at_least, at=at)

    def load_model(self, name: str, version: int | str | None = None) -> LoadedModel:
        """A registered version, by number or alias, its digests checked when its files are read."""
        from tidemill.registry.versions import load

        return load(self.db, self.store, name, version)

    def bind(self, query: Query, *, views: Mapping[str, Query], files: ReadFiles) -> BoundQuery:
        """A query made ready to run on this project's warehouse, connections and files."""
        from tidemill.sql.bind import bind_query

        connections = self.settings.connections
        return bind_query(query, views=views, connections=connections, engine=self.warehouse.dialect, files=files)

    def relation(self, session: Session, name: str) -> str:
        """Engine SQL of a table of the lake or of a connection, as a session reads it."""
        source = find_source(name, self.settings.connections)
        return quote_path(lake_name(name)) if source is None else session.localised(source_path(source))

    def context(self, session: Session) -> Context:
        """What a query needs to run on this session."""
        return Context(session=session, load_model=self.load_model, functions=self.functions, threads=self.threads)
