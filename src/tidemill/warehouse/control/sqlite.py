"""The control database in one SQLite file: WAL, every commit fsynced, one writer at a time.

References
----------
https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tidemill.core.errors import (
    BusyError,
    ConflictError,
    CorruptError,
    InternalError,
    SpaceError,
    StateError,
    TidemillError,
)

_PAGES = ("freelist_count", "page_size", "page_count")

_SHARED_BYTES = 32_768

WORTH_BYTES = 1 << 20
WORTH_SHARE = 0.2
"""A VACUUM writes the whole file anew: it is worth it when this much, or this share of the file, is free."""


class SqliteBackend:
    """How to connect to a SQLite file, and what its errors mean."""

    dialect = "sqlite"
    errors: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path, *, busy_timeout_s: float) -> None:
        self.path = path
        self.place = str(path)
        self.busy_timeout_s = busy_timeout_s
        self._opened = False

    def prepare(self) -> None:
        """Make the folder the file will stand in."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"the folder {self.path.parent} cannot be made: {error.strerror}",
                hint="make it writable for the user that runs Tidemill",
            ) from error

    def connect(self) -> Any:
        """Open a connection; transactions are begun and ended by hand.

        Only the first may make the file: one that was moved away for a while must not find an empty one in its place,
        whose log would then lie beside it when it comes back.
        """
        place = f"file:{quote(str(self.path.absolute()))}?mode={'rw' if self._opened else 'rwc'}"
        connection = sqlite3.connect(
            place, uri=True, timeout=self.busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            # WAL is a property of the file and is set once; FULL and foreign keys belong to the connection.
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            if mode != "wal":
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._opened = True
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def begin_write(self, connection: Any) -> None:
        """Take the write lock at once: a read that turns into a write later could not wait for it."""
        connection.execute("BEGIN IMMEDIATE")

    def begin_read(self, connection: Any) -> None:
        """Begin a snapshot (it is taken by the first read)."""
        connection.execute("BEGIN")

    def usable(self, connection: Any) -> bool:
        """Whether the connection may serve another transaction."""
        return not connection.in_transaction

    def statement(self, sql: str) -> str:
        """SQL with ``:name`` parameters, as this driver wants it."""
        return sql

    def has_table(self, connection: Any, name: str) -> bool:
        """Whether a table of this name exists."""
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return connection.execute(sql, (name,)).fetchone() is not None

    def backup(self, connection: Any, label: str) -> None:
        """Keep a copy of the file beside it, before a migration changes it."""
        copy = self.path.with_name(f"{self.path.name}.{label}")
        # A copy that is there already was made by a process that migrates beside us: it is the older state.
        if not copy.exists():
            connection.execute("VACUUM INTO ?", (str(copy),))

    def problems(self, connection: Any) -> list[str]:
        """What SQLite's own integrity check says; empty when all is well."""
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def tidy(self, connection: Any, *, dry_run: bool, everything: bool) -> int:
        """Give unused pages back where it is worth it, or in any case; the bytes won."""
        pages, size, total = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _PAGES)
        free = int(pages * size)
        if free < WORTH_BYTES and pages < WORTH_SHARE * total:
            free = 0
        if not dry_run:
            connection.execute("PRAGMA optimize").fetchall()
            if free or everything:
                connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return free

    def translate(self, error: Exception) -> TidemillError:
        """One of our errors for one of SQLite's."""
        name = getattr(error, "sqlite_errorname", "") or ""
        text = str(error)
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return BusyError(
                f"another process has been writing to the control database {self.place} for {self.busy_timeout_s:g} s",
                hint="try again, or end the process that holds it",
            )
        # Where the file beside it that processes share does not fit, SQLite speaks of an input/output error.
        if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and self._free() < _SHARED_BYTES):
            return SpaceError(
                f"the disk of the control database {self.place} is full ({self._free()} bytes free)",
                hint="free some space and run again: nothing is half written",
                free=self._free(),
            )
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return CorruptError(
                f"the control database {self.place} is damaged: {text}",
                hint="put back a backup of the file, or move it away and run again: tables and models are kept apart",
            )
        if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_IOERR")):
            return StateError(
                f"the control database {self.place} cannot be written or read: {text}",
                hint="check the disk, and the owner and the permissions of the file and its folder",
            )
        if isinstance(error, sqlite3.IntegrityError):
            return ConflictError(f"the control database refused a row: {text}")
        return InternalError(f"the control database {self.place}: {text}")

    def _free(self) -> int:
        try:
            room = os.statvfs(self.path.parent)
        except OSError:
            return 0
        return room.f_bavail * room.f_frsize
