"""One thing that a section of tidemill.toml can set: a row; validation, messages and docs are made from the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tidemill.core.durations import read_duration
from tidemill.core.errors import SettingsError, Where
from tidemill.core.names import did_you_mean

Place = Callable[[str], "Where | None"]
"""Where a dotted key stands in the file, for the caret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing a section can set.

    Parameters
    ----------
    default
        Its type is the type a value must have; ``()`` takes a list; None takes any plain value.
    low, high
        Bounds of a number, or of every number in a list; both included.
    choices
        The words a text may be.
    span
        It is a span of time in words, such as '6 hours'; its value is a `timedelta`, none for ''.
    """

    name: str
    default: Any
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    span: bool = False


def section_values(
    path: str, given: Any, entries: tuple[Entry, ...], place: Place, *, also: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Check one section against its rows: every entry's value, defaults filled in.

    Parameters
    ----------
    path
        The section's dotted name.
    also
        Names that are not entries, but may stand there.

    Raises
    ------
    SettingsError
        An entry is unknown, of the wrong kind or out of bounds.
    """
    if not isinstance(given, Mapping):
        raise SettingsError(f"{path} must be a table: [{path}]", where=place(path))
    known = {entry.name: entry for entry in entries}
    for key in given:
        if key not in known:
            raise SettingsError(
                f"unknown setting {path}.{key}",
                where=place(f"{path}.{key}"),
                hint=did_you_mean(key, [*known, *(also or ())]),
            )
    return {
        entry.name: _checked(f"{path}.{entry.name}", given.get(entry.name, entry.default), entry, place)
        for entry in entries
    }


def _checked(path: str, value: Any, entry: Entry, place: Place) -> Any:
    if entry.default is None:
        return value
    if isinstance(entry.default, tuple):
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{path} must be a list; got {value!r}", where=place(path))
        kind = float if entry.default and isinstance(entry.default[0], float) else str
        return tuple(_one(path, item, kind, entry, place) for item in value)
    return _one(path, value, type(entry.default), entry, place)


_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _one(path: str, value: Any, kind: type, entry: Entry, place: Place) -> Any:
    right = isinstance(value, int | float) if kind is float else isinstance(value, kind)
    if not right or (isinstance(value, bool) and kind is not bool):
        raise SettingsError(f"{path} must be {_NAMES[kind]}; got {value!r}", where=place(path))
    if entry.choices and value not in entry.choices:
        known = [choice for choice in entry.choices if choice]
        near = did_you_mean(str(value), known)
        raise SettingsError(
            f"{path} must be one of {', '.join(known)}; got {value!r}",
            where=place(path),
            hint=near if near.startswith("did") else "",
        )
    low, high = entry.low, entry.high
    if kind in (int, float) and not ((low is None or value >= low) and (high is None or value <= high)):
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise SettingsError(f"{path} must be {bounds}; got {value}", where=place(path))
    if entry.span:
        return _span(path, value, place)
    return float(value) if kind is float else value


def _span(path: str, value: str, place: Place) -> timedelta:
    found = read_duration(value) if value.strip() else timedelta(0)
    if found is None:
        raise SettingsError(
            f"{path} must be a span of time; got {value!r}", where=place(path), hint="such as '30 minutes' or '7 days'"
        )
    return found
