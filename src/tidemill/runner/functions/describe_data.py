"""ML.DESCRIBE_DATA: statistics of each column of the rows given."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from tidemill.analysis.describe_data import describe, schema
from tidemill.core.errors import UnsupportedError
from tidemill.core.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.runner.call import FunctionCall


def describe_data(call: FunctionCall) -> Rows:
    """Count when the rows are first asked for, and once."""

    @cache
    def counted() -> pa.Table:
        try:
            return describe(call.inputs[0].table(), **call.settings)
        except UnsupportedError as error:
            error.where = error.where or call.where
            raise

    def batches() -> Iterator[pa.RecordBatch]:
        yield from counted().to_batches()

    return Rows(schema(), batches)
