"""Databases and storage elsewhere: ``[connections.NAME]`` of tidemill.toml. `core.source_tables` has their tables.

A kind of source is one row of `KINDS`; how the engine opens it stands under the same name in
``warehouse.duckdb.attach``. A connection's tables are ``NAME.schema.table``, or ``NAME.table`` in its default schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tidemill.core.entries import Entry, Place, section_values
from tidemill.core.errors import SettingsError, Where
from tidemill.core.names import name_key
from tidemill.core.secrets import VARIABLE, is_variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of source.

    Parameters
    ----------
    schemes
        How its URLs begin.
    form
        A URL as documentation shows it.
    extension, extra
        The engine's extension that reads it, and what ``pip install 'tidemill[...]'`` brings it along; '' is in the
        base install.
    schema
        The schema of ``NAME.table``; '' is the database that the URL names.
    local
        Whether it is a file of this machine.
    tables
        Whether it has tables; storage has files, which SQL names by their URLs.
    version
        What tells that its rows are the same as before, in words.
    """

    name: str
    schemes: tuple[str, ...]
    form: str
    doc: str
    version: str
    extension: str = ""
    extra: str = ""
    schema: str = ""
    local: bool = False
    tables: bool = True


KINDS: tuple[Kind, ...] = (
    Kind(
        name="sqlite",
        schemes=("sqlite:///",),
        form="sqlite:///file.sqlite",
        doc="A SQLite file. Each step reads a copy of it as it was at one moment, so that others may go on writing.",
        version="the digest of the file, and of its write-ahead log",
        extension="sqlite_scanner",
        schema="main",
        local=True,
    ),
    Kind(
        name="duckdb",
        schemes=("duckdb:///",),
        form="duckdb:///file.duckdb",
        doc="A DuckDB file. While it is read nobody can write it, and while somebody writes it nobody can read it.",
        version="the digest of the file, and of its write-ahead log",
        schema="main",
        local=True,
    ),
    Kind(
        name="ducklake",
        schemes=("ducklake:",),
        form="ducklake:sqlite:catalogue.sqlite",
        doc="Another DuckLake, by its catalogue: a DuckDB file, or a SQLite file behind ducklake:sqlite:.",
        version="the lake's newest snapshot",
        extension="ducklake",
        schema="main",
    ),
    Kind(
        name="postgresql",
        schemes=("postgresql://", "postgres://"),
        form="postgresql://user:${PASSWORD}@host:5432/database",
        doc="A PostgreSQL database. One query reads it in one read-only transaction.",
        version="the transactions that have ended: the same list means the same rows, another list may",
        extension="postgres_scanner",
        extra="postgres",
        schema="public",
    ),
    Kind(
        name="mysql",
        schemes=("mysql://", "mariadb://"),
        form="mysql://user:${PASSWORD}@host:3306/database",
        doc="A MySQL or MariaDB database. One query reads it in one read-only transaction.",
        version="nothing: its tables are read again by every run",
        extension="mysql_scanner",
        extra="mysql",
    ),
    Kind(
        name="s3",
        schemes=("s3://",),
        form="s3://bucket/prefix",
        doc="S3, or storage that speaks its protocol: SQL reads its files as 's3://bucket/prefix/file.parquet'.",
        version="names, sizes and times of the files behind a pattern",
        extension="httpfs",
        tables=False,
    ),
)
CONNECTION: tuple[Entry, ...] = (
    Entry(
        name="url",
        default="",
        doc="What it is and where: see the kinds below. `${NAME}` is taken from the environment.",
    ),
    Entry(name="schema", default="", doc="The schema of NAME.table, when it is not the kind's own."),
    Entry(
        name="password_file",
        default="",
        doc="A file with the password, readable by its owner only (mode 0600), as seen from the project.",
    ),
    Entry(
        name="changes",
        default="auto",
        choices=("auto", "checksum", "always", "never"),
        doc="How a plan sees that a table has other rows: auto takes what the kind tells, checksum lets a server read "
        "the table and tell a digest, always reads it again in every run, never only with --full-refresh.",
    ),
    Entry(name="endpoint", default="", doc="s3: the server, such as http://127.0.0.1:9000, when it is not Amazon's."),
    Entry(name="region", default="us-east-1", doc="s3: the region."),
    Entry(name="key_id", default="", doc="s3: the access key's id; without one, files are read as anybody reads them."),
    Entry(name="secret", default="", doc="s3: the access key's secret, as `${NAME}`."),
    Entry(name="secret_file", default="", doc="s3: a file with the secret, readable by its owner only (mode 0600)."),
    Entry(name="session_token", default="", doc="s3: the token of temporary keys, as `${NAME}`."),
)
SECRET_ENTRIES = ("secret", "session_token")
STORAGE_ENTRIES = ("endpoint", "region", "key_id", "secret", "secret_file", "session_token")
_SECRET_PARAMETERS = ("password", "sslpassword", "passwd", "pwd")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAKEN = ("main", "temp", "system", "memory", "information_schema", "pg_catalog", "ml", "ai", "excluded")
_IN_URL = re.compile(r"://[^:/@?]*:(?P<password>[^@/]*)@")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """``[connections.NAME]``, checked. Variables are not put in: no secret is in it.

    ``kind`` is '' while the URL is a variable that is not set.
    """

    name: str
    kind: str
    url: str
    schema: str = ""
    password_file: str = ""
    changes: str = "auto"
    endpoint: str = ""
    region: str = "us-east-1"
    key_id: str = ""
    secret: str = ""
    secret_file: str = ""
    session_token: str = ""


def find_kind(url: str) -> Kind | None:
    """The kind of source that a URL names."""
    return next((kind for kind in KINDS if url.lower().startswith(kind.schemes)), None)


def kind_of(connection: ConnectionSettings) -> Kind:
    """The row of a connection's kind.

    Raises
    ------
    SettingsError
        Its URL is a variable that is not set.
    """
    found = next((kind for kind in KINDS if kind.name == connection.kind), None)
    if found is None:
        raise SettingsError(
            f"connections.{connection.name}.url is {connection.url}, and there is no such variable in the environment",
            hint="export it and run again",
        )
    return found


def connection_settings(given: Any, place: Place, environment: Mapping[str, str]) -> dict[str, ConnectionSettings]:
    """Check ``[connections]``: one table a connection, in the order of the file."""
    if not isinstance(given, Mapping):
        raise SettingsError("connections must be tables: [connections.NAME]", where=place("connections"))
    found: dict[str, ConnectionSettings] = {}

    def bare(path: str) -> Where | None:
        # Without the line that stands there: somebody may have written a secret into it.
        where = place(path)
        return replace(where, text="") if where is not None else None

    for name, section in given.items():
        _check_name(name, found, bare)
        found[name] = _one(name, section, bare, environment)
    return found


def _check_name(name: str, found: Iterable[str], place: Place) -> None:
    where = place(f"connections.{name}")
    if not _NAME.fullmatch(name):
        hint = "use letters, digits and _, and begin with a letter"
        raise SettingsError(f"{name!r} cannot be the name of a connection", where=where, hint=hint)
    if name_key(name) in _TAKEN or name_key(name).startswith("tidemill"):
        raise SettingsError(f"{name} means something else in SQL here", where=where, hint="give it another name")
    twin = next((other for other in found if name_key(other) == name_key(name)), None)
    if twin is not None:
        raise SettingsError(f"connections {twin} and {name} differ only in case", where=where)


def _one(name: str, section: Any, place: Place, environment: Mapping[str, str]) -> ConnectionSettings:
    path = f"connections.{name}"
    values = section_values(path, section, CONNECTION, place)
    url: str = values["url"]
    _refuse_plain_secrets(path, values, place)
    # A URL out of the environment says what it is only there.
    whole = VARIABLE.fullmatch(url)
    told = environment.get(whole.group(1), "") if whole else url
    kind = find_kind(told)
    if kind is None and (told or not whole):
        said = f"begins with {told.partition(':')[0]!r}" if ":" in told else "is not a URL" if told else "is missing"
        known = ", ".join(kind.form for kind in KINDS)
        raise SettingsError(f"{path}.url {said}", where=place(f"{path}.url"), hint=f"known: {known}")
    storage = [entry.name for entry in CONNECTION if entry.name in STORAGE_ENTRIES and entry.name in section]
    if kind is not None and storage and kind.tables:
        raise SettingsError(f"{path}.{storage[0]} is for s3 only", where=place(f"{path}.{storage[0]}"))
    if kind is not None and values["changes"] == "checksum" and not kind.extra:
        message = f"{path}.changes: no server computes a checksum for {kind.name}"
        raise SettingsError(message, where=place(f"{path}.changes"), hint="leave it out: changes are seen")
    if kind is not None and kind.tables and not kind.schema and not values["schema"]:
        values["schema"] = _database_of(told, environment)
    return ConnectionSettings(name=name, kind=kind.name if kind else "", **values)


def _database_of(url: str, environment: Mapping[str, str]) -> str:
    """The database that the URL of a server names; '' when it names none, or a variable that is not set."""
    found = re.match(r"[^:]+://[^/?]*/([^?]*)", url)
    return VARIABLE.sub(lambda name: environment.get(name.group(1), ""), found.group(1)) if found else ""


def _refuse_plain_secrets(path: str, values: Mapping[str, Any], place: Place) -> None:
    """A file of settings is read by many, and kept by git for ever: no secret stands in it."""
    url = str(values["url"])
    found = _IN_URL.search(url)
    plain = found is not None and bool(found.group("password")) and not is_variable(found.group("password"))
    parameters = [part.partition("=") for part in url.partition("?")[2].split("&")]
    plain = plain or any(name.lower() in _SECRET_PARAMETERS and not is_variable(value) for name, _, value in parameters)
    if plain:
        raise SettingsError(
            f"{path}.url has a password in plain text",
            where=place(f"{path}.url"),
            hint="write ${NAME} in its place and export NAME, or name a file with mode 0600: password_file = '...'",
        )
    for name in SECRET_ENTRIES:
        if values[name] and not is_variable(values[name]):
            file = ", or name a file with mode 0600: secret_file = '...'" if name == "secret" else ""
            raise SettingsError(
                f"{path}.{name} is a secret in plain text",
                where=place(f"{path}.{name}"),
                hint=f"write {name} = '${{NAME}}' and export NAME{file}",
            )
