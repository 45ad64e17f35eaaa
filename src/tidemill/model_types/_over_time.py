"""Options of training over time: which rows a moment may see, and how much the old ones weigh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tidemill.core.durations import read_duration
from tidemill.model_types.base import Option, OptionRule

OVER_TIME = (
    Option(
        name="TRAIN_TIME_COL",
        kind="str",
        doc="Not BigQuery ML's: the DATE or TIMESTAMP column that says when a row happened. It is not a feature. The "
        "options below, and `tidemill backtest`, go by it.",
    ),
    Option(
        name="TRAIN_KNOWN_COL",
        kind="str",
        doc="Not BigQuery ML's: the DATE or TIMESTAMP column that says when a row, with its label, became known. It is "
        "not a feature. Training as of a moment leaves out what was not known by then.",
    ),
    Option(
        name="TRAIN_WINDOW",
        kind="str",
        default="all",
        doc="Not BigQuery ML's: `'all'`, or such as `'last 90 days'`: rows older than that are left out. It ends at "
        "TRAIN_AS_OF or, without one, at the newest row: the clock has no part in it.",
    ),
    Option(
        name="TRAIN_HALF_LIFE",
        kind="str",
        doc="Not BigQuery ML's: such as `'30 days'`: a row of that age weighs half as much as the newest.",
    ),
    Option(
        name="TRAIN_AS_OF",
        kind="str",
        doc="Not BigQuery ML's: a moment such as `'2026-03-01'` or `'2026-03-01 12:00:00'`, in UTC. Rows of that "
        "moment and later, and what became known later, are not seen.",
    ),
)


def read_window(text: str) -> timedelta | None:
    """What TRAIN_WINDOW means: 'last 90 days', or None for 'all'.

    Raises
    ------
    ValueError
        It is neither.
    """
    words = text.strip().lower()
    if words == "all":
        return None
    span = read_duration(words.removeprefix("last ")) if words.startswith("last ") else None
    if span is None:
        raise ValueError(text)
    return span


def read_moment(text: str) -> datetime:
    """A moment in ISO 8601; one without a zone is in UTC.

    Raises
    ------
    ValueError
        It is none.
    """
    moment = datetime.fromisoformat(text.strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _unread(read: Callable[[str], Any], value: object) -> bool:
    if value is None:
        return False
    try:
        return read(str(value)) is None
    except ValueError:
        return True


def _no_window(values: Mapping[str, Any], _: frozenset[str]) -> bool:
    try:
        read_window(str(values["train_window"]))
    except ValueError:
        return True
    return False


def _without_time(option: str) -> Callable[[Mapping[str, Any], frozenset[str]], bool]:
    return lambda values, given: option in given and not values["train_time_col"]


OVER_TIME_RULES = (
    OptionRule(
        option="TRAIN_WINDOW",
        message="TRAIN_WINDOW is neither 'all' nor such as 'last 90 days'",
        hint="units are seconds, minutes, hours, days and weeks",
        broken=_no_window,
    ),
    OptionRule(
        option="TRAIN_HALF_LIFE",
        message="TRAIN_HALF_LIFE is no span of time",
        hint="such as '30 days'; units are seconds, minutes, hours, days and weeks",
        broken=lambda values, _: _unread(read_duration, values["train_half_life"]),
    ),
    OptionRule(
        option="TRAIN_AS_OF",
        message="TRAIN_AS_OF is no moment",
        hint="such as '2026-03-01' or '2026-03-01 12:00:00'",
        broken=lambda values, _: _unread(read_moment, values["train_as_of"]),
    ),
    *(
        OptionRule(
            option=name,
            message=f"{name} needs TRAIN_TIME_COL",
            hint="add TRAIN_TIME_COL = 'the column that says when a row happened'",
            broken=_without_time(name.lower()),
        )
        for name in ("TRAIN_KNOWN_COL", "TRAIN_WINDOW", "TRAIN_HALF_LIFE", "TRAIN_AS_OF")
    ),
)
