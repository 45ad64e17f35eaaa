"""Transactions and their parameters: what `database` opens is carried out here, over either driver."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from tidemill.core.clock import Clock
from tidemill.core.errors import InternalError, TidemillError

Row = dict[str, Any]

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=str)


def time_text(moment: datetime) -> str:
    """ISO-8601 in UTC with six decimals: texts sort as the moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Read a moment that `time_text` wrote."""
    return datetime.fromisoformat(text)


def to_json(value: Any) -> str:
    """Write a value as JSON with sorted keys.

    What JSON has no number for (NaN, infinities) becomes null, as in SQL; dates and decimals become their text.
    """
    try:
        return _ENCODER.encode(value)
    except ValueError:
        return _ENCODER.encode(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def storable(value: Any) -> Any:
    """Text both databases can hold: NUL and lone surrogates are shown by what stands for them; NaN is NULL."""
    if isinstance(value, str):
        if "\0" in value:
            value = value.replace("\0", "\N{SYMBOL FOR NULL}")
        if not value.isascii():
            value = value.encode("utf-8", "backslashreplace").decode()
    elif isinstance(value, bool):
        return int(value)
    elif isinstance(value, float) and math.isnan(value):
        return None
    return value


@contextmanager
def writing(db: Database | Tx) -> Iterator[Tx]:
    """Take part in a transaction, or make one."""
    if isinstance(db, Tx):
        yield db
    else:
        with db.write() as tx:
            yield tx


@contextmanager
def reading(db: Database | Tx) -> Iterator[Tx]:
    """Take part in a transaction, or make one that reads."""
    if isinstance(db, Tx):
        yield db
    else:
        with db.read() as tx:
            yield tx


class Backend(Protocol):
    """What differs between SQLite and PostgreSQL."""

    dialect: str
    place: str
    errors: tuple[type[Exception], ...]

    def prepare(self) -> None:
        """Make what must be there before a connection can be opened."""

    def connect(self) -> Any:
        """Open a DB-API connection that begins no transaction by itself."""

    def begin_write(self, connection: Any) -> None:
        """Begin a transaction after all other writers."""

    def begin_read(self, connection: Any) -> None:
        """Begin a transaction on one snapshot."""

    def usable(self, connection: Any) -> bool:
        """Whether the connection may serve another transaction."""

    def statement(self, sql: str) -> str:
        """SQL with ``:name`` parameters, as the driver wants it."""

    def has_table(self, connection: Any, name: str) -> bool:
        """Whether a table of this name exists."""

    def backup(self, connection: Any, label: str) -> None:
        """Keep a copy, where that is ours to do."""

    def problems(self, connection: Any) -> list[str]:
        """What an integrity check finds wrong."""

    def tidy(self, connection: Any, *, dry_run: bool, everything: bool) -> int:
        """Give unused pages back, where that is ours to do, or ``everything`` that was deleted; the bytes won."""

    def translate(self, error: Exception) -> TidemillError:
        """One of our errors for one of the driver's."""


class Tx:
    """One transaction. Parameters are named: ``:name`` in the SQL, ``name=value`` in the call."""

    __slots__ = ("_backend", "_clock", "_connection", "_writes")

    def __init__(self, connection: Any, backend: Backend, *, clock: Clock, writes: bool) -> None:
        self._connection = connection
        self._backend = backend
        self._clock = clock
        self._writes = writes

    def rows(self, sql: str, /, **params: Any) -> list[Row]:
        """Every row of a query, as dicts."""
        cursor = self._run(sql, params)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in self._fetch(cursor)]

    def row(self, sql: str, /, **params: Any) -> Row | None:
        """Give the first row of a query, or None."""
        found = self.rows(sql, **params)
        return found[0] if found else None

    def value(self, sql: str, /, **params: Any) -> Any:
        """Give the first value of the first row, or None."""
        found = self._fetch(self._run(sql, params))
        return found[0][0] if found else None

    def execute(self, sql: str, /, **params: Any) -> int:
        """Carry out a statement; returns how many rows it touched."""
        if not self._writes:
            raise InternalError("a reading transaction of the control database was asked to write")
        return int(self._run(sql, params).rowcount)

    def execute_many(self, sql: str, rows: Iterable[Mapping[str, Any]], /) -> None:
        """Carry out a statement once for each row of parameters."""
        if not self._writes:
            raise InternalError("a reading transaction of the control database was asked to write")
        bound = [{name: storable(value) for name, value in row.items()} for row in rows]
        if not bound:
            return
        try:
            self._connection.cursor().executemany(self._backend.statement(sql), bound)
        except self._backend.errors as error:
            raise self._backend.translate(error) from error

    def has_table(self, name: str) -> bool:
        """Whether a table exists."""
        try:
            return self._backend.has_table(self._connection, name)
        except self._backend.errors as error:
            raise self._backend.translate(error) from error

    @property
    def clock(self) -> Clock:
        """Where times come from."""
        return self._clock

    def now(self) -> str:
        """The time now, as text."""
        return time_text(self._clock.now())

    def _run(self, sql: str, params: Mapping[str, Any]) -> Any:
        bound = {name: storable(value) for name, value in params.items()}
        try:
            return self._connection.execute(self._backend.statement(sql), bound)
        except self._backend.errors as error:
            raise self._backend.translate(error) from error

    def _fetch(self, cursor: Any) -> list[tuple[Any, ...]]:
        try:
            return list(cursor.fetchall())
        except self._backend.errors as error:
            raise self._backend.translate(error) from error


class Database:
    """The control database. Threads may share it: each transaction has a connection for itself."""

    def __init__(self, backend: Backend, *, clock: Clock) -> None:
        self._backend = backend
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        self._closed = False
        self._pid = os.getpid()
        self._mine = threading.local()
        self.clock = clock

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._backend.dialect

    @property
    def place(self) -> str:
        """The file, or the URL without its password."""
        return self._backend.place

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """Begin a transaction that writes, once all others have ended; acknowledged means durable."""
        if getattr(self._mine, "writes", False):
            # SQLite would wait for itself until the timeout.
            raise InternalError("a writing transaction was begun inside another one of the same thread")
        self._mine.writes = True
        try:
            with self._transaction(self._backend.begin_write, writes=True) as tx:
                yield tx
        finally:
            self._mine.writes = False

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Begin a transaction that only reads, on one snapshot."""
        with self._transaction(self._backend.begin_read, writes=False) as tx:
            yield tx

    def backup(self, label: str) -> None:
        """Keep a copy before a change of the tables (SQLite only)."""
        with self._connection() as connection:
            self._backend.backup(connection, label)

    def problems(self) -> list[str]:
        """What the database's own integrity check finds wrong."""
        with self._connection() as connection:
            return self._backend.problems(connection)

    def tidy(self, *, dry_run: bool = False, everything: bool = False) -> int:
        """Give unused pages back and renew what the planner knows (SQLite only); the bytes won.

        Parameters
        ----------
        everything
            Write the file anew even where that wins little: nothing of what was deleted is left in it.
        """
        with self._connection() as connection:
            return self._backend.tidy(connection, dry_run=dry_run, everything=everything)

    def close(self) -> None:
        """Close every connection; calling it again does nothing."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for connection in idle:
            connection.close()

    @contextmanager
    def _transaction(self, begin: Callable[[Any], None], *, writes: bool) -> Iterator[Tx]:
        with self._connection() as connection:
            begin(connection)
            committed = False
            try:
                yield Tx(connection, self._backend, clock=self.clock, writes=writes)
                connection.execute("COMMIT")
                committed = True
            finally:
                if not committed:
                    with suppress(*self._backend.errors):
                        connection.execute("ROLLBACK")

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """Lend a connection; it comes back to the pool only when no transaction is left open on it."""
        connection = None
        try:
            connection = self._take()
            yield connection
        except self._backend.errors as error:
            raise self._backend.translate(error) from error
        finally:
            if connection is not None:
                self._put_back(connection)

    def _take(self) -> Any:
        if os.getpid() != self._pid:
            raise InternalError("a control database was opened before a fork: open it again in the child")
        with self._lock:
            if self._closed:
                raise InternalError("the control database is closed")
            if self._idle:
                return self._idle.pop()
        return self._backend.connect()

    def _put_back(self, connection: Any) -> None:
        with self._lock:
            if not self._closed and self._backend.usable(connection):
                self._idle.append(connection)
                return
        connection.close()
