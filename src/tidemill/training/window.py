"""Which rows train by their time: as of a moment, a window that ends there, and how much less an old row weighs.

The clock has no part in it: without TRAIN_AS_OF a window ends at the newest row, so that the same rows train the same
model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tidemill.core.durations import read_duration
from tidemill.core.errors import DataError, EmptyDataError
from tidemill.core.names import quote_name
from tidemill.model_types._over_time import read_moment, read_window

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.training.task import TrainTask

WEIGHT = "tm_age_weight"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the options about time make of the rows.

    Parameters
    ----------
    sql
        The rows that are left, with a column ``tm_age_weight`` where they weigh by age.
    weighs
        Whether they do.
    facts
        For the manifest: the first and last moment, and how many rows were left out.
    """

    sql: str
    weighs: bool
    facts: dict[str, Any]


def read_moments(
    task: TrainTask, schema: pa.Schema, find: Callable[[TrainTask, pa.Schema, str], str]
) -> tuple[str, str]:
    """The names of the columns that say when a row happened and when it became known; '' for none.

    Raises
    ------
    BindError
        An option names a column that is not there.
    DataError
        A column is no date or time.
    """
    import pyarrow as pa

    names = (find(task, schema, "train_time_col"), find(task, schema, "train_known_col"))
    for option, name in zip(("TRAIN_TIME_COL", "TRAIN_KNOWN_COL"), names, strict=True):
        if not name:
            continue
        kind = schema.field(name).type
        if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            raise DataError(
                f"{option} of model {task.name} needs a DATE or TIMESTAMP column; {name} is {kind}",
                where=task.where,
                hint=f"cast it in the query: CAST({name} AS TIMESTAMP) AS {name}",
                column=name,
                type=str(kind),
            )
    return names


def windowed(task: TrainTask, sql: str, *, time: str, known: str, weight: str) -> Window | None:
    """Apply the options to rows in their fixed order; None where there is nothing to apply.

    Parameters
    ----------
    time, known
        The columns of `read_moments`.
    weight
        The column of INSTANCE_WEIGHT_COL, which age weighs in addition to; '' for none.

    Raises
    ------
    EmptyDataError
        No row is left.
    """
    options = task.options
    span = read_window(str(options.get("train_window") or "all"))
    half = read_duration(str(options.get("train_half_life") or "")) if options.get("train_half_life") else None
    as_of = read_moment(str(options["train_as_of"])) if options.get("train_as_of") else None
    if not time or (span is None and half is None and as_of is None):
        return None
    at = f"epoch_us({quote_name(time)})"
    conditions = [f"{at} IS NOT NULL"]
    if as_of is not None:
        conditions.append(f"{at} < {micros(as_of)}")
        conditions += [f"epoch_us({quote_name(known)}) < {micros(as_of)}"] if known else []
    then = " AND ".join(conditions)
    seen, newest = _row(task, f"SELECT count(*), max({at}) FROM ({sql}) WHERE {then}")
    if not seen:
        raise _nothing(task, as_of)
    end = micros(as_of) if as_of is not None else newest
    if span is not None:
        conditions.append(f"{at} >= {end - _length(span)}")
    where = " AND ".join(conditions)
    rows, first = _row(task, f"SELECT count(*), min({at}) FROM ({sql}) WHERE {where}")
    if not rows:
        raise _nothing(task, as_of)
    extra = ""
    if half is not None:
        also = f" * {quote_name(weight)}" if weight else ""
        extra = f", pow(0.5, ({end} - {at}) / {float(_length(half))!r}){also} AS {WEIGHT}"
    return Window(
        sql=f"SELECT *{extra} FROM ({sql}) AS tm_window WHERE {where}",
        weighs=half is not None,
        facts={
            "time": time,
            "known": known,
            "first": _text(first),
            "newest": _text(newest),
            "as_of": None if as_of is None else _text(end),
            "window_s": None if span is None else span.total_seconds(),
            "half_life_s": None if half is None else half.total_seconds(),
        },
    )


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return _length(moment - _EPOCH)


def _length(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _text(value: int) -> str:
    return (_EPOCH + timedelta(microseconds=value)).replace(tzinfo=None).isoformat(sep=" ")


def _row(task: TrainTask, sql: str) -> Iterable[Any]:
    batches = [batch for batch in task.session.query(sql) if batch.num_rows]
    return [column[0].as_py() for column in batches[0].columns]


def _nothing(task: TrainTask, as_of: datetime | None) -> EmptyDataError:
    before = "" if as_of is None else f" before {as_of:%Y-%m-%d %H:%M:%S} UTC"
    return EmptyDataError(
        f"model {task.name} has no row to train on{before}",
        where=task.where,
        hint="look at TRAIN_AS_OF, TRAIN_WINDOW and TRAIN_TIME_COL: rows without a time are left out",
    )
