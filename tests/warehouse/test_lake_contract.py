"""DuckDB with DuckLake holds the contract of a warehouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill.testing.warehouse import OpenWarehouse, WarehouseContract
from tidemill.warehouse.duckdb.lake import open_lake


class TestLakeHoldsTheContract(WarehouseContract):
    @pytest.fixture
    def open_warehouse(self, tmp_path: Path) -> OpenWarehouse:
        return lambda: open_lake(tmp_path / ".tidemill", search_path=tmp_path)
