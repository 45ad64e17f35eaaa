"""Appending records to segments: one write before the answer is sent, one fsync for many answers.

What an `append` has returned for is in the kernel's hands: it survives the death of this process (`kill -9`). What
`synced` has returned for survives a power loss. A segment is locked (flock) while it is written, so that the
collector knows which ones nobody will write to any more, however their writers ended.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
import time
from pathlib import Path

from tidemill.core.clock import Clock
from tidemill.core.errors import SpaceError, TidemillError, TransientError
from tidemill.core.faults import VARIABLE, fault
from tidemill.serving.log.records import framed
from tidemill.serving.log.waiting import Segment, Syncing, Waiter, attempt, not_synced, sync_folder, tell

SEGMENT_BYTES = 64 << 20
SEGMENT_S = 3600.0
SYNC_EVERY_S = 1.0
SUFFIX = ".seg"

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class LogWriter:
    """The log of one worker process. Threads may share it.

    Parameters
    ----------
    folder
        Where segments are: ``.tidemill/spool``.
    worker
        The worker's name. With an id of this start it begins the names of its segments, so no two processes share one.
    segment_bytes
        A segment that has reached this size is followed by the next.
    segment_s
        One that is so old, too: what is erased from the log must not wait until a quiet server has filled a segment.
    sync_every_s
        How long records may wait for an fsync that nobody asked for.
    """

    def __init__(
        self,
        folder: Path,
        *,
        worker: str,
        clock: Clock,
        segment_bytes: int = SEGMENT_BYTES,
        segment_s: float = SEGMENT_S,
        sync_every_s: float = SYNC_EVERY_S,
    ) -> None:
        self.folder = folder
        self.failures = 0
        """Writes and fsyncs that failed: shown by health and metrics."""
        self.last_failure = ""
        self._name = f"{worker}-{clock.new_id()}"
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self._sync_every_s = sync_every_s
        self._faulty = VARIABLE in os.environ  # asked once: a look at the environment takes longer than the rest
        self._lock = threading.Lock()
        self._segment: Segment | None = None
        self._number = 0
        self._ticket = 0
        self._syncing = Syncing()
        self._dirty = False
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._sync_loop, name="log-sync", daemon=True)
        self._thread.start()

    def append(self, record: bytes) -> int:
        """Write one record (what `records.encode` gives); returns the ticket that `synced` takes.

        Raises
        ------
        SpaceError
            The disk is full. The segment stays readable, and the next append tries again.
        TransientError
            The file cannot be written for another reason; the next append begins another segment.
        """
        data = framed(record)
        with self._lock:
            try:
                self._write(data)
            except OSError as error:
                raise self._failed(error) from error
            self._ticket += 1
            if not self._dirty:
                self._dirty = True
                self._wake.set()
            return self._ticket

    async def synced(self, ticket: int | None = None) -> None:
        """Wait until the record of a ticket, or all that was appended so far, is on disk.

        Raises
        ------
        TransientError
            The fsync failed. Nothing tells whether the record is on disk, and no later fsync would.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            wanted = self._ticket if ticket is None else ticket
            if wanted <= self._syncing.done:
                if any(low < wanted <= high for low, high in self._syncing.lost):
                    raise not_synced(self.last_failure)
                return
            future: asyncio.Future[None] = loop.create_future()
            self._syncing.waiters.append(Waiter(wanted, loop, future))
        self._urgent.set()
        self._wake.set()
        await future

    def close(self) -> None:
        """Sync what was appended and give the segments up."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        self._urgent.set()
        self._wake.set()
        self._thread.join()
        with self._lock:
            if self._segment is not None:
                os.close(self._segment.handle)
                self._segment = None

    def _write(self, data: bytes) -> None:
        segment = self._segment
        if segment is None or (segment.end and segment.end + len(data) > self._segment_bytes):
            segment = self._next_segment()
        if self._faulty:
            fault("log.before_write")
        written = os.write(segment.handle, data)
        if written != len(data):
            self._repair(segment)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        segment.end += written

    def _next_segment(self) -> Segment:
        if self._segment is not None:
            self._syncing.closed.append(self._segment)
            self._segment = None
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            self._number += 1
            path = self.folder / f"{self._name}-{self._number:06d}{SUFFIX}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            try:
                handle = os.open(path, flags, 0o640)
            except FileExistsError:
                continue
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # else a collector found it before the lock, unused and very old
                break
            os.close(handle)
        self._syncing.new_names = True
        self._segment = Segment(handle, path)
        return self._segment

    def _repair(self, segment: Segment) -> None:
        """Cut a record off that did not fit, so that the next one stands behind a whole one."""
        try:
            os.ftruncate(segment.handle, segment.end)
        except OSError:
            self._give_up(segment)

    def _give_up(self, segment: Segment) -> None:
        """Write no more to this segment; it is synced, as far as that goes, and closed."""
        if self._segment is segment:
            self._syncing.closed.append(segment)
            self._segment = None

    def _failed(self, error: OSError) -> TidemillError:
        self.failures += 1
        self.last_failure = f"{error.strerror or error}"
        if error.errno in _NO_SPACE:
            return SpaceError(
                f"the prediction log {self.folder} cannot grow: {self.last_failure}",
                hint="free some space on that disk; `tidemill collect --once` empties the log into the lake",
                folder=str(self.folder),
            )
        if self._segment is not None:
            self._repair(self._segment)
            if self._segment is not None:
                self._give_up(self._segment)
        return TransientError(
            f"the prediction log {self.folder} cannot be written: {self.last_failure}",
            hint="look at that folder and its disk",
            folder=str(self.folder),
        )

    def _sync_loop(self) -> None:
        while True:
            if not self._wake.wait(self._segment_s / 4):
                self._let_go_of_old()
                continue
            self._urgent.wait(self._sync_every_s)
            self._let_go_of_old()
            with self._lock:
                self._wake.clear()
                self._urgent.clear()
                self._dirty = False
                closing = self._closing
            self._sync_once()
            if closing:
                return

    def _let_go_of_old(self) -> None:
        """Write no more to a segment that has records and is old; the next record begins another."""
        with self._lock:
            segment = self._segment
            if segment is None or not segment.end or time.monotonic() - segment.began < self._segment_s:
                return
            self._give_up(segment)
            self._wake.set()

    def _sync_once(self) -> None:
        """Sync what was appended up to now, and tell all who wait for it."""
        with self._lock:
            state, target = self._syncing, self._ticket
            waiters, state.waiters = state.waiters, []
            closed, state.closed = state.closed, []
            new_names, state.new_names = state.new_names, False
            current = self._segment
        failure = None
        for segment in [*closed, *([current] if current is not None else [])]:
            failure = self._sync_segment(segment) or failure
        if new_names:
            failure = attempt(lambda: sync_folder(self.folder)) or failure
        with self._lock:
            if failure is not None:
                self.failures += 1
                self.last_failure = f"{failure.strerror or failure}"
                # Records that came meanwhile may stand in the same segment: they count as lost too.
                target = self._ticket
                state.lost.append((state.done, target))
            state.done = target
            lost, failed = list(state.lost), self.last_failure
        for segment in closed:
            os.close(segment.handle)
        tell(waiters, lost, failed)

    def _sync_segment(self, segment: Segment) -> OSError | None:
        """Sync one segment. One that failed is never synced again: a second fsync may say yes and mean nothing."""

        def sync() -> None:
            fault("log.before_sync")
            os.fdatasync(segment.handle)

        failure = attempt(sync)
        if failure is not None:
            with self._lock:
                if self._segment is segment:
                    self._segment = None
                    os.close(segment.handle)
                elif segment in self._syncing.closed:
                    self._syncing.closed.remove(segment)
                    os.close(segment.handle)
        return failure
