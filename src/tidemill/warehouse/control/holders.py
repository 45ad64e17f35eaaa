"""Who holds a lease: a process on a machine, and whether that process is surely gone."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process. ``start`` tells it from a later process that was given the same number."""

    host: str
    pid: int
    start: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host.partition('/')[0]}"


def this_process() -> Holder:
    """Describe the process that calls."""
    return Holder(host=_host(), pid=os.getpid(), start=_start_of(os.getpid()) or "")


def is_gone(holder: Holder) -> bool:
    """True only when the process ran on this machine and certainly runs no more."""
    if holder.host != _host():
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    start = _start_of(holder.pid)
    return bool(holder.start and start and start != holder.start)


@functools.cache
def _host() -> str:
    """Name the machine, its boot and its namespace of process numbers: a container is another machine."""
    return "/".join(
        (os.uname().nodename, _first_line("/proc/sys/kernel/random/boot_id")[:8], _link("/proc/self/ns/pid"))
    )


def _start_of(pid: int) -> str | None:
    """Clock ticks from boot to the process's start (Linux); None where it cannot be known."""
    stat = _first_line(f"/proc/{pid}/stat")
    # The second field is the program's name in parentheses and may hold blanks; the 22nd field is the start.
    fields = stat.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else None


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").partition("\n")[0]
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
