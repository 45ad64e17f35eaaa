"""The rows of a replay in the order of their time, each with the moment its label becomes known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import NotFoundError, SettingsError, StateError
from tidemill.core.names import did_you_mean, is_query, name_key, quote_path, quote_text
from tidemill.runner.rows_of import find_table, is_file
from tidemill.simulate.hands import EPOCH
from tidemill.simulate.plants import Plant, Usual

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from tidemill.project import Project
    from tidemill.simulate.request import Request

MICROSECOND = timedelta(microseconds=1)
NEVER = np.iinfo(np.int64).max
"""When a label comes that never comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Rows in the order of their time.

    Parameters
    ----------
    rows
        All columns, sorted by time.
    at, known
        When each row is asked about, and when its label is known: microseconds since 1970.
    begin
        The first row that is asked about; those before are history.
    untimed
        Rows without a time, which were left out.
    """

    rows: pa.Table
    at: np.ndarray
    known: np.ndarray
    label: str
    begin: int
    untimed: int

    @property
    def columns(self) -> list[str]:
        """What callers send: every column but the label."""
        return [name for name in self.rows.column_names if name != self.label]


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def moment(at: int) -> datetime:
    """The time so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=int(at))


def open_stream(project: Project, request: Request, *, label: str) -> Stream:
    """Read what is replayed.

    Raises
    ------
    NotFoundError
        There is no such table, file or column.
    SettingsError
        The column of time holds no times, or no row is left to be replayed.
    """
    import pyarrow.compute as pc

    if not is_query(request.replay) and not is_file(request.replay):
        find_table(project.stations, request.replay)
    table = project.sql(relation_sql(request.replay), dialect=_dialect(project, request)).to_arrow()
    label, time = _column(table, request.label or label), _column(table, request.time)
    at = _times(table.column(time), time)
    timed = pc.is_valid(at)
    untimed = table.num_rows - int(pc.sum(timed).as_py() or 0)
    table, at = table.filter(timed), at.filter(timed)
    order = pc.array_sort_indices(at)
    table, sorted_at = table.take(order), np.asarray(at.take(order).cast("int64"))
    if request.end is not None:
        upto = int(np.searchsorted(sorted_at, micros(request.end)))
        table, sorted_at = table.slice(0, upto), sorted_at[:upto]
    begin = _begin(sorted_at, request)
    if begin >= len(sorted_at):
        raise SettingsError(f"no row of {request.replay} is left to be replayed", hint="begin earlier: --from")
    known = _known(sorted_at, _told(table.column(label)), request, begin)
    return Stream(rows=table, at=sorted_at, known=known, label=label, begin=begin, untimed=untimed)


def relation_sql(name: str) -> str:
    """A query for what a person names."""
    if is_query(name):
        return name
    if is_file(name):
        return f"SELECT * FROM {quote_text(str(Path(name)))}"
    return f"SELECT * FROM {quote_path(name)}"


def _dialect(project: Project, request: Request) -> str:
    return project.settings.dialect if is_query(request.replay) else "duckdb"


def _column(table: pa.Table, name: str) -> str:
    """A column as it is spelled there."""
    found: str | None = next((one for one in table.column_names if name_key(one) == name_key(name)), None)
    if found is None:
        raise NotFoundError(
            f"the rows that are replayed have no column {name}", hint=did_you_mean(name, table.column_names), name=name
        )
    return found


def _times(column: pa.ChunkedArray, name: str) -> pa.Array:
    """A column as microseconds in UTC."""
    import pyarrow as pa

    try:
        cast = column.cast(pa.timestamp("us", "UTC") if getattr(column.type, "tz", None) else pa.timestamp("us"))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SettingsError(
            f"the column {name} holds no times: {str(error).splitlines()[0]}",
            hint="replay a query that makes one: 'SELECT make_timestamp(...) AS at, * FROM ...'",
        ) from None
    if pa.types.is_integer(column.type):
        raise SettingsError(f"the column {name} holds numbers, not times", hint="to_timestamp(...) makes times of them")
    found = cast.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _begin(at: np.ndarray, request: Request) -> int:
    from tidemill.simulate.request import HISTORY

    if request.begin is not None:
        return int(np.searchsorted(at, micros(request.begin)))
    return int(np.searchsorted(at, at[int(len(at) * HISTORY)])) if len(at) else 0


def _told(labels: pa.ChunkedArray) -> np.ndarray:
    """Whether a row has a label: NULL is none, nor is what is no finite number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    told = pc.is_valid(labels)
    if pa.types.is_floating(labels.type):
        told = pc.and_(told, pc.fill_null(pc.is_finite(labels), fill_value=False))
    return np.asarray(told)


def _known(at: np.ndarray, told: np.ndarray, request: Request, begin: int) -> np.ndarray:
    """When labels come: evenly drawn, by the seed; a row without one never gets it, and no label of history is lost."""
    random = np.random.default_rng((request.seed, 1))
    low, high = (one // MICROSECOND for one in (request.delay.low, request.delay.high))
    known = at + random.integers(low, high, size=len(at), endpoint=True)
    come = told & ((random.random(len(at)) < request.labels_share) | (np.arange(len(at)) < begin))
    return np.where(come, known, NEVER)


def usual_of(stream: Stream, plant: Plant) -> Usual:
    """What is usual of a planted column, by its history, or by all rows where there is none.

    Raises
    ------
    NotFoundError
        There is no such column, or it is the label.
    StateError
        It has no numbers, and the trouble needs some; or no row is asked about while it lasts.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    name = _column(stream.rows, plant.column)
    asked = stream.at[stream.begin :]
    if not ((asked >= micros(plant.begin)) & (asked < (micros(plant.end) if plant.end else NEVER))).any():
        first, last = (f"{moment(at):%Y-%m-%d %H:%M}" for at in (asked[0], asked[-1]))
        raise StateError(
            f"{plant.kind.name} of {plant.column} would change nothing: no row is asked about while it lasts",
            hint=f"rows are asked about from {first} to {last}",
        )
    if plant.kind.of_label != (name == stream.label):
        wanted = f"the label {stream.label}" if plant.kind.of_label else "a column that is sent, which the label is not"
        raise StateError(f"{plant.kind.name} is done to {wanted}; got {plant.column}")
    column = stream.rows.column(name)
    history = column.slice(0, stream.begin) if stream.begin else column
    if plant.kind.of_label:
        values: list[Any] = pc.unique(column.drop_null()).to_pylist()
        return Usual(values=tuple(sorted(values)[:100]))
    numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
    if plant.kind.numbers and not numeric:
        raise StateError(f"{plant.kind.name} needs a column of numbers; {name} holds {column.type}")
    return Usual(deviation=float(pc.stddev(history).as_py() or 1.0) if numeric else 1.0)


def plant_in(
    row: dict[str, Any], at: datetime, plants: Mapping[Plant, Usual], random: np.random.Generator
) -> dict[str, Any]:
    """A row with the trouble of its time planted in it, a new one; what is done to the label is not sent."""
    changed = dict(row)
    for plant, usual in plants.items():
        if plant.during(at) and not plant.kind.of_label:
            name = next(one for one in changed if name_key(one) == name_key(plant.column))
            changed[name] = plant.of_value(changed[name], usual, float(random.random()))
    return changed
