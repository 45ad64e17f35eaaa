"""How a plan finds what stands outside the project: tables of connections, files on other machines.

A token that is the same as the last time must mean that the rows are the same. Where nothing tells that cheaply, the
token is another one each time, and the plan says why: rows are read again rather than wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.addresses import address_of
from tidemill.core.clock import Clock
from tidemill.core.connections import ConnectionSettings, kind_of
from tidemill.core.digest import digest_value
from tidemill.core.errors import SourceError, TidemillError
from tidemill.core.names import did_you_mean, name_key
from tidemill.core.source_tables import SourceTable
from tidemill.planner.state import MISSING_FILES, SourceState
from tidemill.runner.inputs import file_tokens
from tidemill.sources.patterns import is_remote
from tidemill.sources.remote import is_web, web_version

if TYPE_CHECKING:
    from tidemill.warehouse.control.database import Database
    from tidemill.warehouse.protocol import Warehouse

RACY_S = 2.0
READ_AGAIN = "is read again by every run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looker:
    """Looks at what stands outside. ``warehouse`` is opened only when something must be asked through it.

    Parameters
    ----------
    read
        What something was made from before, with its token then.
    """

    root: Path
    db: Database
    clock: Clock
    connections: Mapping[str, ConnectionSettings]
    warehouse: Callable[[], Warehouse]
    read: AbstractSet[tuple[str, str]]

    def states(self, tables: Iterable[SourceTable]) -> dict[str, SourceState]:
        """How each table is found, by its name."""
        by_connection: dict[str, list[SourceTable]] = {}
        for table in {table.name: table for table in tables}.values():
            by_connection.setdefault(table.connection, []).append(table)
        return {
            name: state
            for connection, theirs in by_connection.items()
            for name, state in self._of(self.connections[connection], theirs).items()
        }

    def files(self, patterns: Iterable[str]) -> dict[str, SourceState]:
        """How the files of other machines behind each pattern are found."""
        return {pattern: self._file(pattern) for pattern in dict.fromkeys(patterns) if is_remote(pattern)}

    def _file(self, pattern: str) -> SourceState:
        try:
            token = self._web_token(pattern) if is_web(pattern) else self._storage_token(pattern)
        except TidemillError as error:
            return SourceState(token=self._new(), whole=f"nobody can say what changed: {error.message}")
        if token is None:
            return SourceState(token=MISSING_FILES, said="is gone")
        if not token:
            why = "its server tells neither an ETag nor a time"
            return SourceState(token=self._new(), said=f"{READ_AGAIN}: {why}")
        return SourceState(token=token)

    def _web_token(self, url: str) -> str | None:
        version = web_version(url)
        return digest_value(version) if version else version

    def _storage_token(self, pattern: str) -> str | None:
        try:
            files = self.warehouse().remote_files(pattern)
        except SourceError as error:
            if error.message.startswith("there is no file"):
                return None
            raise
        if not files:
            return None
        # Storage tells times in whole seconds: a file may be written twice within one, and then looks the same.
        newest = max(file.changed_us or 0 for file in files) / 1e6
        racy = self._new() if self.clock.now().timestamp() - newest < RACY_S else ""
        return digest_value([[file.name, file.bytes, file.changed_us] for file in files] + [[racy]])

    def _of(self, connection: ConnectionSettings, tables: list[SourceTable]) -> dict[str, SourceState]:
        try:
            missing = self._missing(connection, tables)
            common = self._common(connection)
            states = {table.name: missing.get(table.name) or common or self._by_checksum(table) for table in tables}
            return states | self._gone(connection, states)
        except TidemillError as error:
            # The step says it again, with its hint, when it fails. Until then nobody knows whether rows are others.
            whole = f"nobody can say what changed: {error.message}"
            return {table.name: SourceState(token=self._new(), whole=whole) for table in tables}

    def _common(self, connection: ConnectionSettings) -> SourceState | None:
        """How all tables of a connection are found; None when each is asked for itself."""
        if connection.changes == "never":
            return SourceState(token="not asked")  # noqa: S106 - no secret
        if connection.changes == "checksum":
            return None
        token = "" if connection.changes == "always" else self._version(connection)
        if not token:
            why = "as its settings say" if connection.changes == "always" else f"{connection.kind} tells no changes"
            return SourceState(token=self._new(), said=f"{READ_AGAIN}: {why}")
        said = "may have changed: transactions have ended" if connection.kind == "postgresql" else "changed"
        return SourceState(token=token, said=said)

    def _version(self, connection: ConnectionSettings) -> str:
        if not kind_of(connection).local:
            return self.warehouse().source_version(connection.name)
        path = address_of(connection, self.root, os.environ).path
        # Commits may stand in a log beside the file.
        files = [str(path), f"{path}-wal" if connection.kind == "sqlite" else f"{path}.wal"]
        tokens = file_tokens([_escaped(file) for file in files], root=self.root, db=self.db)
        return digest_value(sorted(tokens.values()))

    def _by_checksum(self, table: SourceTable) -> SourceState:
        found = self.warehouse().source_checksum(table)
        if not found:
            return SourceState(token=self._new(), said=f"{READ_AGAIN}: its server has no checksum of it")
        return SourceState(token=digest_value(found))

    def _missing(self, connection: ConnectionSettings, tables: list[SourceTable]) -> dict[str, SourceState]:
        """Tables that are read for the first time and are not there."""
        built = {name for name, _ in self.read}
        new = [table for table in tables if table.name not in built]
        if not new:
            return {}
        known = self.warehouse().source_tables(connection.name)
        there = {name_key(name) for name in known}
        return {
            table.name: SourceState(
                token=self._new(),
                missing=f"connection {connection.name} has no such table",
                hint=did_you_mean(table.name, known),
            )
            for table in new
            if name_key(table.name) not in there
        }

    def _gone(self, connection: ConnectionSettings, states: Mapping[str, SourceState]) -> dict[str, SourceState]:
        """Tables in files that something was made from and that are not there any more."""
        if not kind_of(connection).local or connection.changes == "never":
            return {}
        built = {name for name, _ in self.read}
        changed = {
            name: state
            for name, state in states.items()
            if name in built and not state.missing and (name, state.token) not in self.read
        }
        if not changed:
            return {}
        path = address_of(connection, self.root, os.environ).path
        if path is not None and not path.exists():
            said = f"is gone: there is no file {path}"
            return {name: replace(state, said=said) for name, state in changed.items()}
        there = {name_key(name) for name in self.warehouse().source_tables(connection.name)}
        said = f"is gone: connection {connection.name} has no such table"
        return {name: replace(state, said=said) for name, state in changed.items() if name_key(name) not in there}

    def _new(self) -> str:
        return self.clock.new_id()


def _escaped(path: str) -> str:
    """A path as a pattern that means only itself."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)
