"""The control database on PostgreSQL, for a team: the same SQL and the same one-writer-at-a-time.

psycopg is imported when a database is opened, never before.

References
----------
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import functools
import re
from typing import Any

from tidemill.core.errors import (
    BusyError,
    ConflictError,
    InternalError,
    SettingsError,
    SpaceError,
    TidemillError,
    TransientError,
)

_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|::|:([A-Za-z_][A-Za-z0-9_]*)|%")
# Writers take turns, as they do on SQLite: no serialisation failures to retry, and a fence checked in a
# transaction stays true until its commit. The lock belongs to the schema, so projects do not meet.
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('tidemill.control.' || current_schema(), 0))"


@functools.cache
def to_pyformat(sql: str) -> str:
    """Rewrite ``:name`` to psycopg's ``%(name)s``, leaving strings, quoted names, casts and comments alone.

    Examples
    --------
    >>> to_pyformat("SELECT ':a', x::text FROM t WHERE b = :b AND c LIKE '5%'")
    "SELECT ':a', x::text FROM t WHERE b = %(b)s AND c LIKE '5%%'"
    """

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return f"%({match[1]})s"
        return match[0].replace("%", "%%")

    return _TOKEN.sub(replace, sql)


def without_password(url: str) -> str:
    """Drop the password from a connection URL, so that it can be shown."""
    shown = re.sub(r"^(\w+://[^:/@?]*):[^@/]*@", r"\1@", url)
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1...", shown)


class PostgresqlBackend:
    """How to connect to PostgreSQL, and what its errors mean."""

    dialect = "postgresql"

    def __init__(self, url: str, *, busy_timeout_s: float) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise SettingsError(
                "a control database on PostgreSQL needs psycopg", hint="pip install 'tidemill[postgres]'"
            ) from error
        self._psycopg = psycopg
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        self.url = url
        self.place = without_password(url)
        self.busy_timeout_s = busy_timeout_s

    def prepare(self) -> None:
        """Nothing to make: the database exists."""

    def connect(self) -> Any:
        """Open a connection; transactions are begun and ended by hand."""
        connection = self._psycopg.connect(self.url, autocommit=True, prepare_threshold=None, connect_timeout=10)
        try:
            connection.execute("SET synchronous_commit = on")
            connection.execute(f"SET lock_timeout = {int(self.busy_timeout_s * 1000)}")
            # A paused process must not hold everybody's turn for ever.
            connection.execute("SET idle_in_transaction_session_timeout = 60000")
        except self._psycopg.Error:
            connection.close()
            raise
        return connection

    def begin_write(self, connection: Any) -> None:
        """Begin, and wait for the turn to write."""
        connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        connection.execute(_TURN)

    def begin_read(self, connection: Any) -> None:
        """Begin a snapshot."""
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def usable(self, connection: Any) -> bool:
        """Whether the connection may serve another transaction."""
        idle = self._psycopg.pq.TransactionStatus.IDLE
        return not connection.closed and connection.info.transaction_status == idle

    def statement(self, sql: str) -> str:
        """SQL with ``:name`` parameters, as this driver wants it."""
        return to_pyformat(sql)

    def has_table(self, connection: Any, name: str) -> bool:
        """Whether a table of this name exists in the schema we write to."""
        sql = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = %s"
        return connection.execute(sql, (name,)).fetchone() is not None

    def backup(self, connection: Any, label: str) -> None:
        """Nothing: a team's PostgreSQL has backups of its own, and a migration is one transaction."""

    def problems(self, connection: Any) -> list[str]:  # noqa: ARG002
        """Nothing: PostgreSQL checks its pages itself."""
        return []

    def tidy(self, connection: Any, *, dry_run: bool, everything: bool) -> int:
        """Nothing: PostgreSQL's autovacuum does it; only ``everything`` that was deleted is given back at once."""
        if everything and not dry_run:
            connection.execute("VACUUM")
        return 0

    def translate(self, error: Exception) -> TidemillError:
        """One of our errors for one of PostgreSQL's."""
        errors = self._psycopg.errors
        text = str(error).strip()
        if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
            return BusyError(
                f"somebody else has been writing to the control database for {self.busy_timeout_s:g} s",
                hint="try again, or end the process that holds it",
            )
        if isinstance(error, errors.DiskFull):
            return SpaceError(f"the disk of {self.place} is full", hint="free some space there and run again")
        if isinstance(error, self._psycopg.IntegrityError):
            return ConflictError(f"the control database refused a row: {text}")
        if isinstance(error, errors.InsufficientPrivilege | errors.InvalidSchemaName | errors.UndefinedTable):
            return SettingsError(
                f"the control database {self.place} cannot be used: {text}",
                hint="give this user a schema of its own, and the right to create tables in it",
            )
        if isinstance(error, self._psycopg.OperationalError):
            return TransientError(
                f"the control database {self.place} does not answer: {text}",
                hint="check that the server runs and that the URL is right, then run again",
            )
        return InternalError(f"the control database {self.place}: {text}")
