"""Streams that the engine reads as tables, with the errors of whoever makes the rows kept whole.

An Arrow stream carries an error across as text. A row maker's own error (its class, its hint, its place) would be
lost there, so it is kept beside the stream and raised in the engine's stead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tidemill.warehouse.protocol import ArrowStream

if TYPE_CHECKING:
    import pyarrow as pa


class KeptErrors:
    """The first error that a row maker of one query raised."""

    def __init__(self) -> None:
        self.first: BaseException | None = None

    def keep(self, error: BaseException) -> None:
        """Remember an error unless there is one."""
        if self.first is None:
            self.first = error


class GuardedRelation:
    """A relation as the engine sees it: each reading begins a fresh stream of the original."""

    def __init__(self, origin: ArrowStream, kept: KeptErrors) -> None:
        self._origin = origin
        self._kept = kept

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        import pyarrow as pa

        schema, batches = self._open()
        return pa.RecordBatchReader.from_batches(schema, batches).__arrow_c_stream__(requested_schema)

    def _open(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        import pyarrow as pa

        try:
            # `core.rows.Rows` and its like give their batches directly: one hop less, and the error itself.
            schema, batches = getattr(self._origin, "schema", None), getattr(self._origin, "batches", None)
            if isinstance(schema, pa.Schema) and callable(batches):
                return schema, self._guarded(batches())
            reader = pa.RecordBatchReader.from_stream(self._origin)
        except BaseException as error:
            self._kept.keep(error)
            raise
        return reader.schema, self._guarded(iter(reader))

    def _guarded(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except GeneratorExit:
            raise
        except BaseException as error:
            self._kept.keep(error)
            raise
