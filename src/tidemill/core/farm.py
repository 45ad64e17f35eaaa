"""FARM_FINGERPRINT: Google's farmhash Fingerprint64, the hash behind ML.HASH_BUCKETIZE.

A warehouse offers it to SQL as the functions of `SQL_FUNCTIONS`. The arithmetic is written once, for one string and
for a whole column of strings of one length: numpy's unsigned numbers wrap where Python's are masked.

References
----------
.. [1] https://github.com/google/farmhash, farmhashna::Hash64, which Fingerprint64 is
.. [2] https://cloud.google.com/bigquery/docs/reference/standard-sql/hash_functions#farm_fingerprint
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FUNCTION = "tidemill_farm_fingerprint"
SIGNED = "farm_fingerprint"
SIGNED_BYTES = "farm_fingerprint_bytes"
SQL_FUNCTIONS = (FUNCTION, SIGNED, SIGNED_BYTES)
"""VARCHAR to an unsigned 64-bit number; VARCHAR and BLOB to a signed one, as BigQuery gives it. NULL gives NULL."""

_MASK = 2**64 - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F


def fingerprint(value: str | bytes) -> int:
    """The unsigned 64-bit fingerprint of bytes, or of a string's UTF-8 bytes."""
    data = value.encode() if isinstance(value, str) else value
    return int(_hash(data, len(data)))


def signed_fingerprint(value: str | bytes) -> int:
    """The fingerprint as BigQuery's INT64."""
    unsigned = fingerprint(value)
    return unsigned - 2**64 if unsigned >= 2**63 else unsigned


def fingerprints(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The unsigned fingerprints of a column of strings or bytes; NULL stays NULL."""
    import numpy as np
    import pyarrow as pa

    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    column = values.cast(pa.large_binary()).fill_null(b"")
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int64)[column.offset : column.offset + len(column) + 1]
    # Eight bytes behind the last, so that a word can be read at any byte of the text.
    text = np.concatenate([np.frombuffer(column.buffers()[2] or b"", dtype=np.uint8), np.zeros(8, dtype=np.uint8)])
    starts, sizes = offsets[:-1], np.diff(offsets)
    hashes = np.empty(len(column), dtype=np.uint64)
    order = np.argsort(sizes, kind="stable")
    ends = np.flatnonzero(np.diff(sizes[order])) + 1
    for chosen in np.split(order, ends) if len(order) else []:
        hashes[chosen] = _hash(_Strings(text, starts[chosen]), int(sizes[chosen[0]]))
    return pa.array(hashes, mask=np.asarray(values.is_null()))


def signed_fingerprints(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The fingerprints as BigQuery's INT64."""
    import pyarrow as pa

    return fingerprints(values).view(pa.int64())


@dataclass(frozen=True, slots=True)
class _Strings:
    """Strings of one length: all their text, and where each begins."""

    text: np.ndarray
    starts: np.ndarray

    def word(self, place: int, width: int) -> np.ndarray:
        """The little-endian number in some bytes of each string."""
        import numpy as np

        count = len(self.text) - width + 1
        words: np.ndarray = np.ndarray((count,), dtype=f"<u{width}", buffer=self.text.data, strides=(1,))
        return np.asarray(words[self.starts + place], dtype=np.uint64)


def _hash(data: bytes | _Strings, size: int) -> Any:
    if size <= 16:
        return _to_16(data, size)
    return _to_64(data, size) if size <= 64 else _long(data, size)


def _fetch(data: bytes | _Strings, place: int, width: int = 8) -> Any:
    if isinstance(data, _Strings):
        return data.word(place, width)
    return int.from_bytes(data[place : place + width], "little")


def _rotate(value: Any, by: int) -> Any:
    value = value & _MASK
    return (value >> by) | (value << (64 - by) & _MASK)


def _mix(value: Any) -> Any:
    value = value & _MASK
    return value ^ (value >> 47)


def _pair(u: Any, v: Any, factor: Any) -> Any:
    v = v & _MASK
    a = _mix(((u & _MASK) ^ v) * factor)
    b = _mix((v ^ a) * factor)
    return b * factor & _MASK


def _to_16(data: bytes | _Strings, size: int) -> Any:
    factor = _K2 + size * 2
    if size >= 8:
        a, b = _fetch(data, 0) + _K2, _fetch(data, size - 8)
        return _pair(_rotate(b, 37) * factor + a, (_rotate(a, 25) + b) * factor, factor)
    if size >= 4:
        head, tail = _fetch(data, 0, 4), _fetch(data, size - 4, 4)
        return _pair(size + (head << 3), tail, factor)
    if size:
        y = _fetch(data, 0, 1) + (_fetch(data, size >> 1, 1) << 8)
        z = size + (_fetch(data, size - 1, 1) << 2)
        return _mix((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _to_64(data: bytes | _Strings, size: int) -> Any:
    factor = _K2 + size * 2
    a = _fetch(data, 0) * (_K1 if size <= 32 else _K2)
    b = _fetch(data, 8)
    c = _fetch(data, size - 8) * factor
    d = _fetch(data, size - 16) * _K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    z = a + _rotate(b + _K2, 18) + c
    if size <= 32:
        return _pair(y, z, factor)
    z = _pair(y, z, factor)
    e = _fetch(data, 16) * factor
    f = _fetch(data, 24)
    g = (y + _fetch(data, size - 32)) * factor
    h = (z + _fetch(data, size - 24)) * factor
    return _pair(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + a, 18) + g, factor)


def _weak(data: bytes | _Strings, place: int, a: Any, b: Any) -> tuple[Any, Any]:
    w, x, y, z = (_fetch(data, place + offset) for offset in (0, 8, 16, 24))
    a = (a & _MASK) + w
    b = _rotate((b & _MASK) + a + z, 21)
    c = a
    a = a + x + y
    return (a + z) & _MASK, (b + _rotate(a, 44) + c) & _MASK


def _long(data: bytes | _Strings, size: int) -> Any:
    x: Any = 81 * _K2 & _MASK
    y: Any = (81 * _K1 + 113) & _MASK
    z: Any = _mix(y * _K2 + 113) * _K2 & _MASK
    v: tuple[Any, Any] = (0, 0)
    w: tuple[Any, Any] = (0, 0)
    x = (x + _fetch(data, 0)) & _MASK
    for place in range(0, (size - 1) // 64 * 64, 64):
        x = _rotate(x + y + v[0] + _fetch(data, place + 8), 37) * _K1 ^ w[1]
        y = _rotate(y + v[1] + _fetch(data, place + 48), 42) * _K1 + v[0] + _fetch(data, place + 40)
        z = _rotate(z + w[0], 33) * _K1 & _MASK
        v = _weak(data, place, v[1] * _K1, x + w[0])
        w = _weak(data, place + 32, z + w[1], y + _fetch(data, place + 16))
        x, y, z = z & _MASK, y & _MASK, x & _MASK
    factor = _K1 + ((z & 0xFF) << 1)
    place = size - 64
    w = (w[0] + ((size - 1) & 63), w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    x = _rotate(x + y + v[0] + _fetch(data, place + 8), 37) * factor ^ w[1] * 9
    y = _rotate(y + v[1] + _fetch(data, place + 48), 42) * factor + v[0] * 9 + _fetch(data, place + 40)
    z = _rotate(z + w[0], 33) * factor
    v = _weak(data, place, v[1] * factor, x + w[0])
    w = _weak(data, place + 32, z + w[1], y + _fetch(data, place + 16))
    x, z = z, x
    left = _pair(v[0], w[0], factor) + _mix(y) * _K0 + z
    return _pair(left, _pair(v[1], w[1], factor) + x, factor)
