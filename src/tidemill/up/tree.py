"""The tree of processes behind ``tidemill up``: one loop that starts parts, passes on what they say, and ends them.

It does nothing else, and holds nothing that could break: no database, no model. A part that dies is started again after
a pause that grows. When this process is killed the parts notice, and end by themselves.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemill.core.clock import Clock
from tidemill.up.parts import Part, UpOptions

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_S = 30.0
"""A part that lived this long was a good one: the next pause is short again."""
USERS = (2, 3, 4, 5, 7)
"""Exit statuses that a person can mend: a part that leaves with one right at its start does not come back."""
TICK_S = 1.0

Say = Callable[[str, str, dict[str, Any]], None]
"""Told of what happens: the part, a word (``line`` for what the part itself says), and the facts."""


@dataclass(slots=True)
class _Child:
    part: Part
    process: subprocess.Popen[bytes]
    started: float
    first: bool
    asked: bool = False
    kill_at: float | None = None


@dataclass(slots=True)
class _Pipe:
    """What a part says. It outlives the part while a process that the part started still speaks."""

    name: str
    handle: int
    rest: bytes = b""


@dataclass(slots=True, kw_only=True)
class Tree:
    """The loop."""

    options: UpOptions
    parts: Sequence[Part]
    say: Say
    clock: Clock
    children: dict[str, _Child] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    pauses: dict[str, float] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    ending: str = ""
    status: int = 0

    def run(self) -> int:
        """Start every part and stay until asked to end, or until a part cannot start; the exit status."""
        wake_read, wake_write = os.pipe()
        for end in (wake_read, wake_write):
            os.set_blocking(end, False)
        signals = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
        before = {one: signal.signal(one, self._signalled) for one in signals}
        old_wake = signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.selector.register(wake_read, selectors.EVENT_READ, None)
        try:
            for part in self.parts:
                self._start(part, first=True)
            self._loop()
            return self.status
        finally:
            signal.set_wakeup_fd(old_wake)
            for one, handler in before.items():
                signal.signal(one, handler)
            self._close()
            self.selector.close()
            for end in (wake_read, wake_write):
                os.close(end)

    def _signalled(self, number: int, _: object) -> None:
        if number != signal.SIGCHLD and not self.ending:
            self.ending = signal.Signals(number).name

    def _loop(self) -> None:
        told = False
        while self.children or self.waiting:
            if self.ending:
                if not told:
                    told = True
                    self.waiting.clear()
                    self.say("up", "ending", {"why": self.ending})
                self._end_next()
            for key, _ in self.selector.select(TICK_S):
                self._hear(key.data, key.fd)
            self._reap()
            if not self.ending:
                self._start_due()

    def _start(self, part: Part, *, first: bool) -> None:
        read, write = os.pipe()
        os.set_blocking(read, False)
        words = [*part.words(self.options), "--project", str(self.options.root), *(["--json"] * self.options.as_json)]
        # A group of its own: Ctrl-C in the terminal reaches this process alone, which asks the others in order.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments, no shell
            [sys.executable, "-m", "tidemill.cli.main", *words, "--until-process-ends", str(os.getpid())],
            process_group=0,
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=write,
            env={**os.environ, **part.environment, "PYTHONUNBUFFERED": "1"},
        )
        os.close(write)
        self.selector.register(read, selectors.EVENT_READ, _Pipe(part.name, read))
        self.children[part.name] = _Child(part, process, self.clock.monotonic(), first)
        self.say("up", "started", {"child": part.name, "pid": process.pid})

    def _hear(self, pipe: _Pipe | None, handle: int) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(handle, 1 << 16)
            if pipe is None:
                return
            *lines, pipe.rest = (pipe.rest + data).split(b"\n")
            if not data and pipe.rest:
                lines.append(pipe.rest)
            for line in lines:
                self.say(pipe.name, "line", {"line": line.decode("utf-8", "replace")})
            if not data:
                self.selector.unregister(handle)
                os.close(handle)

    def _reap(self) -> None:
        for name, child in list(self.children.items()):
            status = child.process.poll()
            if status is None:
                continue
            self._hear_rest(name)
            del self.children[name]
            if child.asked or self.ending:
                self._ended(child, status)
            elif child.first and status in USERS and self._lived(child) < STEADY_S:
                self.status = self.status or status
                self.say("up", "cannot start", {"child": name, "status": status})
                self.ending = self.ending or f"{name} cannot start"
            else:
                self._again(child, status)

    def _hear_rest(self, name: str) -> None:
        """What a part said last stands before the words about its end."""
        for key in list(self.selector.get_map().values()):
            if key.data is not None and key.data.name == name:
                self._hear(key.data, key.fd)

    def _lived(self, child: _Child) -> float:
        return self.clock.monotonic() - child.started

    def _again(self, child: _Child, status: int) -> None:
        """A part died: start it again, after a pause that grows while it keeps dying."""
        name = child.part.name
        last = self.pauses.get(name)
        pause = FIRST_PAUSE_S if last is None or self._lived(child) > STEADY_S else min(LONGEST_PAUSE_S, last * 2)
        self.pauses[name] = pause
        self.waiting[name] = self.clock.monotonic() + pause
        self.say("up", "restart", {"child": name, "why": how(status), "pause_s": pause})

    def _start_due(self) -> None:
        for part in self.parts:
            if part.name in self.waiting and self.waiting[part.name] <= self.clock.monotonic():
                del self.waiting[part.name]
                self._start(part, first=False)

    def _end_next(self) -> None:
        """Ask the parts of the lowest turn to end; kill what takes too long."""
        turn = min((child.part.turn for child in self.children.values()), default=0)
        for child in self.children.values():
            if child.part.turn != turn:
                continue
            if not child.asked:
                child.asked = True
                child.kill_at = self.clock.monotonic() + child.part.ends_s(self.options)
                child.process.send_signal(signal.SIGTERM)
            elif child.kill_at is not None and self.clock.monotonic() > child.kill_at:
                child.kill_at = None
                self.say("up", "killed", {"child": child.part.name, "after_s": child.part.ends_s(self.options)})
                child.process.kill()

    def _ended(self, child: _Child, status: int) -> None:
        if status and not self.status:
            self.status = status if status > 0 else 1
        self.say("up", "ended", {"child": child.part.name, "how": "" if status == 0 else how(status)})

    def _close(self) -> None:
        """Leave nothing behind when the loop itself broke off."""
        for child in self.children.values():
            child.process.send_signal(signal.SIGTERM)
        for child in self.children.values():
            try:
                child.process.wait(timeout=child.part.ends_s(self.options))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        for key in list(self.selector.get_map().values()):
            if key.data is not None:
                os.close(key.fd)


def how(status: int) -> str:
    """How a process ended, in words."""
    return f"it was ended by {signal.Signals(-status).name}" if status < 0 else f"it left with status {status}"
