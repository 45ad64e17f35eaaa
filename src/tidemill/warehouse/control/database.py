"""A small door to SQL: one class over SQLite (standard library) and PostgreSQL (psycopg).

::

    db = open_database(sqlite_url(path), clock=Clock())
    with db.write() as tx:                      # one writer at a time; commits when the block ends, else rolls back
        tx.execute("UPDATE runs SET status = :status WHERE run_id = :run", status="ok", run=run_id)
    with db.read() as tx:                       # one snapshot
        rows = tx.rows("SELECT * FROM runs")    # list of dicts

Functions of the sibling modules take ``Database | Tx``: given a `Tx` they take part in its transaction, given a
`Database` they make their own. So a step can publish, in one commit, its version, its asset and its own end.
Times are ISO-8601 UTC text (`time_text`, `parse_time`), structures are JSON text (`to_json`).
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tidemill.core.clock import Clock
from tidemill.core.errors import SettingsError
from tidemill.warehouse.control.connection import (
    Backend,
    Database,
    Row,
    Tx,
    parse_time,
    reading,
    storable,
    time_text,
    to_json,
    writing,
)
from tidemill.warehouse.control.migrations import MIGRATIONS, Migration, migrate
from tidemill.warehouse.control.postgresql import PostgresqlBackend
from tidemill.warehouse.control.sqlite import SqliteBackend

__all__ = [
    "Database",
    "Row",
    "Tx",
    "open_database",
    "parse_time",
    "reading",
    "sqlite_url",
    "storable",
    "time_text",
    "to_json",
    "writing",
]


def open_database(
    url: str,
    *,
    clock: Clock,
    busy_timeout_s: float = 30.0,
    migrations: tuple[Migration, ...] = MIGRATIONS,
) -> Database:
    """Open the control database, creating or migrating its tables when needed.

    Parameters
    ----------
    url
        ``sqlite:///relative``, ``sqlite:////absolute`` (see `sqlite_url`) or ``postgresql://...`` as libpq reads it;
        a schema is chosen there with ``?options=-csearch_path%3DNAME``.
    busy_timeout_s
        How long a write waits for another one before it fails with `BusyError`.

    Raises
    ------
    StateError
        A newer Tidemill made the tables.
    CorruptError
        The file is not a database any more.
    """
    backend: Backend
    if url.startswith("sqlite:///"):
        backend = SqliteBackend(Path(url.removeprefix("sqlite:///")), busy_timeout_s=busy_timeout_s)
    elif url.startswith(("postgresql://", "postgres://")):
        backend = PostgresqlBackend(url, busy_timeout_s=busy_timeout_s)
    else:
        scheme = url.partition(":")[0]
        raise SettingsError(
            f"the control database cannot be a {scheme!r}",
            hint="give sqlite:///PATH or postgresql://USER@HOST/DATABASE",
        )
    backend.prepare()
    with ExitStack() as undo:
        database = Database(backend, clock=clock)
        undo.callback(database.close)
        migrate(database, migrations)
        undo.pop_all()
    return database


def sqlite_url(path: Path) -> str:
    """Name a SQLite file as `open_database` wants it."""
    return f"sqlite:///{path.absolute()}"
