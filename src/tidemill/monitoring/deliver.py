"""One pass over the messages that wait: each sink in a thread of its own, all within a deadline.

A message is claimed before it is sent, so that two processes do not send it twice; one that dies in between loses its
claim after a while, and the message is sent again under the same id.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tidemill.core.alerting import SinkSettings
from tidemill.core.clock import Clock
from tidemill.core.errors import TidemillError
from tidemill.core.secrets import scrub
from tidemill.monitoring.sinks.letter import Letter, RefusedError
from tidemill.monitoring.sinks.table import SENDERS
from tidemill.warehouse.control.connection import Database
from tidemill.warehouse.control.deliveries import Delivery, claim, due_sinks, forget_deliveries, mark_failed, mark_sent

PAUSES_S = (10, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800)
"""Pauses between tries, about 16 hours in all; after the last one a message is given up."""

KEPT = timedelta(days=90)
_CLAIM_S = 60.0


@dataclass(slots=True)
class Passed:
    """What a pass did, by sink.

    Parameters
    ----------
    refused
        Sinks whose last message was given up, because another try would change nothing or there were enough.
    late
        Sinks that were still sending when the deadline came; they go on by themselves for as long as a message may.
    """

    sent: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    late: tuple[str, ...] = ()


def deliver(
    db: Database,
    sinks: Mapping[str, SinkSettings],
    *,
    root: Path,
    environment: Mapping[str, str],
    clock: Clock,
    deadline_s: float,
) -> Passed:
    """Send what is due.

    Parameters
    ----------
    root
        The project's folder, where relative paths begin.
    deadline_s
        After so many seconds the pass is over, whatever hangs.
    """
    passed = Passed()
    end = clock.monotonic() + deadline_s
    with db.write() as tx:
        forget_deliveries(tx, older_than=KEPT, now=clock.now(), sinks=sinks)
    due = [name for name in due_sinks(db, now=clock.now()) if name in sinks]
    works = [
        _Work(db=db, sink=sinks[name], root=root, environment=environment, clock=clock, end=end, passed=passed)
        for name in due
    ]
    threads = {work.sink.name: threading.Thread(target=work.run, name="alerts", daemon=True) for work in works}
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, end - clock.monotonic()))
    passed.late = tuple(name for name, thread in threads.items() if thread.is_alive())
    return passed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One sink's messages in one pass."""

    db: Database
    sink: SinkSettings
    root: Path
    environment: Mapping[str, str]
    clock: Clock
    end: float
    passed: Passed

    def run(self) -> None:
        """Send until nothing is due, something fails, or the pass is over."""
        try:
            self._send_all()
        except TidemillError as error:
            # The control database is busy, or closed because the pass is over: the claim ends by itself.
            self.passed.failed.setdefault(self.sink.name, reason(error))

    def _send_all(self) -> None:
        while (left := self.end - self.clock.monotonic()) > 0:
            timeout_s = min(self.sink.timeout_seconds, left)
            until = self.clock.now() + timedelta(seconds=timeout_s + _CLAIM_S)
            delivery = claim(self.db, self.sink.name, now=self.clock.now(), until=until)
            if delivery is None or not self._send(delivery, timeout_s):
                return

    def _send(self, delivery: Delivery, timeout_s: float) -> bool:
        name = self.sink.name
        try:
            SENDERS[self.sink.kind](self._letter(delivery, timeout_s))
        except (OSError, TidemillError) as error:
            why = reason(error)
            refused = isinstance(error, RefusedError) or delivery.attempts > len(PAUSES_S)
            pause = None if refused else timedelta(seconds=PAUSES_S[delivery.attempts - 1])
            again = None if pause is None else self.clock.now() + pause
            mark_failed(self.db, delivery.id, error=why, again=again)
            self.passed.failed[name] = why
            if refused:
                self.passed.refused.add(name)
            return refused  # the next one may be taken; after any other failure the sink rests
        mark_sent(self.db, delivery.id)
        self.passed.sent[name] = self.passed.sent.get(name, 0) + 1
        return True

    def _letter(self, delivery: Delivery, timeout_s: float) -> Letter:
        return Letter(
            id=delivery.id,
            told=delivery.message,
            sink=self.sink,
            root=self.root,
            environment=self.environment,
            timeout_s=timeout_s,
            now=self.clock.now(),
        )


def reason(error: OSError | TidemillError) -> str:
    """Why a message did not arrive, without secrets."""
    if isinstance(error, TidemillError):
        return scrub(error.message)
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return scrub(str(error.strerror or error) or type(error).__name__)
