"""Who waits until records are on disk, what is known about the disk, and how they are told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.core.errors import TransientError


@dataclass(slots=True)
class Segment:
    """A file that is being written since ``began``; ``end`` is where its last whole record ends."""

    handle: int
    path: Path
    end: int = 0
    began: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Waiter:
    """Somebody who waits until the records up to a ticket are on disk."""

    ticket: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


@dataclass(slots=True)
class Syncing:
    """What is known about the disk: tickets up to ``done`` are there, but for those in ``lost``."""

    done: int = 0
    lost: list[tuple[int, int]] = field(default_factory=list)
    waiters: list[Waiter] = field(default_factory=list)
    closed: list[Segment] = field(default_factory=list)  # full segments, not yet synced
    new_names: bool = False  # the folder has entries that are not yet synced


def attempt(action: Callable[[], None]) -> OSError | None:
    """Carry out something that may fail; the error if it did."""
    try:
        action()
    except OSError as error:
        return error
    return None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def tell(waiters: list[Waiter], lost: list[tuple[int, int]], failure: str) -> None:
    """Wake all who wait: one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], str]]] = {}
    for waiter in waiters:
        gone = any(low < waiter.ticket <= high for low, high in lost)
        by_loop.setdefault(waiter.loop, []).append((waiter.future, failure if gone else ""))
    for loop, futures in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            loop.call_soon_threadsafe(_resolve, futures)


def _resolve(futures: list[tuple[asyncio.Future[None], str]]) -> None:
    for future, failure in futures:
        if future.done():
            continue
        if failure:
            future.set_exception(not_synced(failure))
        else:
            future.set_result(None)


def not_synced(detail: str) -> TransientError:
    """The error for records whose fsync failed."""
    return TransientError(
        f"the prediction log could not be made durable: {detail}",
        hint="the answer may not be on disk; look at the disk under .tidemill/spool",
    )
