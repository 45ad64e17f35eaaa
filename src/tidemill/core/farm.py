"""FARM_FINGERPRINT: Google's farmhash Fingerprint64, the hash behind ML.HASH_BUCKETIZE.

A warehouse offers it to SQL as the function `FUNCTION` (VARCHAR to an unsigned 64-bit number, NULL for NULL).

References
----------
.. [1] https://github.com/google/farmhash, farmhashna::Hash64, which Fingerprint64 is
.. [2] https://cloud.google.com/bigquery/docs/reference/standard-sql/hash_functions#farm_fingerprint
"""

from __future__ import annotations

FUNCTION = "tidemill_farm_fingerprint"

_MASK = 2**64 - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F


def fingerprint(text: str) -> int:
    """The unsigned 64-bit fingerprint of a string's UTF-8 bytes."""
    data = text.encode()
    size = len(data)
    if size <= 16:
        return _to_16(data, size)
    if size <= 64:
        return _to_64(data, size)
    return _long(data, size)


def _fetch(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 8], "little")


def _rotate(value: int, by: int) -> int:
    value &= _MASK
    return (value >> by) | (value << (64 - by) & _MASK)


def _mix(value: int) -> int:
    value &= _MASK
    return value ^ (value >> 47)


def _pair(u: int, v: int, factor: int) -> int:
    v &= _MASK
    a = _mix(((u & _MASK) ^ v) * factor)
    b = _mix((v ^ a) * factor)
    return b * factor & _MASK


def _to_16(data: bytes, size: int) -> int:
    factor = _K2 + size * 2
    if size >= 8:
        a, b = _fetch(data, 0) + _K2, _fetch(data, size - 8)
        return _pair(_rotate(b, 37) * factor + a, (_rotate(a, 25) + b) * factor, factor)
    if size >= 4:
        head, tail = int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
        return _pair(size + (head << 3), tail, factor)
    if size:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[-1] << 2)
        return _mix((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _to_64(data: bytes, size: int) -> int:
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


def _weak(data: bytes, place: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_fetch(data, place + offset) for offset in (0, 8, 16, 24))
    a += w
    b = _rotate(b + a + z, 21)
    c = a
    a += x + y
    return (a + z) & _MASK, (b + _rotate(a, 44) + c) & _MASK


def _long(data: bytes, size: int) -> int:
    x, y = 81, (81 * _K1 + 113) & _MASK
    z = _mix(y * _K2 + 113) * _K2 & _MASK
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _fetch(data, 0)) & _MASK
    for place in range(0, (size - 1) // 64 * 64, 64):
        x = _rotate(x + y + v[0] + _fetch(data, place + 8), 37) * _K1 ^ w[1]
        y = _rotate(y + v[1] + _fetch(data, place + 48), 42) * _K1 + v[0] + _fetch(data, place + 40)
        z = _rotate(z + w[0], 33) * _K1
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
