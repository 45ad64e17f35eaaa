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
    return Holder(host=_host(), pid=os.getpid(), start=_state_of(os.getpid())[1])


def is_here(holder: Holder) -> bool:
    """Whether the process runs, or ran, on this machine since it was started."""
    return holder.host == _host()


def is_gone(holder: Holder) -> bool:
    """True only when the process ran on this machine and certainly runs no more."""
    if not is_here(holder):
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    state, start = _state_of(holder.pid)
    # One that has ended keeps its number until its parent has asked how.
    return state in ("Z", "X") or bool(holder.start and start and start != holder.start)


@functools.cache
def _host() -> str:
    """Name the machine, its boot and its namespace of process numbers: a container is another machine."""
    return "/".join(
        (os.uname().nodename, _first_line("/proc/sys/kernel/random/boot_id")[:8], _link("/proc/self/ns/pid"))
    )


def _state_of(pid: int) -> tuple[str, str]:
    """What the process does, in a letter, and clock ticks from boot to its start (Linux); '' where it is not known."""
    stat = _first_line(f"/proc/{pid}/stat")
    # The second field is the program's name in parentheses and may hold blanks; the third is the state, the 22nd the
    # start.
    fields = stat.rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else ("", "")


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
