"""Locks between processes: one writer per lake, and claims on folders that die with their process.

``flock`` belongs to the open file and the kernel drops it when the process ends, however it ends. It is apart from
the POSIX locks that SQLite uses, so closing a lock file never disturbs the catalogue.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tidemill.core.errors import BusyError

FIRST_PAUSE_S = 0.002
LONGEST_PAUSE_S = 0.05


@contextlib.contextmanager
def write_lock(path: Path, *, wait_s: float) -> Iterator[None]:
    """Be the only writer while the block runs.

    Raises
    ------
    BusyError
        Somebody else wrote for longer than ``wait_s``; the message names the process.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait(handle, path, wait_s=wait_s)
        # Who holds it, for the others' message. It is a courtesy: the lock itself is the kernel's.
        holder = json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")})
        os.ftruncate(handle, 0)
        os.pwrite(handle, holder.encode(), 0)
        yield
    finally:
        os.close(handle)


def claim(path: Path) -> int | None:
    """Claim a name for this process through a lock file; the handle to close later, or None when another has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def claim_new(base: Path) -> tuple[Path, int]:
    """A folder's name in ``base`` that nobody has, not yet made, and the claim on it; `give_up` ends both."""
    base.mkdir(parents=True, exist_ok=True)
    while True:
        path = base / os.urandom(8).hex()
        handle = claim(path.with_suffix(".lock"))
        if handle is not None:
            return path, handle


def give_up(path: Path, handle: int) -> None:
    """Remove a claimed folder with all that is in it, and end the claim."""
    shutil.rmtree(path, ignore_errors=True)
    path.with_suffix(".lock").unlink(missing_ok=True)
    os.close(handle)


def unclaimed(folder: Path, oldest: float, *, keep_locks: bool = False) -> Iterator[Path]:
    """Folders whose process has ended, when everything in them is old. Their lock files go with them."""
    names = {path.stem for path in folder.glob("*.lock")} | {path.name for path in folder.glob("*") if path.is_dir()}
    for name in sorted(names):
        path, lock = folder / name, folder / f"{name}.lock"
        ages = [entry.stat().st_mtime for entry in (path, lock, *path.rglob("*")) if entry.exists()]
        if max(ages, default=0.0) > oldest:
            continue
        handle = claim(lock)
        if handle is None:
            continue
        try:
            if path.is_dir():
                yield path
            if not keep_locks:
                lock.unlink(missing_ok=True)
        finally:
            os.close(handle)


def _wait(handle: int, path: Path, *, wait_s: float) -> None:
    pause, deadline = FIRST_PAUSE_S, time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0:
                raise _busy(path, wait_s) from None
            time.sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_PAUSE_S)
        else:
            return


def _busy(path: Path, wait_s: float) -> BusyError:
    try:
        holder = json.loads(path.read_text())
        pid, since = holder["pid"], holder["since"]
    except (OSError, ValueError, TypeError, KeyError):
        pid, since = None, None
    who = f"process {pid} since {since}" if pid else "another process"
    return BusyError(
        f"the warehouse is being written by {who}; waited {wait_s:g} s",
        hint="try again when it is done, or end that process",
        pid=pid,
        since=since,
    )
