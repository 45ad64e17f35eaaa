"""What stands outside the lake: databases that a session attaches to read, and files on other machines.

A session attaches what its queries name, and gives it back when it is closed: each has the columns as they are now.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.core.addresses import Address, Storage, address_of, storage_of
from tidemill.core.connections import ConnectionSettings, kind_of
from tidemill.core.errors import BusyError, NotFoundError, SettingsError, SourceError, TidemillError, TransientError
from tidemill.core.names import did_you_mean, name_key, quote_name, quote_text
from tidemill.core.secrets import scrub
from tidemill.core.source_tables import PLACE, SourceTable, default_schema, find_connection
from tidemill.warehouse.duckdb.attach import ATTACH, SERVERS, Attach, Server
from tidemill.warehouse.duckdb.errors import first_words
from tidemill.warehouse.duckdb.sqlite_columns import ByValues, by_values
from tidemill.warehouse.duckdb.sqlite_copy import copy_sqlite

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

RACY_NS = 2_000_000_000
NAMED = re.compile(rf'"{PLACE}((?:[^"]|"")+)"\."((?:[^"]|"")+)"\."((?:[^"]|"")+)"')
REMOTE = re.compile(r"'((?:https?|s3|s3a|s3n|gs|gcs|r2|hf)://(?:[^']|'')*)'", re.IGNORECASE)

# What a driver says, and what to do; those that pass by themselves come last.
_REASONS = (
    (("password authentication failed", "Access denied", "no password supplied", "no pg_hba.conf entry"),
     SourceError, "check the user in the URL, and the password behind its ${NAME} or in its password_file"),
    (("could not translate host name", "Unknown server host", "Unknown MySQL server host"), SourceError,
     "check the host in the URL"),
    (("database \"", "Unknown database"), SourceError, "check the database in the URL"),
    (("Could not set lock on file", "Conflicting lock"), BusyError,
     "somebody writes the file: run again when they are done"),
    (("refused", "Can't connect", "timeout", "timed out", "starting up", "too many clients", "Too many connections"),
     TransientError, "is the server there and does it take connections? try again when it does"),
)  # fmt: skip
_HEAD = re.compile(r'^(?:Unable to connect to Postgres|Failed to connect to MySQL database)[^"]* "[^"]*": ')


class Readers(Protocol):
    """What is needed of the instance that runs queries (`engine.Engine`)."""

    @property
    def started(self) -> bool:
        """Whether DuckDB runs already."""

    def cursor(self) -> DuckDBPyConnection:
        """A new connection for queries."""

    def number(self) -> int:
        """A number no other user of this instance has."""

    def load_extension(self, name: str, *, extra: str = "") -> None:
        """Let queries use an extension of DuckDB; ``extra`` is the extra of ours that installs it."""

    def listing(self) -> contextlib.AbstractContextManager[None]:
        """Keep what is attached while the block runs."""

    def detach_unlisted(self, name: str) -> bool:
        """Detach something, unless somebody is listing all tables: then not, and False."""

    def spill_folder(self) -> Path:
        """The folder of what this process puts aside, swept when the process is gone."""


@dataclass(slots=True, kw_only=True)
class Attached:
    """A connection as one session has it."""

    connection: ConnectionSettings
    catalogue: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    columns: dict[tuple[str, str], list[tuple[Any, ...]]] = field(default_factory=dict)

    @property
    def server(self) -> Server | None:
        """How its server is asked; None for files."""
        return SERVERS.get(self.connection.kind)


class Outside:
    """The connections of a project, and how the readers' instance reaches them.

    Parameters
    ----------
    root
        The project's folder, where relative paths begin.
    """

    def __init__(self, engine: Readers, connections: Mapping[str, ConnectionSettings], root: Path) -> None:
        self.connections = connections
        self._engine = engine
        self._root = root
        self._lock = threading.RLock()
        # Catalogues that are attached, and the copy of a SQLite file that each reads.
        self._attached: dict[str, Path | None] = {}
        self._copies: dict[Path, tuple[object, Path]] = {}
        self._readers: Counter[Path] = Counter()
        self._by_values: dict[tuple[Path, str], ByValues] = {}
        self._storages: dict[str, Storage] = {}
        # Catalogues of sessions that nobody closed: detached with the next one.
        self._left: deque[str] = deque()

    def attach(self, name: str) -> Attached:
        """Attach a connection under a name of its own.

        Raises
        ------
        SettingsError
            It is not declared, a secret of it cannot be had, or its extra is not installed.
        SourceError
            It cannot be reached, or is not what its URL says.
        TransientError
            It cannot be reached now.
        """
        self._detach_left()
        connection = self.find(name)
        kind = kind_of(connection)
        address = address_of(connection, self._root, os.environ)
        catalogue = f"{PLACE}{name_key(connection.name)}_{self._engine.number()}"
        attached = Attached(connection=connection, catalogue=catalogue, secrets=address.secrets)
        with reaching(connection, address.secrets):
            if kind.extension:
                self._engine.load_extension(kind.extension, extra=kind.extra)
            if kind.name == "ducklake":
                self._give_secrets()
            copy = self._hold_copy(address.path) if kind.name == "sqlite" and address.path else None
            self._attached[catalogue] = copy
            try:
                self._attach(catalogue, ATTACH[kind.name](Address(path=copy) if copy else address))
            except BaseException:
                self._release(catalogue)
                raise
        return attached

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Attached]:
        """Attach a connection while the block runs."""
        attached = self.attach(name)
        try:
            yield attached
        finally:
            self.detach(attached)

    def detach(self, attached: Attached) -> None:
        """Give a connection back."""
        self._detach(attached.catalogue)

    def leave(self, attached: Attached) -> None:
        """Give a connection back later: this may be called at any time, by the garbage collector too."""
        self._left.append(attached.catalogue)

    def find(self, name: str) -> ConnectionSettings:
        """A connection by its name."""
        found = find_connection(name, self.connections)
        if found is None:
            hint = did_you_mean(name, self.connections) or "[connections.NAME] in tidemill.toml declares one"
            raise NotFoundError(f"there is no connection {name}", hint=hint)
        return found

    def tables(self, attached: Attached) -> list[str]:
        """The tables and views of a connection, by the shortest names that SQL reads them by."""
        connection, default = attached.connection, default_schema(attached.connection)
        sql = (
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = $catalogue"
            " AND table_schema NOT IN ('information_schema', 'pg_catalog') ORDER BY ALL"
        )
        with self._engine.listing(), self._cursor(attached) as cursor:
            rows = cursor.execute(sql, {"catalogue": attached.catalogue}).fetchall()
        return [
            SourceTable(
                connection=connection.name, path=(schema, table), default=name_key(schema) == name_key(default)
            ).name
            for schema, table in rows
        ]

    def version(self, attached: Attached) -> str:
        """A text that is the same only while no row of the database changed; '' when it tells none."""
        if attached.connection.kind == "ducklake":
            sql = f"FROM ducklake_current_snapshot({quote_text(attached.catalogue)})"
            with self._cursor(attached) as cursor:
                return f"snapshot {cursor.execute(sql).fetchall()[0][0]}"
        server = attached.server
        return str(self._ask(attached, server.version)[0][0]) if server and server.version else ""

    def checksum(self, attached: Attached, table: SourceTable) -> str:
        """A digest of all rows of a table, which its server computes; '' when it has none."""
        server = attached.server
        if server is None:
            return ""
        name = ".".join(quote_name(part, server.quote_name) for part in table.path)
        found = self._ask(attached, server.checksum.format(name=name))
        return "" if not found or found[0][-1] is None else f"{found[0][-1]} {self._columns(attached, table.path)}"

    def look(self, attached: Attached, path: tuple[str, str]) -> None:
        """Remember the columns that a server's table has before it is read."""
        if attached.server is not None and path not in attached.columns:
            attached.columns[path] = self._columns(attached, path)

    def by_values(self, attached: Attached, path: tuple[str, str]) -> ByValues:
        """How a table of a SQLite file is read whose columns hold other values than declared."""
        import duckdb

        copy = self._attached.get(attached.catalogue)
        if copy is None:
            return ByValues()
        key = (copy, name_key(path[1]))
        if key not in self._by_values:
            name = SourceTable(connection=attached.connection.name, path=path, default=True).name
            with self._cursor(attached) as cursor:

                def fetch(sql: str) -> list[tuple[Any, ...]]:
                    return cursor.execute(sql).fetchall()

                try:
                    self._by_values[key] = by_values(attached.catalogue, path, shown=name, fetch=fetch)
                except duckdb.Error:
                    return ByValues()  # no such table, or one that cannot be read: the query itself says it better
        return self._by_values[key]

    def require_same_columns(self, attached: Attached) -> None:
        """Refuse rows that were read while their table changed its columns.

        The drivers read rows by the types they saw first: a number whose type changed in between is another number.

        Raises
        ------
        SourceError
            A table has other columns, or other types, than before it was read.
        """
        for path, before in attached.columns.items():
            if self._columns(attached, path) != before:
                name = ".".join((attached.connection.name, *path))
                raise SourceError(f"{name} changed its columns while it was read", hint="run again", table=name)

    def reach_files(self, sql: str) -> None:
        """Make files on other machines readable that a query names."""
        urls = [found.group(1).replace("''", "'") for found in REMOTE.finditer(sql)]
        if urls:
            self._engine.load_extension("httpfs")
            self._give_secrets(urls)

    def clean(self, text: str, attached: Iterable[Attached] = ()) -> str:
        """A text of the engine as people may see it: with the names they know, without secrets."""
        secrets: list[str] = []
        for one in attached:
            text = re.sub(rf"{one.catalogue}\b", one.connection.name, text)
            secrets += one.secrets
        for storage in self._storages.values():
            secrets += [storage.secret, storage.session_token]
        return scrub(text, secrets)

    def close(self) -> None:
        """Remove the copies of SQLite files."""
        for copy in self._readers:
            copy.unlink(missing_ok=True)
        self._readers.clear()
        self._copies.clear()
        self._by_values.clear()
        self._attached.clear()

    def _attach(self, catalogue: str, how: Attach) -> None:
        options, name = ["READ_ONLY", *how.options], quote_name(catalogue)
        # No lock is held: a server may take its time, and others go on meanwhile.
        cursor = self._engine.cursor()
        try:
            if how.secret_type:
                given = {"TYPE": how.secret_type, **how.secret}
                parts = [f"{key} {quote_text(str(value))}" for key, value in given.items()]
                cursor.execute(f"CREATE TEMPORARY SECRET {name} ({', '.join(parts)})")
                options.append(f"SECRET {name}")
            cursor.execute(f"ATTACH {quote_text(how.place)} AS {name} ({', '.join(options)})")
        finally:
            if how.secret_type:
                cursor.execute(f"DROP TEMPORARY SECRET IF EXISTS {name}")
            cursor.close()

    def _hold_copy(self, path: Path) -> Path:
        """A copy of a SQLite file as it is now (the last one while nobody has written since), for one more reader."""
        state = [_state(path.with_name(path.name + end)) for end in ("", "-wal", "-journal")]
        # A file changed again within one tick of the file system's clock keeps its times: what is new is not trusted.
        settled = max((max(one[1:3]) for one in state if one), default=0) < time.time_ns() - RACY_NS
        with self._lock:
            known = self._copies.get(path)
            if known is not None and known[0] == state:
                self._readers[known[1]] += 1
                return known[1]
            folder = self._engine.spill_folder()
            folder.mkdir(parents=True, exist_ok=True)
            copy = folder / f"source_{self._engine.number()}.sqlite"
            copy_sqlite(path, copy)
            self._copies[path] = (state if settled else None, copy)
            self._readers[copy] = 1
            if known is not None:
                self._drop_copy(known[1])
            return copy

    def _drop_copy(self, copy: Path) -> None:
        """Remove a copy that nobody reads and that is no longer the newest."""
        if not self._readers[copy] and all(copy != newest for _, newest in self._copies.values()):
            copy.unlink(missing_ok=True)
            del self._readers[copy]
            self._by_values = {key: found for key, found in self._by_values.items() if key[0] != copy}

    def _give_secrets(self, urls: list[str] | None = None) -> None:
        """Tell the engine the keys of storage that URLs name (of all, when none are given)."""
        for connection in self.connections.values():
            if connection.kind != "s3":
                continue
            if urls is not None and not any(_inside(url, connection.url) for url in urls):
                continue
            storage = storage_of(connection, self._root, os.environ)
            if self._storages.get(connection.name) == storage:
                continue
            self._engine.load_extension("httpfs")
            given: dict[str, str | bool] = {
                "KEY_ID": storage.key_id,
                "SECRET": storage.secret,
                "SESSION_TOKEN": storage.session_token,
                "REGION": storage.region,
                "ENDPOINT": storage.host,
                "URL_STYLE": "path" if storage.host else "",
                "SCOPE": storage.prefix,
            }
            parts = [f"{name} {quote_text(str(value))}" for name, value in given.items() if value]
            parts += [] if storage.tls else ["USE_SSL false"]
            name = quote_name(f"{PLACE}{name_key(connection.name)}")
            with reaching(connection, (storage.secret, storage.session_token)), self._lock:
                cursor = self._engine.cursor()
                try:
                    cursor.execute(f"CREATE OR REPLACE TEMPORARY SECRET {name} (TYPE s3, {', '.join(parts)})")
                finally:
                    cursor.close()
            self._storages[connection.name] = storage

    def _columns(self, attached: Attached, path: tuple[str, str]) -> list[tuple[Any, ...]]:
        server = attached.server
        assert server is not None  # noqa: S101 - only servers are asked
        schema, table = (server.quote_text(part) for part in path)
        return self._ask(attached, server.columns.format(schema=schema, table=table))

    def _ask(self, attached: Attached, query: str) -> list[tuple[Any, ...]]:
        """Hand a query to the server behind a connection."""
        assert attached.server is not None  # noqa: S101 - only servers are asked
        sql = f"FROM {attached.server.function}({quote_text(attached.catalogue)}, {quote_text(query)})"
        with self._cursor(attached) as cursor:
            return cursor.execute(sql).fetchall()

    @contextlib.contextmanager
    def _cursor(self, attached: Attached) -> Iterator[DuckDBPyConnection]:
        with reaching(attached.connection, attached.secrets):
            cursor = self._engine.cursor()
            try:
                yield cursor
            finally:
                cursor.close()

    def _detach_left(self) -> None:
        for _ in range(len(self._left)):
            self._detach(self._left.popleft())

    def _detach(self, catalogue: str) -> None:
        if catalogue not in self._attached:
            return
        if self._engine.started and not self._engine.detach_unlisted(catalogue):
            self._left.append(catalogue)
            return
        self._release(catalogue)

    def _release(self, catalogue: str) -> None:
        with self._lock:
            copy = self._attached.pop(catalogue, None)
            if copy is not None:
                self._readers[copy] -= 1
                self._drop_copy(copy)


@contextlib.contextmanager
def reaching(connection: ConnectionSettings, secrets: tuple[str, ...]) -> Iterator[None]:
    """Turn errors inside the block into one that names the connection and holds no secret."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        # Without the cause: a driver may have put the password into its words.
        raise _unreachable(connection, scrub(first_words(error), secrets)) from None
    except SettingsError:
        raise
    except TidemillError as error:
        error.message = f"connection {connection.name}: {error.message}"
        error.args = (error.message,)
        raise


def _unreachable(connection: ConnectionSettings, said: str) -> TidemillError:
    said = _HEAD.sub("", said).strip()
    for signs, kind, hint in _REASONS:
        if any(sign in said for sign in signs):
            return kind(
                f"connection {connection.name} cannot be reached: {said}", hint=hint, connection=connection.name
            )
    return SourceError(
        f"connection {connection.name} cannot be read: {said}",
        hint=f"check connections.{connection.name} in tidemill.toml; tidemill doctor tries every connection",
        connection=connection.name,
    )


def _inside(url: str, prefix: str) -> bool:
    """Whether the key of a prefix may be for a URL; the engine takes the nearest one."""
    return url.lower().startswith(prefix.lower().rstrip("/"))


def _state(path: Path) -> tuple[int, int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
