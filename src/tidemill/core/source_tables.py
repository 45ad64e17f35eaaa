"""Tables of connections, by the names that statements give them; and names that are none of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidemill.core.connections import ConnectionSettings, kind_of
from tidemill.core.errors import BindError, Where
from tidemill.core.names import did_you_mean, name_key, quote_name


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """A table of a connection. ``path`` has its schema and its name."""

    connection: str
    path: tuple[str, str]
    default: bool

    @property
    def name(self) -> str:
        """The shortest name that SQL reads it by, which is the one it is recorded under."""
        return ".".join((self.connection, *(self.path[1:] if self.default else self.path)))


PLACE = "tidemill_at_"
"""How the names of connections begin in engine SQL: a session puts a catalogue of its own in their place."""


def source_path(table: SourceTable) -> str:
    """A table of a connection as engine SQL names it until a session reads it: see `warehouse.protocol.Session`."""
    return ".".join(quote_name(part) for part in (f"{PLACE}{name_key(table.connection)}", *table.path))


def find_source(name: str, connections: Mapping[str, ConnectionSettings]) -> SourceTable | None:
    """The table of a connection that a dotted name names; None when its first part is no connection.

    Raises
    ------
    BindError
        It has too few or too many parts, or the connection has no tables.
    SettingsError
        The connection's URL is a variable that is not set.
    """
    first, *rest = name.split(".")
    connection = find_connection(first, connections)
    if connection is None or not rest:
        return None
    kind = kind_of(connection)
    shown = f"{connection.name}.table"
    if not kind.tables:
        hint = f"name a file of it: FROM '{connection.url.rstrip('/')}/file.parquet'"
        raise BindError(f"{connection.name} is a connection to files, which have no tables", hint=hint, name=name)
    schema = default_schema(connection)
    if len(rest) == 1 and not schema:
        hint = f"write {connection.name}.schema.table, or add the database to its URL"
        raise BindError(f"{connection.name} has no default schema for {name}", hint=hint, name=name)
    if len(rest) > 2:
        raise BindError(f"{name} has too many parts", hint=f"{shown} or {connection.name}.schema.table", name=name)
    path = (schema, rest[0]) if len(rest) == 1 else (rest[0], rest[1])
    return SourceTable(connection=connection.name, path=path, default=name_key(path[0]) == name_key(schema))


def find_connection(name: str, connections: Mapping[str, ConnectionSettings]) -> ConnectionSettings | None:
    """A connection by its name, letter case apart."""
    key = name_key(name)
    return next((one for known, one in connections.items() if name_key(known) == key), None)


def default_schema(connection: ConnectionSettings) -> str:
    """The schema of ``NAME.table``; '' when there is none."""
    kind = kind_of(connection)
    return connection.schema or kind.schema


def made_name(name: str, project: str) -> str:
    """The whole name under which somebody wants something made."""
    return f"{project}.{name}" if project else name


def refuse_source_name(name: str, connections: Mapping[str, ConnectionSettings], where: Where | None) -> None:
    """Refuse to make something under the name of a connection.

    Raises
    ------
    BindError
        The first part of the name is a connection's.
    """
    first, _, rest = name.partition(".")
    connection = find_connection(first, connections) if rest else None
    if connection is not None:
        raise BindError(
            f"{name} cannot be made: {connection.name} is a connection, which is only read",
            where=where,
            hint="make it under another name",
        )


def lake_name(name: str) -> str:
    """A dotted name as the lake has it: a BigQuery project in front of it is dropped."""
    return ".".join(name.split(".")[-2:])


def near_source(name: str, connections: Iterable[str]) -> str:
    """A hint for a name whose first part is nearly that of a connection; '' when it is not."""
    first, _, rest = name.partition(".")
    hint = did_you_mean(first, connections) if rest else ""
    return f"{hint.removesuffix('?')}.{rest}?" if hint.startswith("did you mean") else ""
