"""Reading a model's columns from the data of a call: found by name, checked by type, computed by TRANSFORM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError, DataError, Where
from tidemill.core.names import did_you_mean, name_key
from tidemill.features.sources import kind_of

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.core.rows import Rows
    from tidemill.features.plan import FeaturePlan
    from tidemill.runner.call import FunctionCall, Input


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a model's columns stand in the data of a call.

    Parameters
    ----------
    columns
        Name of each column the model reads, to the name it has in the rows read.
    select
        Columns of the data that must be read for it.
    computed
        Computed columns that must be read for it: name to SQL.
    dates
        Columns of timestamps that the model reads as dates, by its names.
    """

    function: str
    model: str
    columns: Mapping[str, str]
    select: tuple[str, ...]
    computed: Mapping[str, str]
    dates: frozenset[str] = frozenset()
    where: Where | None = None

    def rows(self, data: Input, passed: Sequence[str] = (), *, rows_per_batch: int = 65_536) -> Rows:
        """Rows with the passed-through columns, then those that the model needs besides."""
        taken = set(passed)
        select = [*passed, *(name for name in self.select if name not in taken)]
        return data.rows(select=select, computed=self.computed, rows_per_batch=rows_per_batch)

    def pick(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The model's columns of a batch of `rows`, under the model's names."""
        import pyarrow as pa

        names = list(self.columns)
        arrays = [self._read(name, batch.column(self.columns[name])) for name in names]
        if not arrays:
            return batch.select([])
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _read(self, name: str, values: pa.Array) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        if name not in self.dates:
            return values
        dates = values.cast(pa.date32())
        if pc.any(pc.not_equal(dates.cast(values.type), values)).as_py():
            raise DataError(
                f"column {name} has a time of day in the data of {self.function}; model {self.model} reads a date",
                where=self.where,
                hint=f"cast it in the data: CAST({name} AS DATE)",
                column=name,
            )
        return dates


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A column a model reads; ``kind`` says what it must hold, None anything (`features.plan.Kind`, or ``struct``)."""

    name: str
    kind: str | None = None


def needed_features(plan: FeaturePlan) -> list[Needed]:
    """The columns that a plan's features are read from."""
    found = {
        feature.column: Needed(name=feature.column, kind="struct" if feature.field else feature.kind)
        for feature in plan.features
    }
    return list(found.values())


def find_columns(
    call: FunctionCall, needed: Sequence[Needed], *, computed: Mapping[str, str] | None = None, raw: Sequence[str] = ()
) -> Source:
    """Find the columns a model reads in the first data argument of a call.

    Parameters
    ----------
    needed
        Columns read as they are.
    computed
        Columns worked out from others: name to SQL over the data's columns.
    raw
        Columns that the SQL of ``computed`` reads: they must be there, and are not read themselves.

    Raises
    ------
    BindError
        Columns are missing.
    DataError
        A column holds something else than it did when the model was trained.
    """
    data, model = call.inputs[0], call.model.name if call.model else ""
    present = {name_key(name): name for name in data.schema.names}
    _check_present(call, [*(column.name for column in needed), *raw], present, model)
    columns: dict[str, str] = {}
    dates: set[str] = set()
    for column in needed:
        found = data.schema.field(data.schema.names.index(present[name_key(column.name)]))
        columns[column.name] = found.name
        if _must_become_date(call, column, found, model):
            dates.add(column.name)
    stand_ins = {name: f"tm_{ordinal}_{name}" for ordinal, name in enumerate(computed or {})}
    return Source(
        function=call.function,
        model=model,
        columns=columns | stand_ins,
        select=tuple(dict.fromkeys(columns.values())),
        computed={stand_ins[name]: sql for name, sql in (computed or {}).items()},
        dates=frozenset(dates),
        where=call.where,
    )


def _check_present(call: FunctionCall, names: Sequence[str], present: Mapping[str, str], model: str) -> None:
    needed = list(dict.fromkeys(names))
    missing = [name for name in needed if name_key(name) not in present]
    if not missing:
        return
    listed = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
    plural = "columns" if len(missing) > 1 else "column"
    guess = did_you_mean(missing[0], present.values())
    listing = f"the model needs: {', '.join(needed)}"
    raise BindError(
        f"the data of {call.function} has no {plural} {listed}, which model {model} needs",
        where=call.where,
        hint=f"{guess} {listing}" if guess.endswith("?") else listing,
        missing=missing,
        needed=needed,
        columns=list(present.values()),
    )


def _must_become_date(call: FunctionCall, column: Needed, found: pa.Field, model: str) -> bool:
    """Whether a column of timestamps is read as dates; other columns are read as they are, or refused."""
    import pyarrow as pa

    kind = "struct" if pa.types.is_struct(found.type) else kind_of(found.type)
    same = column.kind is None or kind == column.kind or pa.types.is_null(found.type)
    if same or (kind in ("date", "timestamp") and column.kind in ("datetime", "timestamp")):
        return False
    if kind == "timestamp" and column.kind == "date":
        return True
    raise DataError(
        f"column {found.name} is {found.type} in the data of {call.function}; when model {model} was trained it held "
        f"{_KINDS.get(str(column.kind), column.kind)}",
        where=call.where,
        hint=f"cast it in the data: CAST({found.name} AS ...)",
        column=found.name,
        type=str(found.type),
        expected=column.kind,
    )


_KINDS = {
    "number": "numbers",
    "text": "strings",
    "bool": "booleans",
    "date": "dates",
    "time": "times",
    "datetime": "date-times",
    "timestamp": "timestamps",
    "vector": "arrays of numbers",
    "texts": "arrays of strings",
    "sparse": "arrays of STRUCT<index, value>",
    "struct": "a STRUCT",
}
