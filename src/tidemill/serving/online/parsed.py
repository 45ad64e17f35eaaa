"""Rows as a model read them: their tensors, their keys, and their JSON for the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidemill.core.errors import InputError
from tidemill.features.onnx_feed import Feed
from tidemill.serving.log.texts import text_or_none

_encode = msgspec.json.Encoder().encode


class Parsed:
    """The rows of one request; made by `OnlineModel.rows_of_body` and `rows_of_dicts`.

    Attributes
    ----------
    n
        How many rows there are.
    keys
        The value of the key column per row, as text; None where it is missing or NULL.
    feed
        The tensors of the graph.
    errors
        Empty, or per row what is wrong with it: such rows are not in ``feed``.
    body, dicts
        What the rows were read from, so that another version can read them its own way (`OnlineModel.reread`).
    """

    __slots__ = ("_columns", "_logged", "_rows", "body", "dicts", "errors", "feed", "keys", "n")

    def __init__(
        self,
        n: int,
        keys: list[str | None],
        feed: Feed,
        *,
        rows: Sequence[msgspec.Struct | None] | None = None,
        columns: Mapping[str, Sequence[Any]] | msgspec.Struct | None = None,
        body: bytes = b"",
        logged: bytes = b"",
        dicts: Sequence[Mapping[str, Any]] | None = None,
        errors: Sequence[InputError | None] = (),
    ) -> None:
        self.n = n
        self.keys = keys
        self.feed = feed
        self.errors = errors
        self.body = body
        self.dicts = dicts
        self._rows = rows
        self._logged = logged
        self._columns = columns

    def inputs_json(self) -> bytes:
        """What the model read, as ``{"rows": [...]}`` or ``{"columns": {...}}``: its own columns, in its own spelling.

        A row that could not be read is null.
        """
        if self._logged:  # the body holds just that
            return self._logged
        if self._rows is not None:
            return _encode({"rows": self._rows})
        return _encode({"columns": self._columns})

    def values(self, width: int) -> list[tuple[Any, ...]]:
        """The values of the rows that could be read, row by row: the model's columns, of which there are ``width``."""
        if self._rows is not None:
            return [msgspec.structs.astuple(row)[:width] for row in self._rows if row is not None]
        assert self._columns is not None  # noqa: S101  there are rows or columns
        if isinstance(self._columns, msgspec.Struct):
            columns = msgspec.structs.astuple(self._columns)[:width]
        else:
            columns = tuple(self._columns.values())
        return list(zip(*columns, strict=True))


def key_text(value: Any) -> str | None:
    """A key as text, the same as a label's key: 7, 7.0 and "7" are one key."""
    return None if value is msgspec.UNSET else text_or_none(value)
