"""Trouble that is planted in a replay, so that people see what its alert looks like before it happens.

Each kind is a row of `PLANTS`: a function of one value, its size, what is usual of its column, and a random number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tidemill.core.errors import SettingsError
from tidemill.core.names import did_you_mean

NEW_TEXT = "tidemill new value"
FORM = "KIND:COLUMN:SIZE:FROM, or with :UNTIL behind it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is usual of a column: the standard deviation of its numbers (1 for others), and its values."""

    deviation: float = 1.0
    values: tuple[Any, ...] = ()


Change = Callable[[Any, float, Usual, float], Any]
"""A value, the size of the trouble, what is usual, a number drawn evenly from [0, 1): gives what the value becomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of trouble.

    Parameters
    ----------
    size
        What the size is, for messages.
    share
        The size is a share of rows, in [0, 1].
    of_label
        It is done to the label that is told, not to a column that is sent.
    """

    name: str
    doc: str
    size: str
    change: Change
    share: bool = False
    of_label: bool = False
    numbers: bool = False


def _shift(value: Any, size: float, usual: Usual, _: float) -> Any:
    return value + size * usual.deviation if _is_number(value) else value


def _scale(value: Any, size: float, _: Usual, __: float) -> Any:
    return value * size if _is_number(value) else value


def _missing(value: Any, size: float, _: Usual, drawn: float) -> Any:
    return None if drawn < size else value


def _category(value: Any, size: float, _: Usual, drawn: float) -> Any:
    return NEW_TEXT if drawn < size else value


def _flip(value: Any, size: float, usual: Usual, drawn: float) -> Any:
    """Another of the label's values, each as often."""
    others = [one for one in usual.values if one != value]
    if drawn >= size or not others:
        return value
    return others[min(int(drawn / size * len(others)), len(others) - 1)]


PLANTS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="shift",
            doc="Numbers move by so many standard deviations.",
            size="standard deviations",
            change=_shift,
            numbers=True,
        ),
        Kind(name="scale", doc="Numbers are so many times as large: another unit.", size="a factor", change=_scale,
             numbers=True),
        Kind(name="missing", doc="Values are missing in this share of rows.", size="a share of rows", change=_missing,
             share=True),
        Kind(name="category", doc="This share of rows has a text that nobody has seen.", size="a share of rows",
             change=_category, share=True),
        Kind(name="flip", doc="This share of labels says something else.", size="a share of labels", change=_flip,
             share=True, of_label=True),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One trouble: its kind, the column, how large, from when until when (None: to the end)."""

    kind: Kind
    column: str
    size: float
    begin: datetime
    end: datetime | None = None

    def during(self, at: datetime) -> bool:
        """Whether it is going on."""
        return self.begin <= at and (self.end is None or at < self.end)

    def of_value(self, value: Any, usual: Usual, drawn: float) -> Any:
        """What a value becomes; whole numbers stay whole."""
        changed = self.kind.change(value, self.size, usual, drawn)
        if isinstance(value, int) and isinstance(changed, float) and not isinstance(value, bool):
            return round(changed)
        return changed


def read_plant(text: str) -> Plant:
    """Read ``KIND:COLUMN:SIZE:FROM`` or ``KIND:COLUMN:SIZE:FROM:UNTIL``; dates or times in ISO form.

    Raises
    ------
    SettingsError
        A part of it is wrong.
    """
    head, *rest = text.split(":", 3)
    kind = PLANTS.get(head)
    if kind is None:
        near = did_you_mean(head, list(PLANTS)) or f"one of {', '.join(PLANTS)}"
        raise SettingsError(f"no trouble of the kind {head!r} can be planted", hint=near)
    if len(rest) != 3 or not rest[0]:
        raise SettingsError(f"{text!r} is no trouble to plant", hint=f"write {FORM}")
    column, size, when = rest
    begin, end = _moments(text, when)
    return Plant(kind=kind, column=column, size=_size(kind, size), begin=begin, end=end)


def _size(kind: Kind, text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not math.isfinite(size) or (kind.share and not 0 < size <= 1):
        between = ", above 0 and at most 1" if kind.share else ""
        raise SettingsError(f"the size of {kind.name} is {kind.size}{between}; got {text!r}")
    return size


def _moments(whole: str, text: str) -> tuple[datetime, datetime | None]:
    """One moment, or two with a colon between them: the colons of times are no ends."""
    parts = text.split(":")
    for cut in range(len(parts), 0, -1):
        first, last = ":".join(parts[:cut]), ":".join(parts[cut:])
        begin, end = _moment(first), _moment(last) if last else None
        if begin is not None and (not last or end is not None):
            if end is not None and end <= begin:
                break
            return begin, end
    raise SettingsError(f"{whole!r} has no time that the trouble begins at", hint=f"write {FORM}, such as 2024-02-29")


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
