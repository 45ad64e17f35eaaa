"""What a person says of delimited files, from a call of ``read_csv`` or the options of LOAD DATA: one row an option."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tidemill.sources.delimited.shape import Said

NO_LIMIT = 1_000_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How delimited files are to be read, as far as a person says.

    Parameters
    ----------
    types
        Declared types by name of the column, or by place (keys are numbers from 0).
    names
        The columns' names; empty to take them from the header.
    nulls
        Texts that stand for NULL besides the empty one.
    max_bad_rows
        More bad rows make the load fail; None when it is not said here.
    """

    said: Said = field(default_factory=Said)
    encoding: str = ""
    types: Mapping[str | int, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    texts: bool = False
    nulls: tuple[str, ...] = ()
    decimal: str = "."
    dates: str = ""
    stamps: str = ""
    file_name: str = ""
    by_name: bool = False
    all_rows: bool = False
    max_bad_rows: int | None = None


Apply = Callable[[Request, Any], Request]


def _said(name: str) -> Apply:
    return lambda request, value: replace(request, said=replace(request.said, **{name: value}))


def _set(name: str, convert: Callable[[Any], Any] = lambda value: value) -> Apply:
    return lambda request, value: replace(request, **{name: convert(value)})


def _types(value: Any) -> dict[str | int, str]:
    if isinstance(value, list):
        return {place: str(kind) for place, kind in enumerate(value)}
    return {str(name): str(kind) for name, kind in dict(value).items()}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in (value if isinstance(value, list) else [value]) if one != "")


def _no_limit(request: Request, value: Any) -> Request:
    return replace(request, max_bad_rows=NO_LIMIT) if value else request


def _columns(request: Request, value: Any) -> Request:
    return replace(request, types=_types(value), names=tuple(str(name) for name in dict(value)))


def _file_name(value: Any) -> str:
    return value if isinstance(value, str) else "filename" * bool(value)


def _nothing(request: Request, value: Any) -> Request:
    del value
    return request


# The options of DuckDB's read_csv that are understood. A call with any other goes to the engine as it is.
READ_CSV: dict[str, Apply] = {
    "delim": _said("delimiter"),
    "sep": _said("delimiter"),
    "quote": _said("quote"),
    "escape": _said("escape"),
    "header": _said("header"),
    "skip": _said("skip"),
    "null_padding": _said("short"),
    "encoding": _set("encoding"),
    "types": _set("types", _types),
    "dtypes": _set("types", _types),
    "column_types": _set("types", _types),
    "columns": _columns,
    "names": _set("names", lambda value: tuple(str(name) for name in value)),
    "column_names": _set("names", lambda value: tuple(str(name) for name in value)),
    "all_varchar": _set("texts", bool),
    "nullstr": _set("nulls", _texts),
    "decimal_separator": _set("decimal"),
    "dateformat": _set("dates"),
    "timestampformat": _set("stamps"),
    "filename": _set("file_name", _file_name),
    "union_by_name": _set("by_name", bool),
    "sample_size": _set("all_rows", lambda value: value == -1),
    "ignore_errors": _no_limit,
    "store_rejects": _no_limit,
    "auto_detect": _nothing,
}


def request_of(options: Mapping[str, Any]) -> Request | None:
    """What the options of a call of ``read_csv`` say; None when one of them is for the engine alone."""
    request = Request()
    for name, value in options.items():
        apply = READ_CSV.get(name.lower())
        if apply is None or (name.lower() == "auto_detect" and not value and "columns" not in options):
            return None
        request = apply(request, value)
    return request
