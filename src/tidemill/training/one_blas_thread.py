"""One thread for linear algebra while a model is trained, whatever the machine has.

A BLAS that splits a sum over its threads rounds it by their number, so that the same training would have another digest
on a machine with more cores. On two cores it gained nothing either: its idle threads spin (LOGISTIC_REG of 1.1 M rows x
8 columns took the same wall time and 1.5 x the CPU seconds with two). What pays is split here instead, in parts that
depend on the rows alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside = 0
_limit: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold the process's BLAS to one thread. Trainings at once share the limit; the last to end lifts it."""
    global _inside, _limit  # noqa: PLW0603 - it is the process's BLAS
    from threadpoolctl import threadpool_limits

    with _lock:
        if _inside == 0:
            _limit = threadpool_limits(limits=1, user_api="blas")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limit.restore_original_limits()
