"""One text for a value, so that a prediction and a label of the same class are the same text."""

from __future__ import annotations

from typing import Any

import msgspec

_EXACT = 2**53


def text_of(value: Any) -> str:
    """A plain value as text: 1, 1.0 and "1" agree, as do true and "true"; structures become JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) <= _EXACT else repr(value)
    return msgspec.json.encode(value).decode()


def text_or_none(value: Any) -> str | None:
    """`text_of`, but None stays None."""
    return None if value is None else text_of(value)
