"""A SQLite file as it was at one moment.

DuckDB reads a SQLite file through several connections, each of which would see another moment while somebody writes.
So it reads a copy. Python's SQLite makes it: DuckDB's never opens the file itself, and the locks that this process may
have on it through Python stay as they are (https://sqlite.org/howtocorrupt.html, section 2.2.1).
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

from tidemill.core.errors import BusyError, SourceError

WAIT_S = 10.0


def copy_sqlite(path: Path, target: Path, *, wait_s: float = WAIT_S) -> None:
    """Copy all committed rows of a SQLite file, whoever writes it meanwhile.

    Raises
    ------
    SourceError
        It is not there, cannot be read, or is no SQLite file.
    BusyError
        Somebody kept it locked for longer than ``wait_s``.
    """
    if not path.is_file():
        raise SourceError(f"there is no file {path}", file=str(path))
    deadline = time.monotonic() + wait_s

    def still(status: int, _left: int, _pages: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise BusyError(
                f"{path} is locked by whoever writes it; waited {wait_s:g} s", hint="run again when it is done"
            )

    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=0)) as source,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy, progress=still, sleep=0.05)
            # The copy is read alone: without a log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
    except (sqlite3.Error, BusyError) as error:
        target.unlink(missing_ok=True)
        if isinstance(error, BusyError):
            raise
        if "disk is full" in str(error):
            raise
        raise SourceError(
            f"{path} cannot be read as a SQLite file: {error}", hint="is it one, and may you read it?", file=str(path)
        ) from None
