"""The DuckDB instances of a lake: one reads and computes, a small one keeps the books, one comes for heavy commits.

A commit asks the catalogue dozens of little questions. Answered by several threads each costs four times as much, and
what the answers leave in the cache grows with every commit: so they go to an instance with one thread and few bytes.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.connections import ConnectionSettings
from tidemill.core.faults import fault
from tidemill.core.names import quote_name, quote_text
from tidemill.warehouse.duckdb.instance import Instance
from tidemill.warehouse.duckdb.locks import claim_new, give_up
from tidemill.warehouse.duckdb.outside import Outside
from tidemill.warehouse.duckdb.places import Places, make_folder, move, sync
from tidemill.warehouse.duckdb.scalar_functions import add_functions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Names of attached databases; `publish` refuses schemas called so.
RESERVED_SCHEMAS = frozenset({"tidemill", "temp", "system", "memory", "information_schema", "pg_catalog"})
SYSTEM = "tidemill"
CATALOGUE = "tidemill_catalogue"
WRITER = "tidemill_writer"

# Enough for the tables of a large lake; what is cached beyond it is thrown out.
_CLERK = {"threads": "1", "memory_limit": "256MB"}
_WRITING = "DATA_INLINING_ROW_LIMIT 0, "
# For finding the rows that a merge replaces: keys beyond it are put aside on disk.
_ROOM = "1GB"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What a person may set; None leaves it to the engine."""

    threads: int | None = None
    memory_limit: str | None = None


class Engine:
    """The readers' instance, in which each query gets its own connection, and the clerk's, which has the catalogue."""

    def __init__(self, places: Places, settings: EngineSettings, connections: Mapping[str, ConnectionSettings]) -> None:
        self.places = places
        self.settings = settings
        self.outside = Outside(self, connections, places.search)
        self.system_lock = threading.Lock()
        self._lock = threading.RLock()
        self._readers: Instance | None = None
        self._clerk: Instance | None = None
        self._users: dict[int, int] = {}
        self._listing = 0
        self._numbers = itertools.count(1)
        self._spill: tuple[Path, int] | None = None
        self._functions = False
        self._closed = False

    @property
    def started(self) -> bool:
        """Whether DuckDB runs already."""
        return self._readers is not None

    def cursor(self) -> DuckDBPyConnection:
        """A new connection for queries."""
        with self._lock:
            return self._reading().root().cursor()

    def clerk(self) -> DuckDBPyConnection:
        """A new connection to the instance that has the catalogue and the writer."""
        with self._lock:
            return self._writing().root().cursor()

    def make_ready(self) -> None:
        """Start both instances with their extensions, so that none is loaded into one while another thread uses it."""
        with self._lock:
            self._writing().load()

    @contextlib.contextmanager
    def roomy(self) -> Iterator[None]:
        """Let the clerk compute for a while with every thread and more memory."""
        # A connection of its own: that of a transaction that failed takes no settings.
        clerk = self.clerk()
        try:
            _set(clerk, {"threads": str(self.settings.threads or os.cpu_count() or 1), "memory_limit": _ROOM})
            yield
        finally:
            _set(clerk, _CLERK)
            clerk.close()

    def number(self) -> int:
        """A number no other user of this instance has."""
        return next(self._numbers)

    def hold_snapshot(self, version: int) -> str:
        """Attach the lake as it was at a snapshot; returns the name it has. Give it back with `drop_snapshot`."""
        name = f"tidemill_lake_{version}"
        with self._lock:
            self._attach_lake(self._reading(), name, f"READ_ONLY, SNAPSHOT_VERSION {version}, ")
            self._users[version] = self._users.get(version, 0) + 1
        return name

    def held_snapshot(self, at_least: int) -> int | None:
        """The newest snapshot that is attached, unless it is older than a version."""
        with self._lock:
            newest = max(self._users, default=None)
        return newest if newest is not None and newest >= at_least else None

    def drop_snapshot(self, version: int) -> None:
        """Give back a snapshot; it is detached when nobody reads it and a newer one is here."""
        with self._lock:
            self._users[version] -= 1
            self._detach_unread()

    @contextlib.contextmanager
    def listing(self) -> Iterator[None]:
        """Keep what is attached for the readers while the block runs.

        Whoever lists the tables of all that is attached (information_schema; the engine itself, when it looks for what
        an unknown name may have meant) is told that a catalogue does not exist when it is detached meanwhile.
        """
        with self._lock:
            self._listing += 1
        try:
            yield
        finally:
            with self._lock:
                self._listing -= 1
                if not self._closed:
                    self._detach_unread()

    def detach_unlisted(self, name: str) -> bool:
        """Detach something from the readers' instance, unless somebody is listing all tables: then not, and False."""
        with self._lock:
            if self._listing:
                return False
            with contextlib.closing(self._reading().root().cursor()) as cursor:
                cursor.execute(f"DETACH {quote_name(name)}")
            return True

    def create_lake(self) -> None:
        """Create an empty lake (the caller holds the writer's lock): its catalogue appears complete or not at all."""
        make_folder(self.places.data)
        new = self.places.catalogue.with_suffix(".new")
        for leftover in self.places.lake.glob(f"{new.name}*"):
            leftover.unlink()
        options = f"DATA_PATH {quote_text(f'{self.places.data}/')}, DATA_INLINING_ROW_LIMIT 0, META_JOURNAL_MODE 'WAL'"
        with self._lock:
            clerk = self._writing()
            clerk.attach("tidemill_new", f"{quote_text(f'ducklake:sqlite:{new}')} AS tidemill_new ({options})")
            clerk.detach("tidemill_new")
        sync(new)
        fault("create.before_rename")
        move(new, self.places.catalogue)

    def attach_writer(self) -> str:
        """Attach the lake to be written by the clerk (the caller holds the writer's lock); returns the name it has."""
        with self._lock:
            self._attach_lake(self._writing(), WRITER, _WRITING)
        return WRITER

    @contextlib.contextmanager
    def writer(self, *, heavy: bool) -> Iterator[tuple[str, DuckDBPyConnection]]:
        """The name of the lake to be written, and a connection for one transaction.

        Parameters
        ----------
        heavy
            Give it all memory and threads, in an instance of its own that ends with the block: whoever lists the tables
            of an instance (information_schema, an error's "did you mean") then fails, or worse (see `read_catalogue`).
        """
        if not heavy:
            lake = self.attach_writer()
            with contextlib.closing(self.clerk()) as cursor:
                yield lake, cursor
            return
        with self._lock:
            instance = self._made("heavy", self._limits())
        try:
            self._attach_lake(instance, WRITER, _WRITING)
            with contextlib.closing(instance.root().cursor()) as cursor:
                yield WRITER, cursor
        finally:
            instance.close()

    def attach_catalogue(self) -> str:
        """Attach the catalogue's own tables for the clerk to read; returns the name they have."""
        with self._lock:
            rest = f"{quote_text(str(self.places.catalogue))} AS {CATALOGUE} (TYPE sqlite, READ_ONLY)"
            self._writing().attach(CATALOGUE, rest)
        return CATALOGUE

    def attach_sqlite(self, name: str) -> None:
        """Attach the catalogue's own tables for the clerk to write (the caller holds the writer's lock)."""
        with self._lock:
            self._writing().attach(name, f"{quote_text(str(self.places.catalogue))} AS {name} (TYPE sqlite)")

    def load_extension(self, name: str, *, extra: str = "") -> None:
        """Let queries use an extension of DuckDB; ``extra`` is the extra of ours that installs it."""
        with self._lock:
            self._reading().load_more(name, extra=extra)

    def spill_folder(self) -> Path:
        """The folder of what this process puts aside, swept when the process is gone."""
        with self._lock:
            self._reading()
            assert self._spill is not None  # noqa: S101 - the instance has claimed it
            return self._spill[0]

    def attach_memory(self, name: str) -> str:
        """Attach an empty in-memory database under a name; its tables may spill to disk."""
        with self._lock:
            self._reading().attach(name, f"':memory:' AS {quote_name(name)}", catalogue=False)
        return name

    def add_functions(self) -> None:
        """Give SQL our own functions; only queries that name one of them pay for the imports."""
        with self._lock:
            if not self._functions:
                add_functions(self._reading().root())
                self._functions = True

    def detach(self, name: str) -> None:
        """Detach what was attached under a name, if it still is."""
        with self._lock:
            for instance in (self._readers, self._clerk):
                if instance is not None:
                    instance.detach(name)

    def close(self) -> None:
        """Stop both instances; streams that are still open end with an error."""
        with self._lock:
            self._closed = True
            for instance in (self._clerk, self._readers):
                if instance is not None:
                    instance.close()
            self._clerk = self._readers = None
            self.outside.close()
            if self._spill is not None:
                give_up(*self._spill)
                self._spill = None

    def _detach_unread(self) -> None:
        """Detach the snapshots that nobody reads, except the newest."""
        if self._listing or not self._users:
            return
        newest = max(self._users)
        for other in [key for key, users in self._users.items() if users == 0 and key != newest]:
            del self._users[other]
            self._reading().detach(f"tidemill_lake_{other}")

    def _reading(self) -> Instance:
        if self._closed:
            raise RuntimeError("the warehouse is closed")
        if self._readers is None:
            # A folder of its own: two instances in one would mix their files.
            self._spill = self._spill or claim_new(self.places.spill)
            config = {"temp_directory": str(self._spill[0]), "file_search_path": str(self.places.search)}
            readers = Instance(self.places.catalogue, {**config, **self._limits()})
            readers.root()
            self._readers = readers
        return self._readers

    def _limits(self) -> dict[str, str]:
        given = {"threads": self.settings.threads, "memory_limit": self.settings.memory_limit}
        return {name: str(value) for name, value in given.items() if value is not None}

    def _writing(self) -> Instance:
        if self._clerk is None:
            self._clerk = self._made("clerk", _CLERK)
        return self._clerk

    def _made(self, name: str, config: Mapping[str, str]) -> Instance:
        """An instance beside the readers', started."""
        # Checking the signatures of the extensions means reading 70 MB: once in a process is enough.
        self._reading().load()
        assert self._spill is not None  # noqa: S101 - the readers have just claimed it
        spill = self._spill[0] / name
        spill.mkdir(parents=True, exist_ok=True)
        made = Instance(
            self.places.catalogue, {**config, "temp_directory": str(spill), "allow_unsigned_extensions": "true"}
        )
        made.root()
        return made

    def _attach_lake(self, instance: Instance, name: str, options: str) -> None:
        # The data path is given each time, so that a project may be moved or mounted elsewhere.
        place = quote_text(f"{self.places.data}/")
        instance.attach(
            name,
            f"{quote_text(f'ducklake:sqlite:{self.places.catalogue}')} AS {name} "
            f"({options}CREATE_IF_NOT_EXISTS false, DATA_PATH {place}, OVERRIDE_DATA_PATH true)",
        )


def _set(connection: DuckDBPyConnection, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        connection.execute(f"SET GLOBAL {name} = {quote_text(value)}")
