"""Output columns: which of them the surrounding query can see, and small results put together from plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import BindError
from tidemill.core.names import name_key
from tidemill.core.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.runner.call import FunctionCall


def is_wanted(call: FunctionCall, name: str) -> bool:
    """Whether the surrounding query can see a column of this name."""
    return call.wanted is None or name_key(name) in call.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the surrounding query can see of a function that puts columns before those of its input.

    Parameters
    ----------
    made
        The columns that the function makes.
    passed
        Names of the input columns that pass through.
    schema
        All of them.
    """

    made: Sequence[pa.Field]
    passed: Sequence[str]
    schema: pa.Schema


def seen_of(call: FunctionCall, made: Sequence[pa.Field]) -> Seen:
    """Find the columns of a function's output that the surrounding query can see.

    Parameters
    ----------
    made
        All columns that the function makes.

    Raises
    ------
    BindError
        An input column has the name of a column that the function makes.
    """
    import pyarrow as pa

    taken = {name_key(field.name) for field in made}
    there = call.inputs[0].schema
    passed = [name for name in there.names if is_wanted(call, name)]
    for name in passed:
        if name_key(name) in taken:
            raise BindError(
                f"the data of {call.function} has a column {name}, and {call.function} makes a column of that name",
                where=call.where,
                hint=f"leave {name} out of the data: SELECT * EXCLUDE ({name}), in BigQuery's dialect EXCEPT",
                column=name,
            )
    wanted = [field for field in made if is_wanted(call, field.name)]
    schema = pa.schema([*wanted, *(there.field(there.names.index(name)) for name in passed)])
    return Seen(made=wanted, passed=passed, schema=schema)


def small_rows(call: FunctionCall, schema: pa.Schema, make: Callable[[], Sequence[Mapping[str, Any]]]) -> Rows:
    """Rows of a small result, worked out when they are first read.

    Parameters
    ----------
    schema
        All columns of the function; those nobody sees are left out.
    make
        The rows as plain values by column name; a missing value is NULL.
    """
    import pyarrow as pa

    kept = pa.schema([field for field in schema if is_wanted(call, field.name)] or [schema.field(0)])
    made: list[pa.RecordBatch] = []

    def batches() -> Iterator[pa.RecordBatch]:
        if not made:
            rows = make()
            arrays = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in kept]
            made.append(pa.RecordBatch.from_arrays(arrays, schema=kept))
        yield from made

    return Rows(kept, batches)
