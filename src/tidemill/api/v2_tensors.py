"""Tensors of the Open Inference Protocol: JSON data, nested or flat, and raw bytes behind the JSON.

References
----------
.. [1] https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
.. [2] Binary tensor data extension.
   https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

from tidemill.core.errors import BodyError, InputError

#: Letters of the struct module; None has no fixed size.
DATATYPES: dict[str, str | None] = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
    "BYTES": None,
}
FLOATS = frozenset({"FP16", "FP32", "FP64"})


def check_tensor(name: str, datatype: str, shape: Sequence[int], *, most: int) -> int:
    """How many elements a tensor has.

    Raises
    ------
    BodyError
        The datatype does not exist, or the shape is none.
    """
    if datatype not in DATATYPES:
        raise BodyError(
            f"input {name!r}: there is no datatype {datatype[:40]!r}", hint=f"known: {', '.join(DATATYPES)}", field=name
        )
    if not shape or any(size < 0 for size in shape):
        raise BodyError(f"input {name!r}: the shape {list(shape)[:8]} is none: sizes are 0 or more", field=name)
    count = prod(shape)
    if count > most:
        # Not the number itself: sizes of a thousand digits each are more than Python writes down.
        raise BodyError(f"input {name!r}: a tensor of more than {most:,} elements is not read", field=name)
    return count


def json_elements(name: str, datatype: str, shape: Sequence[int], data: Any, count: int) -> list[Any]:
    """The elements of JSON data in row-major order, whether nested as the shape says or flat.

    Raises
    ------
    BodyError
        They are not as many as the shape says, or are nested another way.
    """
    if not isinstance(data, list):
        raise BodyError(f"input {name!r}: data is no array", field=name)
    if any(isinstance(one, list) for one in data):
        data = _flat(name, data, shape)
    if len(data) != count:
        raise BodyError(
            f"input {name!r}: its shape {list(shape)} takes {count:,} elements, and data has {len(data):,}", field=name
        )
    wrong = next((i for i, one in enumerate(data) if not _fits(one, datatype)), None)
    if wrong is not None:
        raise InputError(f"input {name!r}: element {wrong} is no {datatype}", column=name, row=wrong)
    if datatype not in FLOATS:
        return list(data)
    try:
        return [float(one) if isinstance(one, int) else one for one in data]
    except OverflowError:
        raise InputError(f"input {name!r}: a number is larger than {datatype} holds", column=name) from None


def _flat(name: str, data: list[Any], shape: Sequence[int]) -> list[Any]:
    """Take the nesting apart, level by level: there are as many levels as the shape has sizes."""
    level = [data]
    for size in shape:
        if any(not isinstance(one, list) or len(one) != size for one in level):
            raise BodyError(f"input {name!r}: data is not nested as its shape {list(shape)} says", field=name)
        level = [element for one in level for element in one]
    if any(isinstance(one, list) for one in level):
        raise BodyError(f"input {name!r}: data is nested deeper than its shape {list(shape)}", field=name)
    return level


_RANGES = {
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
}


def _fits(value: Any, datatype: str) -> bool:
    """Whether a JSON value is of a datatype; null is a missing value in all of them."""
    if value is None:
        return True
    if datatype == "BYTES":
        return isinstance(value, str)
    if datatype == "BOOL":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if datatype in FLOATS:
        return isinstance(value, int | float)
    low, high = _RANGES[datatype]
    return isinstance(value, int) and low <= value <= high


def binary_elements(name: str, datatype: str, raw: bytes, count: int) -> list[Any]:
    """The elements of raw little-endian bytes; NaN is a missing value, BYTES stand behind their lengths.

    Raises
    ------
    BodyError
        The bytes are not as many as the elements take, or text is not UTF-8.
    """
    letter = DATATYPES[datatype]
    if letter is None:
        return _byte_elements(name, raw, count)
    if len(raw) != count * struct.calcsize(f"<{letter}"):
        raise BodyError(f"input {name!r}: {count:,} elements of {datatype} are not {len(raw):,} bytes", field=name)
    elements = list(struct.unpack(f"<{count}{letter}", raw))
    if datatype in FLOATS:
        return [None if one != one else one for one in elements]  # NaN differs from itself
    return elements


def _byte_elements(name: str, raw: bytes, count: int) -> list[Any]:
    elements: list[Any] = []
    at = 0
    while at < len(raw) and len(elements) < count:
        if at + 4 > len(raw):
            break
        (size,) = struct.unpack_from("<I", raw, at)
        at += 4
        if at + size > len(raw):
            break
        try:
            elements.append(raw[at : at + size].decode())
        except UnicodeDecodeError:
            raise BodyError(f"input {name!r}: element {len(elements)} is not UTF-8 text", field=name) from None
        at += size
    if at != len(raw) or len(elements) != count:
        raise BodyError(f"input {name!r}: its bytes do not hold {count:,} elements behind their lengths", field=name)
    return elements


def to_binary(datatype: str, elements: Sequence[Any]) -> bytes:
    """Elements as raw little-endian bytes; None is NaN in floats, empty text in BYTES, and 0 elsewhere."""
    letter = DATATYPES[datatype]
    if letter is None:
        encoded = [b"" if one is None else str(one).encode() for one in elements]
        return b"".join(struct.pack("<I", len(one)) + one for one in encoded)
    missing = float("nan") if datatype in FLOATS else 0
    return struct.pack(f"<{len(elements)}{letter}", *(missing if one is None else one for one in elements))
