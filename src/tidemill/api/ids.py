"""Ids of predictions: they sort by the millisecond they were made in, and no two workers make the same."""

from __future__ import annotations

import itertools
import os

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _DIGITS for low in _DIGITS]
_ENDINGS = [f"-{i}" for i in range(1024)]


class Ids:
    """Hands out ids of 26 characters: 10 of time, 12 of this worker's own random digits, 4 that count.

    Parameters
    ----------
    seed
        Eight bytes or more that no other worker has; random when not given.
    """

    def __init__(self, seed: bytes | None = None) -> None:
        number = int.from_bytes((seed or os.urandom(8))[:8], "big")
        self._mine = "".join(_PAIRS[number >> shift & 1023] for shift in range(0, 60, 10))
        self._millisecond = -1
        self._head = ""
        self._turn = itertools.count(1).__next__  # one step of C: threads may share it

    def next(self, now_ns: int) -> str:
        """An id of this moment, in nanoseconds since 1970."""
        millisecond = now_ns // 1_000_000
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            self._head = "".join(_PAIRS[millisecond >> shift & 1023] for shift in (40, 30, 20, 10, 0)) + self._mine
        count = self._turn()
        return self._head + _PAIRS[count >> 10 & 1023] + _PAIRS[count & 1023]


def row_ids(base: str, rows: int) -> list[str]:
    """The ids of a request's rows: its own for one row, ``<id>-0``, ``<id>-1``, ... for several."""
    if rows == 1:
        return [base]
    if rows > len(_ENDINGS):
        return [f"{base}-{i}" for i in range(rows)]
    return [base + ending for ending in _ENDINGS[:rows]]
