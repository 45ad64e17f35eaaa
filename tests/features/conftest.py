"""A session over an in-memory DuckDB: as much of the warehouse as features need, and quick to open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import duckdb
import pyarrow as pa
import pytest

from tidemill.warehouse.duckdb.scalar_functions import add_functions


class MemorySession:
    def __init__(self) -> None:
        self.connection = duckdb.connect()
        add_functions(self.connection)

    def put(self, name: str, table: pa.Table) -> None:
        self.connection.register(name, table)

    def query(self, sql: str, relations: Mapping[str, Any] | None = None, *, rows_per_batch: int = 65_536) -> Any:
        return self._opened(relations).execute(sql).to_arrow_reader(rows_per_batch)

    def schema(self, sql: str, relations: Mapping[str, Any] | None = None) -> pa.Schema:
        return self._opened(relations).execute(f"SELECT * FROM ({sql}) AS t LIMIT 0").to_arrow_table().schema

    def materialise(self, sql: str, relations: Mapping[str, Any] | None = None, *, sort: Sequence[str] = ()) -> str:
        order = f" ORDER BY {', '.join(sort)}" if sort else ""
        self._opened(relations).execute(f"CREATE OR REPLACE TEMP TABLE kept AS {sql}{order}")
        return "kept"

    def row_hash(self, columns: Sequence[str]) -> str:
        return "hash(" + ", ".join(f'"{name}"' for name in columns) + ")"

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, relations: Mapping[str, Any] | None) -> duckdb.DuckDBPyConnection:
        for name, relation in (relations or {}).items():
            self.connection.register(name, relation)
        return self.connection


@pytest.fixture
def session() -> Iterator[MemorySession]:
    with MemorySession() as session:
        yield session
