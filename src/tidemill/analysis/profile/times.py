"""Columns of dates and times: rows by hour or day, counted in one scan, tell range, rhythm and gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tidemill.analysis.arrays import different, wholes
from tidemill.analysis.profile.result import Histogram
from tidemill.analysis.table import Column, Sample, Table

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
MOST_HOURS = 60 * 366 * 24  # a longer range is counted by days
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BARS = 40
STEPS = (
    ("microsecond", 1), ("millisecond", 1000), ("second", SECOND), ("minute", 60 * SECOND), ("hour", HOUR),
    ("day", DAY),
)  # fmt: skip


def read_times(table: Table, sample: Sample, column: Column, *, now: datetime) -> dict[str, Any] | None:
    """Facts by their names; None when the column has no finite value."""
    import numpy as np

    limits = table.first([f"epoch_us(min({_stamp(column)}))", f"epoch_us(max({_stamp(column)}))"])
    if limits[0] is None:
        return None
    low, high = int(limits[0]), int(limits[1])
    width = HOUR if column.kind == "time" and (high - low) // HOUR <= MOST_HOURS else DAY
    start = low // width
    found = table.read(
        f"SELECT (epoch_us({_stamp(column)}) - {start * width}) // {width} AS b, count(*) AS n FROM {table.relation}"
        f" WHERE {column.finite} IS NOT NULL GROUP BY ALL ORDER BY ALL"
    )
    buckets, counts = wholes(found.column(0)) + start, wholes(found.column(1))
    seen = table.read(f"SELECT epoch_us({_stamp(column)}) FROM {sample.relation} WHERE {column.finite} IS NOT NULL")
    values = wholes(seen.column(0))
    unit = granularity(values)
    days = buckets * width // DAY
    facts: dict[str, Any] = {
        "granularity": unit,
        "gaps": find_gaps(buckets, days, unit, width),
        "weekdays": _counted((days + 3) % 7, counts, 7),  # 1970-01-01 was a Thursday
        "histogram": _histogram(buckets * width, counts, low, high),
        "future": int(counts[buckets * width > _micros(now)].sum()),
    }
    if column.kind == "time":
        by_hour = width == HOUR
        hours = buckets % 24 if by_hour else values // HOUR % 24
        facts["hours"] = _counted(hours, counts if by_hour else np.ones(values.size, dtype="int64"), 24)
    return facts


def _stamp(column: Column) -> str:
    """The column as a timestamp of microseconds, in UTC."""
    return f"CAST({column.finite} AS TIMESTAMP)"


def _counted(places: Array, counts: Array, size: int) -> tuple[int, ...]:
    import numpy as np

    return tuple(int(count) for count in np.bincount(places, weights=counts, minlength=size))


def granularity(values: Array) -> str:
    """The coarsest unit that all times (in microseconds since 1970) keep to."""
    import numpy as np

    if not values.size:
        return ""
    fits = [name for name, step in STEPS if not (values % step).any()]
    if fits[-1] != "day":
        return fits[-1]
    days = different(np.sort(values // DAY))[0].astype("datetime64[D]")
    if days.size > 1 and (days == days.astype("datetime64[Y]")).all():
        return "year"
    return "month" if days.size > 1 and (days == days.astype("datetime64[M]")).all() else "day"


def find_gaps(buckets: Array, days: Array, unit: str, width: int) -> dict[str, Any] | None:
    """How many units between the first and the last have no row, and the longest run of them."""
    import numpy as np

    if unit in ("month", "year"):
        kind = f"datetime64[{'M' if unit == 'month' else 'Y'}]"
        filled = different(days.astype("datetime64[D]").astype(kind).astype("int64"))[0]
        name = unit
    elif width == HOUR and unit != "day" and buckets.size > 0.5 * (buckets[-1] - buckets[0] + 1):
        filled, name = buckets, "hour"
    else:
        filled, name = different(days)[0], "day"
    steps = np.diff(filled) - 1
    if not steps.any():
        return None
    at = int(steps.argmax())
    first, last = _place(filled[at] + 1, name), _place(filled[at + 1] - 1, name)
    return {
        "unit": name,
        "missing": int(steps.sum()),
        "of": int(filled[-1] - filled[0] + 1),
        "longest": {"units": int(steps[at]), "from": first, "to": last},
    }  # fmt: skip


def _place(number: Any, unit: str) -> str:
    import numpy as np

    letter = {"hour": "h", "day": "D", "month": "M", "year": "Y"}[unit]
    return str(np.array(int(number)).astype(f"datetime64[{letter}]")).replace("T", " ") + (
        ":00" if unit == "hour" else ""
    )


def _histogram(starts: Array, counts: Array, low: int, high: int) -> Histogram:
    """Rows between times that are as far apart as each other, in microseconds since 1970."""
    import numpy as np

    width = max(DAY, -(-(high - low + 1) // BARS // DAY) * DAY) if high - low >= BARS * DAY else None
    width = width or max(HOUR, -(-(high - low + 1) // BARS // HOUR) * HOUR)
    first = low // width
    places = starts // width - first
    counted = np.bincount(np.maximum(places, 0), weights=counts)
    edges = tuple(float((first + number) * width) for number in range(counted.size + 1))
    return Histogram(edges=edges, counts=tuple(int(count) for count in counted))


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def as_time(micros: float) -> str:
    """A time in microseconds since 1970 as people write it; what Python's calendar does not have as a year."""
    try:
        moment = EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return f"{1970 + micros / (365.2425 * DAY):.0f}"
    return f"{moment:%Y-%m-%d}" if micros % DAY == 0 else f"{moment:%Y-%m-%d %H:%M}"
