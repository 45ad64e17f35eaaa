"""One value against one row of a table: the kind, the bounds, the choices."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from tidemill.core.names import did_you_mean
from tidemill.model_types.base import Option
from tidemill.sql.statements import HparamSpace

_NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]*)?")


class ValueRefused(ValueError):  # noqa: N818 - it reads as a sentence: raise ValueRefused(...)
    """A value that an option does not take; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read_value(option: Option, value: Any) -> Any:
    """The value in its canonical form: enums upper-case, floats as float, weights as a dict.

    Raises
    ------
    ValueRefused
        It is of another kind, out of bounds, or not among the choices.
    """
    if isinstance(value, HparamSpace):
        raise ValueRefused(f"{option.name} cannot be tuned", f"give it one value: {expected(option)}")
    if value is None:
        raise _refused(option, value, "leave it out to have its default")
    return _READERS[option.kind](option, value)


def expected(option: Option) -> str:
    """What an option takes, in words."""
    if option.kind == "enum":
        return f"one of {', '.join(option.choices)}"
    words = {
        "int": "a whole number",
        "float": "a number",
        "bool": "TRUE or FALSE",
        "str": "a string",
        "strings": "an array of strings",
        "ints": "an array of whole numbers",
        "weights": "an array of (class, weight) structs",
        "any": "a value",
    }[option.kind]
    if option.kind == "float":
        return words + _bounds(option) + "".join(f", or '{choice}'" for choice in option.choices)
    if option.choices:
        words += f" among {', '.join(option.choices)}"
    return words + _bounds(option)


def show(value: Any) -> str:
    """A value as SQL has it, cut short."""
    if isinstance(value, bool):
        return str(value).upper()
    if value is None:
        return "NULL"
    if isinstance(value, str):
        text = f"'{value}'"
    elif isinstance(value, Sequence):
        text = f"[{', '.join(show(item) for item in value)}]"
    else:
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _bounds(option: Option) -> str:
    low = "" if option.low is None else f"{option.low:,.12g}"
    high = "" if option.high is None else f"{option.high:,.12g}"
    if low and high and not option.low_open and not option.high_open:
        return f" from {low} to {high}"
    parts = []
    if low:
        parts.append(f"above {low}" if option.low_open else f"of at least {low}")
    if high:
        parts.append(f"below {high}" if option.high_open else f"of at most {high}")
    return " " + " and ".join(parts) if parts else ""


def _refused(option: Option, value: Any, hint: str = "") -> ValueRefused:
    return ValueRefused(f"{option.name} takes {expected(option)}, not {show(value)}", hint)


def _guess(value: str, option: Option) -> str:
    """The nearest choice; nothing when none is near, since the message lists them all."""
    hint = did_you_mean(value, option.choices)
    return hint if hint.startswith("did you mean") else ""


def _number(option: Option, value: Any, *, whole: bool) -> Any:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        hint = "take the quotes away" if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) else ""
        raise _refused(option, value, hint)
    if not math.isfinite(value) or not _within(option, value):
        raise _refused(option, value)
    return value if whole else float(value)


def _within(option: Option, value: float) -> bool:
    if option.low is not None and (value < option.low or (option.low_open and value == option.low)):
        return False
    return option.high is None or not (value > option.high or (option.high_open and value == option.high))


def _int(option: Option, value: Any) -> Any:
    return _number(option, value, whole=True)


def _float(option: Option, value: Any) -> Any:
    if isinstance(value, str) and value.strip().upper() in option.choices:
        return value.strip().upper()
    return _number(option, value, whole=False)


def _bool(option: Option, value: Any) -> bool:
    if not isinstance(value, bool):
        quoted = isinstance(value, str) and value.upper() in ("TRUE", "FALSE")
        raise _refused(option, value, "take the quotes away" if quoted else "")
    return value


def _str(option: Option, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _refused(option, value)
    if option.choices and value not in option.choices:
        raise _refused(option, value, _guess(value, option))
    return value


def _enum(option: Option, value: Any) -> str:
    if not isinstance(value, str):
        raise _refused(option, value)
    if value.strip().upper() not in option.choices:
        raise _refused(option, value, _guess(value, option))
    return value.strip().upper()


def _strings(option: Option, value: Any) -> list[str]:
    # BigQuery ML wants an array; a lone string has but one meaning.
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not items:
        raise _refused(option, value)
    if not all(isinstance(item, str) and item.strip() for item in items):
        raise _refused(option, value)
    if option.choices:
        unknown = [item for item in items if item.upper() not in option.choices]
        if unknown:
            raise _refused(option, value, _guess(unknown[0], option))
        return [item.upper() for item in items]
    return list(items)


def _ints(option: Option, value: Any) -> list[int]:
    if not isinstance(value, list | tuple) or not value:
        raise _refused(option, value)
    for item in value:
        if isinstance(item, bool) or not isinstance(item, int) or not _within(option, item):
            raise _refused(option, value)
    return list(value)


def _weights(option: Option, value: Any) -> dict[str, float]:
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list | tuple) or not pairs:
        raise _refused(option, value, "write [('no', 1.0), ('yes', 3.0)]")
    weights: dict[str, float] = {}
    for pair in pairs:
        entry = list(pair.values()) if isinstance(pair, dict) else pair
        name, weight = _weight_of(option, entry, value)
        if name in weights:
            raise ValueRefused(f"{option.name} names the class '{name}' twice", "keep one of the two")
        weights[name] = weight
    return weights


def _weight_of(option: Option, entry: Any, value: Any) -> tuple[str, float]:
    if not isinstance(entry, list | tuple) or len(entry) != 2:
        raise _refused(option, value, "write [('no', 1.0), ('yes', 3.0)]")
    name, weight = entry
    if isinstance(name, bool):
        name = str(name).lower()
    if not isinstance(name, str | int) or isinstance(weight, bool) or not isinstance(weight, int | float):
        raise _refused(option, value, "write [('no', 1.0), ('yes', 3.0)]")
    if not math.isfinite(weight) or weight < 0:
        raise ValueRefused(f"{option.name} takes weights of at least 0, not {show(weight)} for '{name}'")
    return str(name), float(weight)


def _any(option: Option, value: Any) -> Any:  # noqa: ARG001 - the shape of every reader
    return value


_READERS = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "str": _str,
    "enum": _enum,
    "strings": _strings,
    "ints": _ints,
    "weights": _weights,
    "any": _any,
}
