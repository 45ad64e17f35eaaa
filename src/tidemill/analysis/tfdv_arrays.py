"""Arrays in TensorFlow Data Validation's form: their items are described as values, their lengths beside them.

References
----------
tensorflow_metadata, statistics.proto (CommonStatistics), https://github.com/tensorflow/metadata
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tidemill.analysis.table import open_table
from tidemill.core.errors import UnsupportedError
from tidemill.core.names import quote_name, quote_text

if TYPE_CHECKING:
    from tidemill.analysis.table import Column, Table

WRITTEN = ("text", "bool", "date", "time", "other")
"""Kinds of values that are counted by their texts; "other" are TIME and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """A column of arrays: its rows, and its items as rows of a table of one column with its name."""

    table: Table
    name: str
    items: Table

    def lengths(self, buckets: int) -> dict[str, Any]:
        """What TFDV says of how many values rows have. An empty array is there, and has none."""
        size = f"len({quote_name(self.name)})"
        shares = ", ".join(repr(at / buckets) for at in range(buckets + 1))
        filled, least, most, total, cuts = self.table.first(
            [f"count({size})", f"min({size})", f"max({size})", f"sum({size})", f"quantile_disc({size}, [{shares}])"]
        )
        common: dict[str, Any] = {
            "numNonMissing": str(int(filled)),
            "numMissing": str(self.table.rows - int(filled)),
            "totNumValues": str(int(total or 0)),
        }
        if not filled:
            return common
        histogram = [
            {"lowValue": float(low), "highValue": float(high), "sampleCount": filled / buckets}
            for low, high in pairwise(cuts)
        ]
        return common | {
            "minNumValues": str(int(least)),
            "maxNumValues": str(int(most)),
            "avgNumValues": int(total) / int(filled),
            "numValuesHistogram": {"type": "QUANTILES", "buckets": histogram},
        }


def open_array(table: Table, column: Column) -> Array:
    """Take the items of a column apart; of a sparse array, whose items are (index, value), the values.

    Raises
    ------
    UnsupportedError
        Its items are neither numbers nor what is counted by its text.
    """
    import pyarrow.types as kinds

    name = quote_name(column.name)
    unnested = f"SELECT unnest({name}) AS {name} FROM {table.relation}"
    kind = table.session.schema(unnested, table.relations).field(0).type
    value = name
    if kinds.is_struct(kind) and kind.num_fields == 2 and kinds.is_integer(kind[0].type):
        value = f"struct_extract({name}, {quote_text(kind[1].name)})"
    items = open_table(table.session, f"SELECT {value} AS {name} FROM ({unnested})", table.relations)
    if items.columns[0].kind not in ("number", *WRITTEN):
        raise refused(column)
    return Array(table=table, name=column.name, items=items)


def refused(column: Column) -> UnsupportedError:
    """Why there are no statistics of a column."""
    return UnsupportedError(
        f"statistics in TFDV's form are not made of the column {column.name}: its type is {column.type}",
        hint="leave it out, or take its parts as columns of their own; arrays of plain values are described, and those "
        "of an index and a number",
        column=column.name,
    )


def with_lengths(feature: dict[str, Any], lengths: dict[str, Any]) -> dict[str, Any]:
    """The statistics of items, with those of the arrays that they were in."""
    stats = next(key for key in ("numStats", "stringStats") if key in feature)
    return {**feature, stats: {**feature[stats], "commonStats": lengths}}
