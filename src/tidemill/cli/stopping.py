"""How commands that go on are asked to end: by a signal, or by the end of the process that started them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

from tidemill.cli.parameters import option

PARENT_POLL_S = 0.5

UntilProcessEnds = Annotated[
    int | None,
    option("--until-process-ends", metavar="PID", about="Leave, after a last turn, when our parent, PID, ends."),
]


def stop_event(parent: int | None) -> threading.Event:
    """Set by SIGTERM and SIGINT, and by the end of the process that called us where that is asked for."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if parent is not None:
        _watch_parent(parent, stop.set, stop)
    return stop


@contextmanager
def stopped_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM break off what goes on as Ctrl-C does: what was done is written down."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def ended_with(parent: int) -> Iterator[None]:
    """Be sent SIGTERM when the parent ends before the block does."""
    stop = threading.Event()

    def end() -> None:
        if not stop.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    _watch_parent(parent, end, stop)
    try:
        yield
    finally:
        stop.set()


def _watch_parent(parent: int, then: Callable[[], None], stop: threading.Event) -> None:
    """Call a function, from a thread, when the parent ends; give up watching when ``stop`` is set."""

    def watch() -> None:
        # The caller says who it is: asked only now, it may have ended, and its heir would be taken for it.
        while os.getppid() == parent and not stop.wait(PARENT_POLL_S):
            pass
        then()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
