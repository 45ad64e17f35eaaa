"""Reads rows from JSON: straight into typed structs, and more patiently where that fails.

The strict way costs 1 us for a row of 16 columns. It takes names as they are spelled in training; what it refuses is
read again by `tolerant`, which looks at letter case, at numbers written as other types, and says what is wrong where.
Before it stands an exact way, which takes no other columns either: what it has read can be logged as it came, and 100
rows need not be written again (50 us). It gives up at the first other name, so that trying it costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from msgspec.structs import astuple

from tidemill.core.errors import BodyError, InputError
from tidemill.core.names import name_key
from tidemill.features.onnx_feed import Feed
from tidemill.serving.online.parsed import Parsed, key_text
from tidemill.serving.online.tolerant import Tolerant
from tidemill.serving.online.types import JsonType, strict_type

_KEY = "key_"


class Maker(Protocol):
    """Makes the tensors of a graph from the values of a model's columns (`feed`, `transformed`)."""

    def of_row(self, values: Sequence[Any]) -> Feed:
        """The tensors of one row."""

    def of_columns(self, values: Sequence[Sequence[Any]]) -> Feed:
        """The tensors of many rows, whose values come by column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How bodies are decoded for one key column.

    ``key_at`` is the key's place among the values (-1: no key); ``extra`` that it is no column of the model.
    """

    exact: msgspec.json.Decoder[Any]
    decoder: msgspec.json.Decoder[Any]
    row: type[msgspec.Struct]
    key_at: int
    extra: bool


class BodyReader:
    """Reads bodies for one model.

    Parameters
    ----------
    columns
        Name and type of each column of the model.
    maker
        Makes the tensors.
    """

    def __init__(self, columns: Sequence[tuple[str, JsonType]], maker: Maker) -> None:
        self._columns = tuple(columns)
        self._width = len(self._columns)
        self._maker = maker
        self._forms: dict[str, _Form] = {}
        self._tolerant = Tolerant(columns)

    def read(self, body: bytes, *, key: str = "", each: bool = False) -> Parsed:
        """Rows of a body; see `OnlineModel.rows_of_body`."""
        form = self._forms.get(key) or self._form(key)
        logged = b"" if form.extra else body
        try:
            given = form.exact.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            try:
                given, logged = form.decoder.decode(body), b""
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return self._patiently(body, form, key=key, each=each)
        rows = given.rows
        if rows is not msgspec.UNSET and given.columns is msgspec.UNSET:
            if len(rows) == 1:
                values = astuple(rows[0])
                try:
                    feed = self._maker.of_row(values)
                except InputError:
                    if each:
                        return self._patiently(body, form, key=key, each=each)
                    raise
                keys: list[str | None] = [key_text(values[form.key_at]) if form.key_at >= 0 else None]
                if form.extra:
                    rows[0].key_ = msgspec.UNSET  # it is no input: left out of `inputs_json`
                return Parsed(1, keys, feed, rows=rows, body=body, logged=logged)
            if rows and not each:
                return self._rows(rows, form, body, logged)
        elif given.columns is not msgspec.UNSET and rows is msgspec.UNSET and not each:
            found = self._by_column(given.columns, form, body, logged)
            if found is not None:
                return found
        return self._patiently(body, form, key=key, each=each)

    def read_dicts(self, dicts: Sequence[Mapping[str, Any]], *, key: str = "", each: bool = False) -> Parsed:
        """Rows that are Python values already; see `OnlineModel.rows_of_dicts`."""
        form = self._forms.get(key) or self._form(key)
        parsed = self._checked(dicts, form, key=key, each=each)
        parsed.dicts = dicts
        return parsed

    # -- the strict way

    def _rows(self, rows: list[msgspec.Struct], form: _Form, body: bytes, logged: bytes) -> Parsed:
        columns = list(zip(*map(astuple, rows), strict=True))
        feed = self._maker.of_columns(columns)
        keys: list[str | None] = [None] * len(rows)
        if form.key_at >= 0:
            keys = [key_text(value) for value in columns[form.key_at]]
        if form.extra:
            for row in rows:
                row.key_ = msgspec.UNSET  # type: ignore[attr-defined]
        return Parsed(len(rows), keys, feed, rows=rows, body=body, logged=logged)

    def _by_column(self, given: Any, form: _Form, body: bytes, logged: bytes) -> Parsed | None:
        columns = astuple(given)
        n = len(columns[0])
        if any(len(column) != n for column in columns[: self._width]) or not n:
            return None
        feed = self._maker.of_row([column[0] for column in columns[: self._width]]) if n == 1 else None
        feed = feed or self._maker.of_columns(columns)
        keys: list[str | None] = [None] * n
        if form.key_at >= 0 and columns[form.key_at] is not msgspec.UNSET:
            if len(columns[form.key_at]) != n:
                return None
            keys = [key_text(value) for value in columns[form.key_at]]
        if form.extra:
            given.key_ = msgspec.UNSET
        return Parsed(n, keys, feed, columns=given, body=body, logged=logged)

    def _form(self, key: str) -> _Form:
        wanted = name_key(key)
        key_at = next((i for i, (name, _) in enumerate(self._columns) if key and name_key(name) == wanted), -1)
        extra = bool(key) and key_at < 0
        fields = [(f"f{i}", strict_type(type_, name=f"Row{i}")) for i, (_, type_) in enumerate(self._columns)]
        rename = {f"f{i}": name for i, (name, _) in enumerate(self._columns)}
        lists: list[Any] = [(name, list[type_]) for name, type_ in fields]  # type: ignore[valid-type]
        row_fields: list[Any] = list(fields)
        if extra:
            key_at = self._width
            rename[_KEY] = key
            one = str | int | float | bool | None
            row_fields.append((_KEY, one | msgspec.UnsetType, msgspec.UNSET))
            lists.append((_KEY, list[one] | msgspec.UnsetType, msgspec.UNSET))
        exact, _ = _decoder(row_fields, lists, rename, exact=True)
        decoder, row = _decoder(row_fields, lists, rename, exact=False)
        form = _Form(exact=exact, decoder=decoder, row=row, key_at=key_at, extra=extra)
        if len(self._forms) < 8:  # a deployment has one key; no caller may fill the memory with others
            self._forms[key] = form
        return form

    # -- the patient way

    def _patiently(self, body: bytes, form: _Form, *, key: str, each: bool) -> Parsed:
        parsed = self._checked(self._tolerant.dicts_of(body, key=key), form, key=key, each=each)
        parsed.body = body
        return parsed

    def _checked(self, dicts: Sequence[Mapping[str, Any]], form: _Form, *, key: str, each: bool) -> Parsed:
        if not dicts:
            raise BodyError("there are no rows", hint='give {"rows": [{...}]} with at least one')
        rows: list[msgspec.Struct | None] = []
        errors: list[InputError | None] = []
        feeds: list[Sequence[Any]] = []
        for number, given in enumerate(dicts):
            try:
                values = self._tolerant.values_of(given, number)
                if each:
                    self._try(values, number)
            except InputError as error:
                if not each:
                    raise
                rows.append(None)
                errors.append(error)
                continue
            rows.append(form.row(*values))
            errors.append(None)
            feeds.append(values)
        keys = [key_text(self._tolerant.key_of(given, key)) if key else None for given in dicts]
        feed = self._maker.of_columns(list(zip(*feeds, strict=True))) if feeds else {}
        return Parsed(len(dicts), keys, feed, rows=rows, errors=errors if any(errors) else ())

    def _try(self, values: Sequence[Any], number: int) -> None:
        try:
            self._maker.of_row(values)
        except InputError as error:
            column = error.facts.get("column")
            message = error.message.replace("row 0", f"row {number}", 1)
            raise InputError(message, hint=error.hint, row=number, column=column) from None


def _decoder(
    row_fields: list[Any], list_fields: list[Any], rename: dict[str, str], *, exact: bool
) -> tuple[msgspec.json.Decoder[Any], type[msgspec.Struct]]:
    """A decoder of bodies, and the struct of one row; an exact one refuses names that are not expected."""
    row = msgspec.defstruct("Row", row_fields, rename=rename, gc=False, forbid_unknown_fields=exact)
    columns = msgspec.defstruct("Columns", list_fields, rename=rename, gc=False, forbid_unknown_fields=exact)
    unset = msgspec.UnsetType
    fields: list[Any] = [("rows", list[row] | unset, msgspec.UNSET), ("columns", columns | unset, msgspec.UNSET)]  # type: ignore[valid-type]
    return msgspec.json.Decoder(msgspec.defstruct("Body", fields, gc=False, forbid_unknown_fields=exact)), row
