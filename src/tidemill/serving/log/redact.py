"""Hashing and leaving out values before they are logged, as ``hash_columns`` and ``omit_columns`` of a deployment say.

A hashed value is HMAC-SHA256 of its text under a key of the project: equal values stay equal, and joinable, and nobody
without the key can try values until one fits.

References
----------
.. [1] H. Krawczyk, M. Bellare, R. Canetti, HMAC: Keyed-Hashing for Message Authentication, RFC 2104.
   https://doi.org/10.17487/RFC2104
"""

from __future__ import annotations

import contextlib
import hmac
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tidemill.core.errors import CorruptError
from tidemill.core.names import name_key
from tidemill.serving.log.texts import text_of

KEY_BYTES = 32
PREFIX = "hmac:"

_Value = TypeVar("_Value")
_NULL = msgspec.Raw(b"null")


class Inputs(msgspec.Struct):
    """Rows or columns as they are logged, each value as its JSON. A row that could not be read is null."""

    rows: list[dict[str, msgspec.Raw] | None] | msgspec.UnsetType = msgspec.UNSET
    columns: dict[str, list[msgspec.Raw]] | msgspec.UnsetType = msgspec.UNSET


_inputs = msgspec.json.Decoder(Inputs)


def read_inputs(rows_json: bytes) -> Inputs:
    """``{"rows": [...]}`` or ``{"columns": {...}}``."""
    return _inputs.decode(rows_json)


def log_key(folder: Path) -> bytes:
    """The project's key for hashed values: ``log.key`` in ``.tidemill/serve``, made when it is first needed.

    Raises
    ------
    CorruptError
        The file does not hold a key.
    """
    path = folder / "log.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _make_key(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise CorruptError(
            f"{path} does not hold a key of {KEY_BYTES} bytes",
            hint="restore it from a backup: values hashed with another key do not join with those of before",
            file=str(path),
        )
    return key


def hashed(value: Any, key: bytes) -> str:
    """The keyed digest of a value's text, so that a key given as text and one given as a number agree."""
    return PREFIX + hmac.digest(key, text_of(value).encode(), "sha256").hex()


def redact_keys(
    keys: Sequence[str | None], column: str, *, hash_columns: Collection[str], omit_columns: Collection[str], key: bytes
) -> list[str | None]:
    """The entity keys as they are logged: like the values of the column they come from."""
    if _named(column, omit_columns):
        return [None] * len(keys)
    if _named(column, hash_columns):
        return [None if one is None else hashed(one, key) for one in keys]
    return list(keys)


def redact(rows_json: bytes, hash_columns: Collection[str], omit_columns: Collection[str], key: bytes) -> bytes:
    """``{"rows": [...]}`` or ``{"columns": {...}}`` with values hashed or left out. All other values keep their text.

    Parameters
    ----------
    hash_columns, omit_columns
        Names of columns, in any letter case.
    key
        What `log_key` gives.
    """
    if not hash_columns and not omit_columns:
        return rows_json
    hash_keys, omit_keys = {name_key(name) for name in hash_columns}, {name_key(name) for name in omit_columns}

    def digest(value: msgspec.Raw) -> msgspec.Raw:
        if bytes(value) == b"null":
            return _NULL
        return msgspec.Raw(msgspec.json.encode(hashed(msgspec.json.decode(value), key)))

    found = read_inputs(rows_json)
    if found.rows is not msgspec.UNSET:
        found.rows = [None if row is None else _changed(row, hash_keys, omit_keys, digest) for row in found.rows]
    if found.columns is not msgspec.UNSET:
        found.columns = _changed(found.columns, hash_keys, omit_keys, lambda values: [digest(one) for one in values])
    return msgspec.json.encode(found)


def _changed(
    values: Mapping[str, _Value], hash_keys: set[str], omit_keys: set[str], change: Callable[[_Value], _Value]
) -> dict[str, _Value]:
    return {
        name: change(value) if name_key(name) in hash_keys else value
        for name, value in values.items()
        if name_key(name) not in omit_keys
    }


def _named(column: str, columns: Collection[str]) -> bool:
    return name_key(column) in {name_key(name) for name in columns}


def _make_key(path: Path) -> None:
    """Write a new key; of several processes that do so at once, the first wins."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, os.urandom(KEY_BYTES))
        os.fsync(handle)
    finally:
        os.close(handle)
    with contextlib.suppress(FileExistsError):
        os.link(new, path)
    new.unlink()
