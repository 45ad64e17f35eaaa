"""Fault points: a test names a point in ``TIDEMILL_FAULT`` and the process dies, or the disk is full, exactly there.

``TIDEMILL_FAULT="publish.before_commit:kill"`` kills the process with SIGKILL when it reaches the point;
``enospc`` raises "no space left" instead, ``error`` an ordinary input/output error, ``pause`` sleeps for an hour
(so that a test can look at what others see meanwhile) and ``stop`` stops the process until somebody sends SIGCONT. A
third part counts: ``point:kill:3`` acts on the third pass.
The point ``*`` is every point: ``*:kill:1``, ``*:kill:2`` and so on kill an operation everywhere it can be killed.
Without the variable a point costs one look-up in a dictionary.
"""

from __future__ import annotations

import errno
import os
import signal
import time

VARIABLE = "TIDEMILL_FAULT"
ANY = "*"
_passes: dict[str, int] = {}


def fault(point: str) -> None:
    """Do here what ``TIDEMILL_FAULT`` asks for; nothing when it names another point or none.

    Parameters
    ----------
    point
        The name of this place in the program, such as ``publish.before_commit``.
    """
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    name, _, rest = wanted.partition(":")
    if name not in (point, ANY):
        return
    action, _, count = rest.partition(":")
    _passes[name] = _passes.get(name, 0) + 1
    if _passes[name] != int(count or 1):
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        signal.raise_signal(signal.SIGSTOP)  # to this thread: sent to the process, it would stop somewhere behind here
    elif action == "enospc":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), point)
    elif action == "error":
        raise OSError(errno.EIO, os.strerror(errno.EIO), point)
    elif action == "pause":
        time.sleep(3600)
    else:
        raise ValueError(f"{VARIABLE}: unknown action {action!r}; known: kill, stop, enospc, error, pause")
