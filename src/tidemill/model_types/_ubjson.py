"""Reads the Universal Binary JSON that XGBoost writes: typed arrays become numpy arrays without a Python list between.

A forest holds millions of nodes; as Python objects they would cost gigabytes.

References
----------
https://ubjson.org (draft 12) and https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np  # noqa: TID253

# Marker -> big-endian numpy type.
_NUMBERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_STRUCTS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_CONSTANTS = {b"T": True, b"F": False, b"Z": None}


def read_ubjson(data: bytes) -> Any:
    """Plain data and numpy arrays from Universal Binary JSON.

    Raises
    ------
    ValueError
        The bytes are not Universal Binary JSON as XGBoost writes it.
    """
    try:
        value, _ = _value(data, 1, data[:1])
    except (IndexError, struct.error) as error:
        raise ValueError("the file ends in the middle of a value") from error
    return value


def _value(data: bytes, at: int, marker: bytes) -> tuple[Any, int]:
    if marker == b"{":
        return _object(data, at)
    if marker == b"[":
        return _array(data, at)
    if marker in _STRUCTS:
        return _number(data, at, marker)
    if marker == b"S":
        return _text(data, at)
    if marker == b"C":
        return data[at : at + 1].decode(), at + 1
    if marker in _CONSTANTS:
        return _CONSTANTS[marker], at
    raise ValueError(f"unknown marker {marker!r} at byte {at - 1}")


def _number(data: bytes, at: int, marker: bytes) -> tuple[Any, int]:
    form = _STRUCTS[marker]
    return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)


def _length(data: bytes, at: int) -> tuple[int, int]:
    marker = data[at : at + 1]
    if marker not in _STRUCTS:
        raise ValueError(f"a length was expected at byte {at}")
    length, at = _number(data, at + 1, marker)
    return int(length), at


def _text(data: bytes, at: int) -> tuple[str, int]:
    length, at = _length(data, at)
    return data[at : at + length].decode(), at + length


def _object(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    result: dict[str, Any] = {}
    while data[at : at + 1] != b"}":
        name, at = _text(data, at)
        result[name], at = _value(data, at + 1, data[at : at + 1])
    return result, at + 1


def _array(data: bytes, at: int) -> tuple[Any, int]:
    if data[at : at + 1] == b"$":
        marker = data[at + 1 : at + 2]
        length, at = _length(data, at + 3)
        kind = np.dtype(_NUMBERS[marker])
        values = np.frombuffer(data, dtype=kind, count=length, offset=at)
        return values.astype(kind.newbyteorder("=")), at + length * kind.itemsize
    items: list[Any] = []
    if data[at : at + 1] == b"#":
        length, at = _length(data, at + 1)
        for _ in range(length):
            item, at = _value(data, at + 1, data[at : at + 1])
            items.append(item)
        return items, at
    while data[at : at + 1] != b"]":
        item, at = _value(data, at + 1, data[at : at + 1])
        items.append(item)
    return items, at + 1
