"""Room on the stack for nested SQL: sqlglot's parser takes some twenty Python frames for each parenthesis."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

FRAMES = 12_000
_LOCK = threading.Lock()


class _Users:
    """How many threads are inside, and the limit to go back to when the last one leaves."""

    count = 0
    before = 0


@contextmanager
def deep_stack() -> Iterator[None]:
    """Raise the interpreter's recursion limit while SQL is read or written, and put it back behind the last user."""
    with _LOCK:
        if _Users.count == 0:
            _Users.before = sys.getrecursionlimit()
            sys.setrecursionlimit(max(_Users.before, FRAMES))
        _Users.count += 1
    try:
        yield
    finally:
        with _LOCK:
            _Users.count -= 1
            if _Users.count == 0:
                sys.setrecursionlimit(_Users.before)
