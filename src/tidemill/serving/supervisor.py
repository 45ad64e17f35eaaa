"""The supervisor of ``tidemill serve``: binds the address, starts workers that inherit it, and starts them again.

It stays light: no model, no database, one loop that waits for its children. Workers are `tidemill.asgi` in processes
of their own; one more process moves the prediction log into the lake. Each child holds a pipe whose other end is
here: when the supervisor dies, however it dies, they notice and drain.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tidemill.core.clock import Clock
from tidemill.core.errors import TidemillError, UnavailableError
from tidemill.serving.address import bind, only_server

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
STEADY_S = 30.0
"""A worker that lived this long was a good one: the next pause is short again."""

COLLECTOR = "collector"
COLLECTOR_MEMORY = {"TIDEMILL_THREADS": "1", "TIDEMILL_MEMORY_LIMIT_MB": "256", "MALLOC_ARENA_MAX": "1"}
"""A collector works beside the workers: its engine gets one thread and little memory."""


class WorkerOptions(msgspec.Struct, kw_only=True, frozen=True):
    """What a worker is started with."""

    root: str
    host: str
    worker: int
    hosts: tuple[str, ...] = ()
    listen_fd: int = -1
    alive_fd: int = -1
    say_fd: int = -1
    certfile: str = ""
    keyfile: str = ""
    tokens_file: str = ""
    drain_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What ``tidemill serve`` was asked for."""

    root: Path
    host: str
    port: int
    workers: int
    hosts: tuple[str, ...] = ()
    certfile: str = ""
    keyfile: str = ""
    tokens_file: str = ""
    drain_s: float = 10.0
    settle_s: float = 2.0
    collect: bool = True


@dataclass(slots=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    said: int
    started: float
    number: int = -1
    ready: bool = False
    line: bytes = b""
    error: dict[str, Any] | None = None


@dataclass(slots=True)
class _Waiting:
    """A child that is to be started again, and when."""

    at: float
    pause: float
    number: int


Say = Callable[[str, dict[str, Any]], None]
"""Told of what happens: a word, and the facts."""


def serve(options: ServeOptions, *, say: Say, clock: Clock) -> int:
    """Serve until a signal asks for the end; returns the exit status.

    Raises
    ------
    BusyError
        Another server serves this project.
    UnavailableError
        No worker could start; the message is its own.
    """
    with only_server(options.root / ".tidemill", host=options.host) as write:
        listener = bind(options.host, options.port)
        port = listener.getsockname()[1]
        shown = f"[{options.host}]" if ":" in options.host else options.host
        address = f"{'https' if options.certfile else 'http'}://{shown}:{port}"
        write(address)
        counters = options.root / ".tidemill" / "serve" / "counters"
        for path in counters.glob("*"):
            path.unlink(missing_ok=True)
        return Supervisor(options, listener, address, say=say, clock=clock).run()


class Supervisor:
    """The loop that starts children, hears them, and starts them again."""

    def __init__(self, options: ServeOptions, listener: socket.socket, address: str, *, say: Say, clock: Clock) -> None:
        self.options = options
        self.listener = listener
        self.address = address
        self.say = say
        self.clock = clock
        self.children: dict[int, _Child] = {}
        self.waiting: dict[str, _Waiting] = {}
        self.selector = selectors.DefaultSelector()
        self.ending = 0
        self.announced = False
        self.alive = os.pipe()
        self._pauses: dict[str, float] = {}

    def run(self) -> int:
        """Start everything, and stay until asked to end."""
        wake_read, wake_write = os.pipe()
        for end in (wake_read, wake_write):
            os.set_blocking(end, False)
        before = {one: signal.signal(one, self._signalled) for one in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        old_wake = signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.selector.register(wake_read, selectors.EVENT_READ, None)
        try:
            for number in range(self.options.workers):
                self._start_worker(number, FIRST_PAUSE_S)
            return self._loop(wake_read)
        finally:
            signal.set_wakeup_fd(old_wake)
            for one, handler in before.items():
                signal.signal(one, handler)
            self._end_all()
            self.listener.close()
            self.selector.close()
            for end in (wake_read, wake_write, *self.alive):
                os.close(end)

    def _signalled(self, number: int, _: object) -> None:
        self.ending = number

    def _loop(self, wake: int) -> int:
        forwarded = False
        while True:
            if self.ending and not forwarded:
                forwarded = True
                self.waiting.clear()
                self._forward(self.ending)
            if self.ending and not any(one.number >= 0 for one in self.children.values()):
                return 0
            for key, _ in self.selector.select(self._pause()):
                if key.fileobj == wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake, 4096)
                else:
                    self._hear(key.data)
            self._reap()
            self._start_due()

    def _pause(self) -> float | None:
        if not self.waiting:
            return None if self.announced or self.ending else 1.0
        return max(0.0, min(one.at for one in self.waiting.values()) - self.clock.monotonic())

    def _forward(self, number: int) -> None:
        """Ask the workers to end; the collector goes on until they have, to take what they log last."""
        self.say("draining", {"signal": signal.Signals(number).name})
        for child in self.children.values():
            if child.number >= 0:
                child.process.send_signal(number)

    def _start_worker(self, number: int, pause: float) -> None:
        told, said = os.pipe()
        options = WorkerOptions(
            root=str(self.options.root),
            host=self.options.host,
            worker=number,
            hosts=self.options.hosts,
            listen_fd=self.listener.fileno(),
            alive_fd=self.alive[0],
            say_fd=said,
            certfile=self.options.certfile,
            keyfile=self.options.keyfile,
            tokens_file=self.options.tokens_file,
            drain_s=self.options.drain_s,
        )
        command = [sys.executable, "-m", "tidemill.asgi", msgspec.json.encode(options).decode()]
        child = self._start(f"worker {number}", command, told, (self.listener.fileno(), self.alive[0], said))
        os.close(said)
        child.number = number
        self.waiting.pop(child.name, None)
        self._pauses[child.name] = pause

    def _start_collector(self) -> None:
        command = [sys.executable, "-m", "tidemill.cli.main", "collect", "--until-process-ends", str(os.getpid())]
        command += ["--project", str(self.options.root)]
        told, said = os.pipe()
        self._start(COLLECTOR, command, told, (self.alive[0], said), environment={**os.environ, **COLLECTOR_MEMORY})
        os.close(said)

    def _start(
        self,
        name: str,
        command: list[str],
        told: int,
        passed: tuple[int, ...],
        environment: Mapping[str, str] | None = None,
    ) -> _Child:
        # A group of its own: Ctrl-C in the terminal reaches the supervisor alone, which asks the others in order.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments, no shell
            command,
            pass_fds=passed,
            process_group=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        child = _Child(name, process, told, self.clock.monotonic())
        os.set_blocking(told, False)
        self.selector.register(told, selectors.EVENT_READ, child)
        self.children[process.pid] = child
        return child

    def _hear(self, child: _Child) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(child.said, 1 << 20)
            if not data:
                self.selector.unregister(child.said)
                return
            child.line += data
        while b"\n" in child.line:
            line, _, child.line = child.line.partition(b"\n")
            told = json.loads(line)
            if told.get("ready"):
                child.ready = True
                self._announce(told)
            else:
                child.error = told.get("error")

    def _announce(self, told: dict[str, Any]) -> None:
        workers = [one for one in self.children.values() if one.number >= 0]
        if self.announced or not all(one.ready for one in workers) or len(workers) < self.options.workers:
            return
        self.announced = True
        pids = [one.process.pid for one in sorted(workers, key=lambda one: one.number)]
        self.say("ready", {"address": self.address, "pids": pids, "sample": told.get("sample")})
        if self.options.collect:
            self._start_collector()

    def _reap(self) -> None:
        for pid, child in list(self.children.items()):
            status = child.process.poll()
            if status is None:
                continue
            self._hear_rest(child)
            del self.children[pid]
            os.close(child.said)
            if self.ending:
                continue
            if not self.announced:
                raise _cannot_start(child, status)
            self._again(child, status)

    def _hear_rest(self, child: _Child) -> None:
        if child.said in self.selector.get_map():
            self._hear(child)
        if child.said in self.selector.get_map():
            self.selector.unregister(child.said)

    def _again(self, child: _Child, status: int) -> None:
        """A child died: start it again, after a pause that grows while it keeps dying."""
        lived = self.clock.monotonic() - child.started
        last = self._pauses.get(child.name, FIRST_PAUSE_S)
        pause = FIRST_PAUSE_S if lived > STEADY_S else min(LONGEST_PAUSE_S, last * 2)
        self._pauses[child.name] = pause
        why = child.error["message"] if child.error else _how(status)
        self.say("restart", {"child": child.name, "why": why, "pause_s": pause})
        self.waiting[child.name] = _Waiting(self.clock.monotonic() + pause, pause, child.number)

    def _start_due(self) -> None:
        now = self.clock.monotonic()
        for name, one in list(self.waiting.items()):
            if one.at <= now:
                del self.waiting[name]
                if one.number >= 0:
                    self._start_worker(one.number, one.pause)
                else:
                    self._start_collector()

    def _end_all(self) -> None:
        """Ask whoever is left to end, and wait; kill what does not."""
        for child in self.children.values():
            child.process.send_signal(signal.SIGTERM)
        deadline = self.clock.monotonic() + self.options.drain_s + self.options.settle_s + 5.0
        for child in self.children.values():
            try:
                child.process.wait(timeout=max(0.1, deadline - self.clock.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            os.close(child.said)
        self.children.clear()


def _how(status: int) -> str:
    return f"it was ended by {signal.Signals(-status).name}" if status < 0 else f"it left with status {status}"


def _cannot_start(child: _Child, status: int) -> TidemillError:
    if child.error is None:
        return UnavailableError(f"{child.name} could not start: {_how(status)}", hint="its own message stands above")
    return UnavailableError(
        f"{child.name} could not start: {child.error['message']}", hint=child.error["hint"], cause=child.error
    )
