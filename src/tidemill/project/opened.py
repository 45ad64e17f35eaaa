"""A project's stations, each opened when it is first needed: a plan with nothing to do opens none of the heavy ones."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tidemill.core.clock import Clock
from tidemill.core.names import asset_key
from tidemill.core.settings import Settings, read_settings, settings_stamp
from tidemill.warehouse.control.database import Database, open_database, sqlite_url

if TYPE_CHECKING:
    from types import TracebackType

    from tidemill.core.errors import SettingsError
    from tidemill.registry.store import ArtifactStore
    from tidemill.runner.planning import Site
    from tidemill.runner.statements import ProjectStatements
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.protocol import Warehouse

KEEP = ".tidemill"
"""The folder in a project where Tidemill keeps everything; git ignores it."""


class Opened:
    """What every part of `Project` stands on."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        *,
        clock: Clock,
        keep: Path | None = None,
        given: Collection[str] = (),
        wrong: SettingsError | None = None,
    ) -> None:
        """Wire a project; nothing is opened yet.

        Parameters
        ----------
        keep
            Where everything is kept; the folder ``.tidemill`` in the project when not given.
        given
            Tables that somebody else fills: the statements that make them are left out.
        wrong
            What is wrong with the file of settings; these are not all that it says then.
        """
        self.root = root
        self.settings = settings
        self.clock = clock
        self.keep = keep or root / KEEP
        """The folder of everything Tidemill keeps for this project."""
        self.wrong = wrong
        self._given = frozenset(map(asset_key, given))
        self._stamp = settings_stamp(root)

    def read_again(self) -> bool:
        """Take over settings that were edited since they were read, for those who stay; whether any were.

        What was opened stays open: connections, threads, memory and the control database are those of the start.

        Raises
        ------
        SettingsError
            They are wrong now: the old ones are kept, and asked for again once the file is edited again.
        """
        stamp = settings_stamp(self.root)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self.settings = read_settings(self.root)
        for name in ("stations", "statements"):
            self.__dict__.pop(name, None)
        return True

    def close(self) -> None:
        """Close what was opened."""
        for name in ("warehouse", "db"):
            station = self.__dict__.pop(name, None)
            if station is not None:
                station.close()
        self.__dict__.pop("stations", None)
        self.__dict__.pop("statements", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Project({str(self.root)!r})"

    @cached_property
    def db(self) -> Database:
        """The control database."""
        if self.settings.control_url:
            return open_database(self.settings.control_url, clock=self.clock)
        self.keep.mkdir(exist_ok=True)
        return open_database(sqlite_url(self.keep / "control.sqlite"), clock=self.clock)

    @cached_property
    def warehouse(self) -> Warehouse:
        """Tables with every past version."""
        from tidemill.warehouse.duckdb.lake import open_lake

        return open_lake(
            self.keep,
            search_path=self.root,
            connections=self.settings.connections,
            threads=self.settings.threads or None,
            memory_limit=f"{self.settings.memory_limit_mb}MB" if self.settings.memory_limit_mb else None,
        )

    @cached_property
    def store(self) -> ArtifactStore:
        """Artifacts by digest."""
        from tidemill.registry.store import ArtifactStore

        return ArtifactStore(self.keep / "artifacts")

    @cached_property
    def statements(self) -> ProjectStatements:
        """The statements of the project's files."""
        from tidemill.runner.statements import ProjectStatements

        return ProjectStatements(self.root, self.settings.dialect, self.db, without=self._given)

    @cached_property
    def stations(self) -> Stations:
        """All stations, opened, for the runner."""
        from tidemill.runner.column_notes import columns_table
        from tidemill.runner.dispatch import TABLE_FUNCTIONS
        from tidemill.runner.stations import Stations
        from tidemill.serving.log.tables import log_views
        from tidemill.warehouse.control.system.read import system_tables

        return Stations(
            root=self.root,
            settings=self.settings,
            clock=self.clock,
            db=self.db,
            warehouse=self.warehouse,
            store=self.store,
            system={
                **system_tables(self.db),
                **log_views(self.keep / "spool"),
                "columns": lambda: columns_table(
                    self.statements.summaries, self.settings.tables, lambda: self.warehouse
                ),
            },
            functions=TABLE_FUNCTIONS,
        )

    @property
    def site(self) -> Site:
        """The project as planning and building see it."""
        from tidemill.runner.planning import Site

        return Site(
            root=self.root,
            keep=self.keep,
            settings=self.settings,
            clock=self.clock,
            db=self.db,
            statements=self.statements,
            warehouse=lambda: self.warehouse,
            stations=lambda: self.stations,
        )
