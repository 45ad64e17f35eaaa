"""The DuckDB instance of a process: started when first needed, with the lake attached at the asked snapshot."""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import SettingsError
from tidemill.core.faults import fault
from tidemill.core.names import quote_name, quote_text
from tidemill.warehouse.duckdb.locks import claim
from tidemill.warehouse.duckdb.places import Places, make_folder, move, sync
from tidemill.warehouse.duckdb.scalar_functions import add_functions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Names of attached databases; `publish` refuses schemas called so.
RESERVED_SCHEMAS = frozenset({"tidemill", "temp", "system", "memory", "information_schema", "pg_catalog"})
SYSTEM = "tidemill"
CATALOGUE = "tidemill_catalogue"
WRITER = "tidemill_writer"

EXTENSIONS = ("sqlite_scanner", "ducklake")

# Catalogues that a DuckDB instance of this process has opened. DuckDB and Python each carry a copy of SQLite, and when
# one of two copies in a process closes a file, the operating system drops the locks of both
# (https://sqlite.org/howtocorrupt.html, section 2.2.1). So once DuckDB has a catalogue, only DuckDB reads it.
_opened: set[Path] = set()
_opening = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What a person may set; None leaves it to the engine."""

    threads: int | None = None
    memory_limit: str | None = None


class Engine:
    """One in-memory DuckDB instance; each query gets its own connection to it."""

    def __init__(self, places: Places, settings: EngineSettings) -> None:
        self.places = places
        self.settings = settings
        self.system_lock = threading.Lock()
        self._lock = threading.RLock()
        self._root: DuckDBPyConnection | None = None
        self._attached: set[str] = set()
        self._users: dict[int, int] = {}
        self._numbers = itertools.count(1)
        self._spill: tuple[Path, int] | None = None
        self._loaded = False
        self._functions = False
        self._closed = False

    @property
    def started(self) -> bool:
        """Whether DuckDB runs already."""
        return self._root is not None

    def cursor(self) -> DuckDBPyConnection:
        """A new connection to the instance."""
        with self._lock:
            return self._start().cursor()

    def number(self) -> int:
        """A number no other user of this instance has."""
        return next(self._numbers)

    def hold_snapshot(self, version: int) -> str:
        """Attach the lake as it was at a snapshot; returns the name it has. Give it back with `drop_snapshot`."""
        name = f"tidemill_lake_{version}"
        with self._lock:
            self._attach_lake(name, f"READ_ONLY, SNAPSHOT_VERSION {version}, ")
            self._users[version] = self._users.get(version, 0) + 1
        return name

    def drop_snapshot(self, version: int) -> None:
        """Give back a snapshot; it is detached when nobody reads it and a newer one is here."""
        with self._lock:
            self._users[version] -= 1
            newest = max(self._users)
            for other in [key for key, users in self._users.items() if users == 0 and key != newest]:
                del self._users[other]
                self._detach(f"tidemill_lake_{other}")

    def create_lake(self) -> None:
        """Create an empty lake (the caller holds the writer's lock): its catalogue appears complete or not at all."""
        make_folder(self.places.data)
        new = self.places.catalogue.with_suffix(".new")
        for leftover in self.places.lake.glob(f"{new.name}*"):
            leftover.unlink()
        options = f"DATA_PATH {quote_text(f'{self.places.data}/')}, DATA_INLINING_ROW_LIMIT 0, META_JOURNAL_MODE 'WAL'"
        with self._lock:
            self._attach("tidemill_new", f"{quote_text(f'ducklake:sqlite:{new}')} AS tidemill_new ({options})")
            self._detach("tidemill_new")
        sync(new)
        fault("create.before_rename")
        move(new, self.places.catalogue)

    def attach_writer(self) -> str:
        """Attach the lake for writing (the caller holds the writer's lock); returns the name it has."""
        with self._lock:
            self._attach_lake(WRITER, "DATA_INLINING_ROW_LIMIT 0, ")
        return WRITER

    def attach_catalogue(self) -> str:
        """Attach the catalogue's own tables for reading; returns the name they have."""
        with self._lock:
            self._attach(CATALOGUE, f"{quote_text(str(self.places.catalogue))} AS {CATALOGUE} (TYPE sqlite, READ_ONLY)")
        return CATALOGUE

    def attach_sqlite(self, name: str) -> None:
        """Attach the catalogue's own tables for writing (the caller holds the writer's lock)."""
        with self._lock:
            self._attach(name, f"{quote_text(str(self.places.catalogue))} AS {name} (TYPE sqlite)")

    def attach_memory(self, name: str) -> str:
        """Attach an empty in-memory database under a name; its tables may spill to disk."""
        with self._lock:
            self._attach(name, f"':memory:' AS {quote_name(name)}")
        return name

    def add_functions(self) -> None:
        """Give SQL our own functions; only queries that name one of them pay for the imports."""
        with self._lock:
            if not self._functions:
                add_functions(self._start())
                self._functions = True

    def detach(self, name: str) -> None:
        """Detach what was attached under a name, if it still is."""
        with self._lock:
            self._detach(name)

    def close(self) -> None:
        """Stop the instance; streams that are still open end with an error."""
        with self._lock:
            self._closed = True
            if self._root is not None:
                self._root.close()
                self._root = None
                self._attached.clear()
            if self._spill is not None:
                path, handle = self._spill
                path.with_suffix(".lock").unlink(missing_ok=True)
                os.close(handle)
                self._spill = None

    def _start(self) -> DuckDBPyConnection:
        if self._closed:
            raise RuntimeError("the warehouse is closed")
        if self._root is None:
            self._spill = claim_spill(self.places)
            self._root = start(self.places, self.settings, spill=self._spill[0])
        return self._root

    def _attach_lake(self, name: str, options: str) -> None:
        # The data path is given each time, so that a project may be moved or mounted elsewhere.
        place = quote_text(f"{self.places.data}/")
        self._attach(
            name,
            f"{quote_text(f'ducklake:sqlite:{self.places.catalogue}')} AS {name} "
            f"({options}CREATE_IF_NOT_EXISTS false, DATA_PATH {place}, OVERRIDE_DATA_PATH true)",
        )

    def _attach(self, name: str, rest: str) -> None:
        if name in self._attached:
            return
        with _opening:
            _opened.add(self.places.catalogue)
            cursor = self._start().cursor()
            try:
                if not self._loaded and not rest.startswith("':memory:'"):
                    load_extensions(cursor)
                    self._loaded = True
                cursor.execute(f"ATTACH {rest}")
            finally:
                cursor.close()
        self._attached.add(name)

    def _detach(self, name: str) -> None:
        if name in self._attached and self._root is not None:
            self._attached.discard(name)
            cursor = self._root.cursor()
            try:
                cursor.execute(f"DETACH {quote_name(name)}")
            finally:
                cursor.close()


def claim_spill(places: Places) -> tuple[Path, int]:
    """A name for this instance's spill folder (two instances in one folder would mix their files), and its claim."""
    places.spill.mkdir(parents=True, exist_ok=True)
    while True:
        path = places.spill / os.urandom(8).hex()
        handle = claim(path.with_suffix(".lock"))
        if handle is not None:
            return path, handle


def start(places: Places, settings: EngineSettings, *, spill: Path) -> DuckDBPyConnection:
    """Start an instance with our settings: nothing is fetched from anywhere, times are in UTC, order is kept."""
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        # Python variables are not tables.
        "python_enable_replacements": "false",
        "preserve_insertion_order": "true",
        "temp_directory": str(spill),
        "file_search_path": str(places.search),
        "errors_as_json": "true",
    }
    if settings.threads is not None:
        config["threads"] = str(settings.threads)
    if settings.memory_limit is not None:
        config["memory_limit"] = settings.memory_limit
    try:
        root = duckdb.connect(":memory:", config=config)
    except duckdb.Error as error:
        raise SettingsError(f"DuckDB does not start with these settings: {error}", settings=str(settings)) from error
    root.execute("SET GLOBAL TimeZone = 'UTC'")
    return root


def load_extensions(connection: DuckDBPyConnection) -> None:
    """Load DuckLake and SQLite's reader from the installed wheels. DuckDB checks their signatures."""
    # Checking a signature reads the whole file, without Python's lock: two at a time take half as long.
    with ThreadPoolExecutor(max_workers=len(EXTENSIONS)) as pool:
        for loading in [pool.submit(_load, connection.cursor(), name) for name in EXTENSIONS]:
            loading.result()


def _load(cursor: DuckDBPyConnection, name: str) -> None:
    try:
        cursor.execute(f"LOAD {quote_text(str(extension_path(name)))}")
    finally:
        cursor.close()


@functools.cache
def extension_path(name: str) -> Path:
    """Where the wheel of a DuckDB extension keeps its file.

    Raises
    ------
    SettingsError
        The wheel is for another version of DuckDB.
    """
    import duckdb

    module = importlib.import_module(f"duckdb_extension_{name}")
    folder = Path(str(module.__file__)).parent / "extensions" / f"v{duckdb.__version__}"
    path = folder / f"{name}.duckdb_extension"
    if not path.is_file():
        raise SettingsError(
            f"the DuckDB extension {name} is not installed for DuckDB {duckdb.__version__}",
            hint=f"install duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}",
        )
    return path


def catalogue_is_open(path: Path) -> bool:
    """Whether DuckDB, in this process, has or had the catalogue open."""
    return path in _opened


def opening_lock() -> threading.Lock:
    """Held while somebody opens a catalogue with either copy of SQLite."""
    return _opening
