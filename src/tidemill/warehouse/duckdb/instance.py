"""One in-memory DuckDB: started when first needed, with our settings, our extensions, and what is attached to it."""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import SettingsError
from tidemill.core.names import quote_name, quote_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EXTENSIONS = ("sqlite_scanner", "ducklake")
"""What every lake needs; others are loaded when a query does."""

# Catalogues that a DuckDB instance of this process has opened. DuckDB and Python each carry a copy of SQLite, and when
# one of two copies in a process closes a file, the operating system drops the locks of both
# (https://sqlite.org/howtocorrupt.html, section 2.2.1). So once DuckDB has a catalogue, only DuckDB reads it. Several
# DuckDB instances are well: they share one copy, which knows of all its open files.
_opened: set[Path] = set()
_opening = threading.Lock()

_CONFIG = {
    # Nothing is fetched from anywhere.
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Keys come from the project's settings, not from the home folder.
    "allow_persistent_secrets": "false",
    # Python variables are not tables.
    "python_enable_replacements": "false",
    "preserve_insertion_order": "true",
    # The operating system keeps the bytes of files anyway; a second copy would grow with the files.
    "enable_external_file_cache": "false",
    "errors_as_json": "true",
}


class Instance:
    """A DuckDB instance of this process. Whoever owns it sees to it that one thread at a time calls it.

    Parameters
    ----------
    catalogue
        The lake's catalogue, which is open in this process once something of it is attached.
    config
        Settings besides those all instances have.
    """

    def __init__(self, catalogue: Path, config: Mapping[str, str]) -> None:
        self._catalogue = catalogue
        self._config = dict(config)
        self._root: DuckDBPyConnection | None = None
        self._attached: set[str] = set()
        self._loaded = False
        self._more: set[str] = set()

    @property
    def started(self) -> bool:
        """Whether it runs already."""
        return self._root is not None

    def root(self) -> DuckDBPyConnection:
        """Its first connection."""
        if self._root is None:
            self._root = _start(self._config)
        return self._root

    def load(self) -> None:
        """Load our extensions, once."""
        if not self._loaded:
            load_extensions(self.root())
            self._loaded = True

    def load_more(self, name: str, *, extra: str = "") -> None:
        """Load an extension that few queries need, once; ``extra`` is the extra of ours that brings it along."""
        if name in EXTENSIONS:
            self.load()
        elif name not in self._more:
            _load(self.root().cursor(), name, extra=extra)
            self._more.add(name)

    def attach(self, name: str, rest: str, *, catalogue: bool = True) -> None:
        """Attach a database unless it is attached; ``rest`` is what follows ATTACH."""
        if name in self._attached:
            return
        with _opening:
            if catalogue:
                _opened.add(self._catalogue)
                self.load()
            cursor = self.root().cursor()
            try:
                cursor.execute(f"ATTACH {rest}")
            finally:
                cursor.close()
        self._attached.add(name)

    def detach(self, name: str) -> None:
        """Detach what was attached under a name, if it still is."""
        if name in self._attached and self._root is not None:
            self._attached.discard(name)
            cursor = self._root.cursor()
            try:
                cursor.execute(f"DETACH {quote_name(name)}")
            finally:
                cursor.close()

    def close(self) -> None:
        """Stop it; streams that are still open end with an error."""
        if self._root is not None:
            self._root.close()
            self._root = None
            self._attached.clear()
            self._more.clear()
            self._loaded = False


def catalogue_is_open(path: Path) -> bool:
    """Whether DuckDB, in this process, has or had the catalogue open."""
    return path in _opened


def opening_lock() -> threading.Lock:
    """Held while somebody opens a catalogue with either copy of SQLite."""
    return _opening


def _start(settings: Mapping[str, str]) -> DuckDBPyConnection:
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {**_CONFIG, **settings}
    try:
        root = duckdb.connect(":memory:", config=config)
    except duckdb.Error as error:
        raise SettingsError(f"DuckDB does not start with these settings: {error}", settings=dict(settings)) from error
    root.execute("SET GLOBAL TimeZone = 'UTC'")
    return root


def load_extensions(connection: DuckDBPyConnection) -> None:
    """Load DuckLake and SQLite's reader from the installed wheels. DuckDB checks their signatures."""
    # Checking a signature reads the whole file, without Python's lock: two at a time take half as long.
    with ThreadPoolExecutor(max_workers=len(EXTENSIONS)) as pool:
        for loading in [pool.submit(_load, connection.cursor(), name) for name in EXTENSIONS]:
            loading.result()


def _load(cursor: DuckDBPyConnection, name: str, *, extra: str = "") -> None:
    try:
        cursor.execute(f"LOAD {quote_text(str(extension_path(name, extra=extra)))}")
    finally:
        cursor.close()


@functools.cache
def extension_path(name: str, *, extra: str = "") -> Path:
    """Where the wheel of a DuckDB extension keeps its file; ``extra`` is the extra of ours that installs it.

    Raises
    ------
    SettingsError
        The wheel is not installed, or is for another version of DuckDB.
    """
    import duckdb

    try:
        module = importlib.import_module(f"duckdb_extension_{name}")
    except ModuleNotFoundError:
        raise SettingsError(
            f"the DuckDB extension {name} is not installed here",
            hint=f"pip install 'tidemill[{extra}]'" if extra else "install tidemill again",
        ) from None
    folder = Path(str(module.__file__)).parent / "extensions" / f"v{duckdb.__version__}"
    path = folder / f"{name}.duckdb_extension"
    if not path.is_file():
        raise SettingsError(
            f"the DuckDB extension {name} is not installed for DuckDB {duckdb.__version__}",
            hint=f"install duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}",
        )
    return path
