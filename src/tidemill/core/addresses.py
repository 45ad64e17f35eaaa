"""Where a connection leads, with its variables put in and its secrets read: made when it is used, and not kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from tidemill.core.connections import ConnectionSettings, kind_of
from tidemill.core.errors import SettingsError
from tidemill.core.secrets import VARIABLE, expand, read_secret_file

_SERVER = re.compile(
    r"[a-z]+://(?:(?P<user>[^:@/?]*)(?::(?P<password>[^@/]*))?@)?(?P<host>\[[^\]]*\]|[^:/?]*)(?::(?P<port>[^/?]*))?"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<parameters>.*))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What is needed to reach a connection. Its fields say nothing when printed.

    Parameters
    ----------
    path
        The file of a local kind.
    catalogue
        What stands before the path of a DuckLake's catalogue: ``sqlite:`` or nothing.
    parameters
        What a URL says behind ``?``, for the driver.
    secrets
        What must not be shown.
    """

    path: Path | None = None
    catalogue: str = field(default="", repr=False)
    host: str = field(default="", repr=False)
    port: int | None = field(default=None, repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    database: str = field(default="", repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What is needed to read files of object storage. ``prefix`` is where its URLs begin."""

    prefix: str
    host: str = ""
    tls: bool = True
    region: str = field(default="", repr=False)
    key_id: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)


def address_of(connection: ConnectionSettings, root: Path, environment: Mapping[str, str]) -> Address:
    """Where a database is.

    Parameters
    ----------
    root
        The project's folder, where relative paths begin.

    Raises
    ------
    SettingsError
        A variable is not set, a file with a password cannot be read or can be read by others, or the URL is no URL.
    """
    setting = f"connections.{connection.name}.url"
    kind = kind_of(connection)
    if kind.local:
        path = expand(connection.url, setting, environment).partition(":///")[2]
        return Address(path=_file(path, root, setting))
    if kind.name == "ducklake":
        whole = expand(connection.url, setting, environment).partition(":")[2]
        catalogue, _, path = whole.rpartition(":")
        if catalogue not in ("", "duckdb", "sqlite"):
            hint = "write ducklake:FILE or ducklake:sqlite:FILE"
            raise SettingsError(f"{setting}: a DuckLake's catalogue in {catalogue} is not read", hint=hint)
        return Address(path=_file(path, root, setting), catalogue="sqlite:" if catalogue == "sqlite" else "")
    return _server(connection, root, environment, setting)


def storage_of(connection: ConnectionSettings, root: Path, environment: Mapping[str, str]) -> Storage:
    """Where object storage is.

    Raises
    ------
    SettingsError
        A variable is not set, or a file with the secret cannot be read or can be read by others.
    """

    def value(name: str) -> str:
        return expand(getattr(connection, name), f"connections.{connection.name}.{name}", environment)

    endpoint = value("endpoint")
    scheme, _, host = endpoint.rpartition("://")
    secret = value("secret")
    if connection.secret_file:
        secret = read_secret_file(root / value("secret_file"), f"connections.{connection.name}.secret_file")
    return Storage(
        prefix=value("url"),
        host=host.rstrip("/"),
        tls=scheme.lower() != "http",
        region=value("region"),
        key_id=value("key_id"),
        secret=secret,
        session_token=value("session_token"),
    )


def _file(path: str, root: Path, setting: str) -> Path:
    if not path:
        raise SettingsError(f"{setting} names no file")
    return root / Path(path).expanduser()


def _server(connection: ConnectionSettings, root: Path, environment: Mapping[str, str], setting: str) -> Address:
    # A URL out of the environment has its characters escaped; parts put into one do not have them.
    whole = VARIABLE.fullmatch(connection.url)
    url = expand(connection.url, setting, environment) if whole else connection.url
    found = _SERVER.fullmatch(url)
    if found is None:
        raise SettingsError(f"{setting} is not a URL", hint=f"write {kind_of(connection).form}")

    def part(name: str) -> str:
        text = found.group(name) or ""
        return unquote(text) if not VARIABLE.search(text) else expand(text, setting, environment)

    port = part("port")
    if port and not port.isdigit():
        raise SettingsError(f"{setting}: the port is not a number")
    pairs = [pair.partition("=") for pair in (found.group("parameters") or "").split("&") if pair]
    parameters = {name: unquote(expand(value, setting, environment)) for name, _, value in pairs}
    password = parameters.pop("password", "") or part("password")
    if connection.password_file:
        file = expand(connection.password_file, f"connections.{connection.name}.password_file", environment)
        password = read_secret_file(root / Path(file).expanduser(), f"connections.{connection.name}.password_file")
    return Address(
        host=part("host").strip("[]"),
        port=int(port) if port else None,
        user=part("user"),
        password=password,
        database=part("database"),
        parameters=parameters,
        secrets=tuple(filter(None, (password, parameters.get("sslpassword", "")))),
    )
