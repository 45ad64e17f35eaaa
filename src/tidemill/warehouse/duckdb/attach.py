"""How DuckDB opens each kind of source that has tables, to read only: one function a row of `core.connections`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tidemill.core.addresses import Address
from tidemill.core.errors import SourceError
from tidemill.core.names import quote_text

CONNECT_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    """What stands in ``ATTACH 'place' AS name (READ_ONLY, options)``, and the secret that goes with it."""

    place: str
    options: tuple[str, ...] = ()
    secret_type: str = ""
    secret: Mapping[str, str | int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a database server is asked besides rows: each a query in its own SQL.

    Parameters
    ----------
    function
        DuckDB's table function that hands a query to it.
    columns
        The columns of the table ``{schema}.{table}`` (texts), with their types, in order.
    checksum
        A digest of all rows of the table ``{name}``; None where it is asked another way.
    version
        A text that is the same only while no row of the database changed; '' when there is none.
    quote_text, quote_name
        How texts and names are quoted there.
    """

    function: str
    columns: str
    checksum: str
    version: str
    quote_text: Callable[[str], str]
    quote_name: str


def _sqlite(address: Address) -> Attach:
    return Attach(place=str(address.path), options=("TYPE sqlite",))


def _duckdb(address: Address) -> Attach:
    return Attach(place=str(_there(address)), options=("TYPE duckdb",))


def _ducklake(address: Address) -> Attach:
    return Attach(place=f"ducklake:{address.catalogue}{_there(address)}")


def _there(address: Address) -> Path:
    if address.path is None or not address.path.is_file():
        raise SourceError(f"there is no file {address.path}", file=str(address.path))
    return address.path


def _postgresql(address: Address) -> Attach:
    # A server that is gone without a word is noticed within half a minute.
    waits = {"connect_timeout": str(CONNECT_SECONDS), "keepalives_idle": "10", "keepalives_interval": "5"}
    given = {"application_name": "tidemill", **waits, "keepalives_count": "3", **address.parameters}
    place = " ".join(f"{name}='{_backslashed(value)}'" for name, value in given.items())
    secret = {"HOST": address.host, "PORT": address.port, "DATABASE": address.database, "USER": address.user}
    return Attach(
        place=place,
        options=("TYPE postgres",),
        secret_type="postgres",  # noqa: S106 - a kind of secret, not one
        secret={name: value for name, value in {**secret, "PASSWORD": address.password}.items() if value},
    )


def _mysql(address: Address) -> Attach:
    place = " ".join(f'{name}="{value}"' for name, value in address.parameters.items())
    secret = {"HOST": address.host, "PORT": address.port, "DATABASE": address.database, "USER": address.user}
    return Attach(
        place=place,
        options=("TYPE mysql",),
        secret_type="mysql",  # noqa: S106 - a kind of secret, not one
        secret={name: value for name, value in {**secret, "PASSWORD": address.password}.items() if value},
    )


def _backslashed(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _mysql_text(text: str) -> str:
    return f"'{_backslashed(text)}'"


ATTACH: Mapping[str, Callable[[Address], Attach]] = MappingProxyType(
    {"sqlite": _sqlite, "duckdb": _duckdb, "ducklake": _ducklake, "postgresql": _postgresql, "mysql": _mysql}
)

SERVERS: Mapping[str, Server] = MappingProxyType(
    {
        "postgresql": Server(
            function="postgres_query",
            columns=(
                "SELECT a.attname::text, a.atttypid::text, a.atttypmod FROM pg_attribute a"
                " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE lower(n.nspname) = lower({schema}) AND lower(c.relname) = lower({table})"
                " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
            ),
            checksum=(
                "SELECT count(*)::text || '-' ||"
                " coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint::numeric), 0)::text FROM {name} AS t"
            ),
            # Every transaction that changes a row has a number, and its end moves the snapshot. Numbers begin anew in a
            # cluster that was restored, but then the server has started since.
            version="SELECT pg_postmaster_start_time()::text || ' ' || txid_current_snapshot()::text",
            quote_text=quote_text,
            quote_name='"',
        ),
        "mysql": Server(
            function="mysql_query",
            columns=(
                "SELECT column_name, column_type FROM information_schema.columns"
                " WHERE lower(table_schema) = lower({schema}) AND lower(table_name) = lower({table})"
                " ORDER BY ordinal_position"
            ),
            checksum="CHECKSUM TABLE {name}",
            version="",
            quote_text=_mysql_text,
            quote_name="`",
        ),
    }
)
