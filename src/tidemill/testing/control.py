"""Control databases for tests: the same test runs on SQLite and on a real PostgreSQL.

In a ``conftest.py``::

    from tidemill.testing.control import control_url, db, postgresql  # noqa: F401
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tidemill.core.clock import Clock
from tidemill.testing.postgresql import NoPostgresqlError, postgresql_server
from tidemill.warehouse.control.database import Database, open_database, sqlite_url

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a PostgreSQL that is started once for all tests of this process."""
    try:
        with postgresql_server() as url:
            yield url
    except NoPostgresqlError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["sqlite", "postgresql"])
def control_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty control database, of either kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "control" / "control.sqlite")
    import psycopg

    server: str = request.getfixturevalue("postgresql")
    schema = f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
    return f"{server}?options=-csearch_path%3D{schema}"


@pytest.fixture
def db(control_url: str) -> Iterator[Database]:
    """Open a control database, of either kind."""
    with closing(open_database(control_url, clock=Clock(), busy_timeout_s=10)) as database:
        yield database
