"""The patient reading of rows: letter case, numbers of other types, and an error that says which row and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidemill.core.errors import BodyError, InputError
from tidemill.core.names import did_you_mean, name_key
from tidemill.serving.online.types import JsonType, checked

_HINT = 'give {"rows": [{"column": value, ...}]} or {"columns": {"column": [value, ...]}}'


class Tolerant:
    """Reads rows for one model from plain Python values."""

    def __init__(self, columns: Sequence[tuple[str, JsonType]]) -> None:
        self._columns = tuple(columns)

    def dicts_of(self, body: bytes, *, key: str = "") -> Sequence[Mapping[str, Any]]:
        """The rows of a body.

        Raises
        ------
        BodyError
            The body is no JSON, or has neither rows nor columns.
        """
        try:
            given = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BodyError(_said(error), hint=_literal_hint(body)) from None
        except RecursionError:
            raise BodyError("the body is nested too deeply", hint=_HINT) from None
        if not isinstance(given, dict):
            raise BodyError(f"the body is not a JSON object but {_kind(given)}", hint=_HINT)
        rows, columns = given.get("rows"), given.get("columns")
        if (rows is None) == (columns is None):
            said = "neither rows nor columns" if rows is None else "both rows and columns"
            raise BodyError(f"the body has {said}", hint=_HINT)
        if columns is not None:
            return _turned(columns, {name_key(name) for name, _ in self._columns} | {name_key(key)})
        if not isinstance(rows, list):
            raise BodyError(f"rows is not an array but {_kind(rows)}", hint=_HINT)
        return rows

    def values_of(self, given: Mapping[str, Any], number: int) -> list[Any]:
        """The values of one row in the order of the model's columns.

        Raises
        ------
        InputError
            A column is missing, or a value is of another type.
        """
        if not isinstance(given, Mapping):
            raise InputError(f"row {number} is not an object but {_kind(given)}", hint=_HINT, row=number, column=None)
        known: dict[str, str] | None = None
        values = []
        for name, type_ in self._columns:
            spelled: str | None = name
            if name not in given:
                known = _keys(given) if known is None else known
                spelled = known.get(name_key(name))
            if spelled is None:
                hint = did_you_mean(name, [str(other) for other in given]) or "NULL must be said: null"
                raise InputError(f"row {number} has no column {name}", hint=hint, row=number, column=name)
            try:
                values.append(checked(type_, given[spelled]))
            except ValueError as error:
                raise InputError(f"row {number}: column {name} {error}", row=number, column=name) from None
        return values

    def key_of(self, given: Mapping[str, Any], key: str) -> Any:
        """The key's value, if it is there and plain."""
        if not isinstance(given, Mapping):
            return None
        spelled = key if key in given else _keys(given).get(name_key(key))
        value = None if spelled is None else given[spelled]
        return value if isinstance(value, str | int | float) else None


def _keys(given: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in given:
        found.setdefault(name_key(str(name)), name)
    return found


def _turned(columns: Any, wanted: set[str]) -> list[dict[str, Any]]:
    """Columns as rows; those that nobody wants need not fit, and are left out then."""
    if not isinstance(columns, dict):
        raise BodyError(f"columns is not an object but {_kind(columns)}", hint=_HINT)
    sizes = {}
    for name, values in columns.items():
        if name_key(name) not in wanted:
            continue
        if not isinstance(values, list):
            raise BodyError(f"column {name} is not an array but {_kind(values)}", hint=_HINT, column=name)
        sizes[name] = len(values)
    if len(set(sizes.values())) > 1:
        short, long = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
        message = f"column {short} has {sizes[short]} values and column {long} has {sizes[long]}"
        raise BodyError(message, hint="give each column one value a row", column=short)
    rows = next(iter(sizes.values()), None)
    fit = {name: values for name, values in columns.items() if isinstance(values, list) and rows in (None, len(values))}
    return [dict(zip(fit, row, strict=True)) for row in zip(*fit.values(), strict=rows is not None)]


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return names.get(type(value), "a number")


def _said(error: Exception) -> str:
    text = str(error).removeprefix("JSON is malformed: ")
    if isinstance(error, UnicodeDecodeError):
        return "the body is not UTF-8"
    return f"the body is not JSON: {text[:1].lower()}{text[1:]}" if text else "the body is not JSON"


def _literal_hint(body: bytes) -> str:
    """NaN and Infinity are what Python and JavaScript programs write by mistake."""
    found = next((word for word in (b"NaN", b"Infinity") if word in body), None)
    return f"JSON has no {found.decode()}; a missing number is null" if found else _HINT
