"""Rows: a schema, and batches that can be asked for again. What stations hand each other and what engines read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Rows:
    """A re-readable stream of Arrow batches.

    Parameters
    ----------
    schema
        The columns; every batch has exactly these.
    batches
        Begins a fresh reading from the first row. It may be called more than once: an engine scans a relation as
        often as its plan mentions it.
    """

    schema: pa.Schema
    batches: Callable[[], Iterator[pa.RecordBatch]]

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Begin a fresh stream under the Arrow PyCapsule interface."""
        return self.reader().__arrow_c_stream__(requested_schema)

    def reader(self) -> pa.RecordBatchReader:
        """Begin a fresh reading of the rows."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self.schema, self.batches())

    def read(self) -> pa.Table:
        """All rows at once: for results known to be small."""
        import pyarrow as pa

        return pa.Table.from_batches(list(self.batches()), schema=self.schema)


def rows_of_table(table: pa.Table) -> Rows:
    """Rows over a table that is already in memory."""
    return Rows(table.schema, lambda: iter(table.to_batches()))
