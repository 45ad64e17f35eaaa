"""The scheduler as a process: looks once a moment what is due, and starts a process of its own for each slot.

It does no work itself and holds no lease: a slot is claimed by the process that does it. So it may be killed, stopped
or run twice at any time. It reads the time anew at each look: it sleeps seconds, never until the next slot.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tidemill.core.clock import Clock
from tidemill.core.errors import SettingsError, TransientError
from tidemill.core.schedules import ScheduleSettings
from tidemill.core.settings import Settings, read_settings, settings_stamp
from tidemill.schedule.perform import Say, note, wanted
from tidemill.warehouse.control.database import Database

LOOK_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    slot: datetime
    do: str


@dataclass(slots=True)
class _Pause:
    """A schedule whose process did not do its slot: it is not started again at once."""

    until: float
    seconds: float


@dataclass(slots=True, kw_only=True)
class Timer:
    """Looks, starts, and hears how it ended.

    Parameters
    ----------
    names
        Only these schedules; else all, also those that the settings gain meanwhile.
    arguments
        Further words for the command that does a slot.
    """

    root: Path
    settings: Settings
    db: Database
    clock: Clock
    say: Say
    names: Sequence[str] = ()
    arguments: Sequence[str] = ()
    drain_s: float = 30.0
    children: dict[str, _Child] = field(default_factory=dict)
    pauses: dict[str, _Pause] = field(default_factory=dict)
    _file: tuple[int, int] | None = None
    _told: str = ""

    def run(self, stop: threading.Event) -> int:
        """Look until asked to stop; then end what goes on, and say how many had to be killed."""
        self._file = settings_stamp(self.root)
        while not stop.is_set():
            try:
                self.look()
                self._told = ""
            except TransientError as error:
                self._trouble(error.message)
            stop.wait(LOOK_S)
        return self._end()

    def look(self) -> None:
        """One look."""
        self._reap()
        self._read_again()
        now = self.clock.now()
        schedules = self.settings.schedules
        note(self.db, list(schedules.values()), now)
        asked = {name.casefold() for name in self.names}
        found: list[tuple[datetime, str, ScheduleSettings]] = []
        for key, one in ((one.key, one) for one in schedules.values()):
            if key in self.children or self._pausing(key) or (asked and key not in asked):
                continue
            slot = wanted(self.db, one, now)
            if slot is not None:
                found.append((slot, key, one))
        for slot, key, one in sorted(found, key=lambda it: it[:2]):
            # One of a kind at a time, however many are due after an outage: runs would wait for each other anyway.
            if all(child.do != one.do for child in self.children.values()):
                self.children[key] = _Child(self._start(one), slot, one.do)

    def _start(self, schedule: ScheduleSettings) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tidemill.cli.main", "schedule", "--once", "--project", str(self.root)]
        # A group of its own: Ctrl-C in the terminal reaches this process alone, which asks the others.
        return subprocess.Popen(  # noqa: S603 - our own interpreter and arguments, no shell
            [*command, *self.arguments, "--", schedule.name], process_group=0, stdin=subprocess.DEVNULL
        )

    def _reap(self) -> None:
        for key, child in list(self.children.items()):
            status = child.process.poll()
            if status is None:
                continue
            del self.children[key]
            one = next((one for one in self.settings.schedules.values() if one.key == key), None)
            if status < 0:
                how = signal.Signals(-status).name
                self.say("died", {"schedule": one.name if one else key, "slot": child.slot, "why": f"ended by {how}"})
            still = one is not None and wanted(self.db, one, self.clock.now()) == child.slot
            self._pause(key, again=still)

    def _pause(self, key: str, *, again: bool) -> None:
        last = self.pauses.pop(key, None)
        if again:
            seconds = FIRST_PAUSE_S if last is None else min(LONGEST_PAUSE_S, last.seconds * 2)
            self.pauses[key] = _Pause(self.clock.monotonic() + seconds, seconds)

    def _pausing(self, key: str) -> bool:
        pause = self.pauses.get(key)
        return pause is not None and self.clock.monotonic() < pause.until

    def _read_again(self) -> None:
        """Settings that were edited count from now on; while they are wrong, the old ones do."""
        stamp = settings_stamp(self.root)
        if stamp == self._file:
            return
        self._file = stamp
        try:
            self.settings = read_settings(self.root)
            self.say("settings", {"schedules": len(self.settings.schedules)})
        except SettingsError as error:
            self._trouble(f"{error.placed}; the settings as they were are kept")

    def _trouble(self, why: str) -> None:
        if why != self._told:
            self._told = why
            self.say("trouble", {"why": why})

    def _end(self) -> int:
        """Ask what goes on to end; a run ends after its steps in work. Its slot is taken up by the next scheduler."""
        for child in self.children.values():
            child.process.send_signal(signal.SIGTERM)
        deadline, killed = self.clock.monotonic() + self.drain_s, 0
        for key, child in self.children.items():
            try:
                child.process.wait(timeout=max(0.1, deadline - self.clock.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
                killed += 1
                self.say("died", {"schedule": key, "slot": child.slot, "why": f"killed after {self.drain_s:g} s"})
        self.children.clear()
        return killed
