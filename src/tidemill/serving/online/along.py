"""Columns that callers send along and no model reads: those that slices name are logged beside what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidemill.core.names import name_key
from tidemill.serving.log.redact import read_inputs
from tidemill.serving.online.parsed import Parsed


def inputs_with(parsed: Parsed, names: Sequence[str]) -> bytes:
    """The rows as `Parsed.inputs_json` has them, and in each the columns of these names that were sent with it.

    Parameters
    ----------
    names
        Columns that the model does not read, as they are to be spelled. What is no text, number, boolean or null is
        not kept.
    """
    inputs = parsed.inputs_json()
    sent = _sent(parsed, names)
    if not sent:
        return inputs
    found = read_inputs(inputs)
    if found.rows is not msgspec.UNSET:
        for place, row in enumerate(found.rows):
            if row is not None:
                row.update({name: value for name, values in sent.items() if (value := values[place]) is not None})
    if found.columns is not msgspec.UNSET:
        null = msgspec.Raw(b"null")
        found.columns.update((name, [one or null for one in values]) for name, values in sent.items())
    return msgspec.json.encode(found)


def _sent(parsed: Parsed, names: Sequence[str]) -> dict[str, list[msgspec.Raw | None]]:
    """The values of each column that any row was sent with; None where it was not, or has no plain value."""
    rows, columns = _given(parsed)
    if columns:
        spelled = {name_key(name): name for name, values in columns.items() if _fits(values, parsed.n)}
        listed = {name: columns[spelled[name_key(name)]] for name in names if name_key(name) in spelled}
        return {name: [_plain(one) for one in values] for name, values in listed.items()}
    found: dict[str, list[msgspec.Raw | None]] = {}
    wanted = {name_key(name): name for name in names}
    for place, row in enumerate(rows):
        for spelled_so, value in row.items() if isinstance(row, Mapping) else ():
            name = wanted.get(name_key(str(spelled_so)))
            if name is not None:
                found.setdefault(name, [None] * parsed.n)[place] = _plain(value)
    return found


def _given(parsed: Parsed) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """What was sent, as rows or as columns."""
    if parsed.dicts is not None:
        return parsed.dicts, {}
    try:
        given = msgspec.json.decode(parsed.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return (), {}  # what nobody reads may be what nobody can read: the rows were answered all the same
    return given.get("rows") or (), given.get("columns") or {}


def _fits(values: Any, n: int) -> bool:
    return isinstance(values, list) and len(values) == n


def _plain(value: Any) -> msgspec.Raw | None:
    if value is not None and not isinstance(value, str | int | float):
        return None
    try:
        return msgspec.Raw(msgspec.json.encode(value))
    except (UnicodeEncodeError, OverflowError):
        return None
