from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.runner.functions.function_bench import Bench

from tidemill.warehouse.duckdb.lake import open_lake


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Small real models on a real lake, trained once per test run."""
    folder = tmp_path_factory.mktemp("bench")
    lake = open_lake(folder / ".tidemill", search_path=folder, threads=2)
    with lake.session() as session:
        yield Bench(session=session)
    lake.close()
