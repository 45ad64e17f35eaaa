"""A reader without a lake, and profiles of queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tidemill.analysis.profile.make import make_profile
from tidemill.analysis.profile.result import Profile
from tidemill.analysis.table import Table, open_table
from tidemill.warehouse.duckdb.lake import open_lake
from tidemill.warehouse.protocol import Session

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ProfileOf = Callable[..., Profile]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    lake = open_lake(tmp_path_factory.mktemp("lake"), search_path=Path.cwd())
    with lake.session() as opened:
        yield opened
    lake.close()


@pytest.fixture
def table_of(session: Session) -> Callable[[str], Table]:
    return lambda sql: open_table(session, sql)


@pytest.fixture
def profile_of(session: Session) -> ProfileOf:
    def profile(sql: str, **given: Any) -> Profile:
        stored = given.pop("stored", False)
        return make_profile(open_table(session, sql, stored=stored), name="rows", now=NOW, **given)

    return profile
