"""What JSON may stand for each Arrow type, and how its values are read.

Arrow's types are known here by their written form alone (``list<element: double>``): a server never loads Arrow.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional

import msgspec

from tidemill.core.arrow_text import ArrowText, read_arrow_text
from tidemill.core.errors import UnsupportedError
from tidemill.core.names import name_key

JsonKind = Literal[
    "number", "integer", "decimal", "text", "bool", "bytes", "date", "time", "datetime", "timestamp", "array", "struct"
]

#: Whole numbers up to here are floats exactly, whatever their last digits.
EXACT = 2**53

_EXACT_INT = Annotated[int, msgspec.Meta(ge=-EXACT, le=EXACT)]

#: What an engine calls a column of each kind; arrays and structs are made of these.
_SAID = {
    "number": "a number",
    "integer": "a whole number",
    "decimal": "a number",
    "text": "a string",
    "bool": "true or false",
    "bytes": "base64 text",
    "date": "a date like 2024-02-29",
    "time": "a time like 13:45:00",
    "datetime": "a time like 2024-02-29T13:45:00",
    "timestamp": "a time like 2024-02-29T13:45:00Z",
    "array": "an array",
    "struct": "an object",
}


@dataclass(frozen=True, slots=True)
class JsonType:
    """How a type is written in JSON. ``item`` of an array, ``fields`` of a struct, in order."""

    kind: JsonKind
    item: JsonType | None = None
    fields: tuple[tuple[str, JsonType], ...] = ()

    @property
    def said(self) -> str:
        """The type in a sentence: ``a whole number``."""
        return _SAID[self.kind]


def json_type(arrow: str) -> JsonType:
    """The JSON form of an Arrow type, from its written form.

    Raises
    ------
    UnsupportedError
        Nothing in JSON stands for it.
    """
    return _of(read_arrow_text(arrow), arrow)


def _of(type_: ArrowText, whole: str) -> JsonType:
    if type_.name == "list":
        return JsonType("array", item=_of(type_.fields[0][1], whole))
    if type_.name == "struct":
        return JsonType("struct", fields=tuple((name, _of(of, whole)) for name, of in type_.fields))
    if type_.name == "timestamp":
        return JsonType("timestamp" if "tz=" in type_.rest else "datetime")
    kind = next((kind for start, kind in _SCALARS if type_.name.startswith(start)), None)
    if kind is None:
        raise UnsupportedError(f"a column of type {whole} cannot be given as JSON", type=whole)
    return JsonType(kind)


_SCALARS: tuple[tuple[str, JsonKind], ...] = (
    ("int", "integer"),
    ("uint", "integer"),
    ("double", "number"),
    ("float", "number"),
    ("halffloat", "number"),
    ("decimal", "decimal"),
    ("string", "text"),
    ("large_string", "text"),
    ("utf8", "text"),
    ("null", "text"),
    ("bool", "bool"),
    ("date", "date"),
    ("time", "time"),
    ("binary", "bytes"),
    ("large_binary", "bytes"),
    ("fixed_size_binary", "bytes"),
    ("extension", "bytes"),
)


def strict_type(type_: JsonType, *, name: str = "Value") -> Any:
    """The type that msgspec decodes straight into; NULL is allowed everywhere.

    Whole numbers are held inside what a float says exactly: what is larger takes the tolerant path, which looks closer.
    """
    match type_.kind:
        case "number":
            return float | None
        case "integer":
            return Optional[_EXACT_INT]  # noqa: UP045  an Annotated knows no `|`
        case "decimal":
            return _EXACT_INT | float | None
        case "bool":
            return bool | None
        case "array":
            assert type_.item is not None  # noqa: S101  an array has an item
            return Optional[list[strict_type(type_.item, name=name)]]  # type: ignore[misc]  # noqa: UP045
        case "struct":
            return Optional[struct_of(name, type_.fields)]  # noqa: UP045
        case _:
            return str | None


def struct_of(name: str, columns: Sequence[tuple[str, JsonType]]) -> type[msgspec.Struct]:
    """A msgspec struct with a field per column: ``f0``, ``f1``, ..., spelled as the columns are."""
    return msgspec.defstruct(
        name,
        [(f"f{i}", strict_type(type_, name=f"{name}{i}")) for i, (_, type_) in enumerate(columns)],
        rename={f"f{i}": column for i, (column, _) in enumerate(columns)},
        gc=False,
    )


def checked(type_: JsonType, value: Any) -> Any:
    """A value as the strict decoder would give it, from JSON that it would not take; None is NULL.

    Taken besides: whole numbers written as floats, decimals written as text, large whole numbers that are floats
    exactly, objects whose names differ in letter case.

    Raises
    ------
    ValueError
        It is of another type; the message completes "column x ...".
    """
    if value is None:
        return None
    match type_.kind:
        case "number" | "integer" | "decimal":
            return _number(type_, value)
        case "bool":
            if isinstance(value, bool):
                return value
        case "array":
            if isinstance(value, list | tuple):
                assert type_.item is not None  # noqa: S101  an array has an item
                return [checked(type_.item, item) for item in value]
        case "struct":
            if isinstance(value, Mapping):
                return _fields(type_, value)
        case _:
            if isinstance(value, str):
                return _text(value)
    raise _no(type_, value)


def _no(type_: JsonType, value: Any) -> ValueError:
    return ValueError(f"takes {type_.said}; got {_shown(value)}")


def _number(type_: JsonType, value: Any) -> float | int:
    if type_.kind == "decimal" and isinstance(value, str):
        try:
            value = float(value) if not value.lstrip("+-").isdigit() else int(value)
        except ValueError:
            raise _no(type_, value) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _no(type_, value)
    if isinstance(value, float):
        if value - value != 0.0:
            raise ValueError(f"takes {type_.said}; NULL is null, not {value}")
        if type_.kind == "integer":
            if not value.is_integer():
                raise ValueError(f"takes {type_.said}, and {value!r} has a fraction")
            return int(value)
        return value
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"takes numbers within the range of float64, and {_shown(value)} is not") from None
    if type_.kind != "number" and int(number) != value:
        raise ValueError(f"takes numbers that float64 holds exactly, and {value} would become {int(number)}")
    return number if type_.kind == "number" else value


def _fields(type_: JsonType, value: Mapping[str, Any]) -> dict[str, Any]:
    known = {name_key(str(name)): name for name in value}
    found = {}
    for name, of in type_.fields:
        spelled = name if name in value else known.get(name_key(name))
        if spelled is None:
            raise ValueError(f"takes an object with {name}, which is missing (NULL is null)")
        try:
            found[name] = checked(of, value[spelled])
        except ValueError as error:
            raise ValueError(f"field {name} {error}") from None
    return found


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("takes text; got half of a surrogate pair") from None
    return value


def _shown(value: Any) -> str:
    """A value as JSON has it; a text between single quotes, as elsewhere in messages."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else f"{text[:57]}..."


def bytes_of(text: str) -> bytes:
    """The bytes behind base64.

    Raises
    ------
    ValueError
        It is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def python_value(type_: JsonType, value: Any) -> Any:
    """A checked value as `features.row` takes it: bytes are bytes, the rest stays as JSON has it."""
    if value is None:
        return None
    if type_.kind == "bytes":
        return bytes_of(value)
    if type_.kind == "array":
        assert type_.item is not None  # noqa: S101  an array has an item
        return [python_value(type_.item, item) for item in value]
    if type_.kind == "struct":
        return {
            name: python_value(of, part) for (name, of), part in zip(type_.fields, _parts_of(type_, value), strict=True)
        }
    return value


def _parts_of(type_: JsonType, value: Any) -> tuple[Any, ...]:
    return tuple(value[name] for name, _ in type_.fields) if isinstance(value, dict) else msgspec.structs.astuple(value)
