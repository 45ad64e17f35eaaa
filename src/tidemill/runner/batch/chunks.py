"""A stream of rows cut into chunks, each to be read once by whoever writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tidemill.core.errors import InternalError
from tidemill.core.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa


class Cutter:
    """Hands a stream out in chunks of whole rows, in order, no row twice.

    Attributes
    ----------
    taken
        Rows that were read from the chunk handed out last.
    """

    def __init__(self, rows: Rows) -> None:
        self.schema = rows.schema
        self.taken = 0
        self._batches = rows.batches()
        self._waiting: pa.RecordBatch | None = None
        self._begun = False

    def more(self) -> bool:
        """Whether another row follows."""
        while self._waiting is None or not self._waiting.num_rows:
            self._waiting = next(self._batches, None)
            if self._waiting is None:
                return False
        return True

    def take(self, rows: int) -> Rows:
        """The next chunk, of so many rows at most; the one before must have been read to its end."""
        self.taken = 0
        self._begun = False
        return Rows(self.schema, lambda: self._read(rows))

    def _read(self, rows: int) -> Iterator[pa.RecordBatch]:
        # An engine opens a stream to look at its columns, and another to read: only who reads gets here.
        if self._begun:
            raise InternalError("a chunk of scored rows was read twice")
        self._begun = True
        while self.taken < rows and self.more():
            batch = self._waiting
            assert batch is not None  # noqa: S101 - there is more
            part = batch.slice(0, rows - self.taken)
            self._waiting = batch.slice(part.num_rows) if part.num_rows < batch.num_rows else None
            self.taken += part.num_rows
            yield part
