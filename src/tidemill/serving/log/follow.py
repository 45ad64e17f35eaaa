"""The collector at work: once, or beside a server for as long as it runs. One at a time, by a lease.

A query sees the spool too, so nothing waits for the lake: batches may be few and large. One is carried over when
enough waits, or when something has waited long enough.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.core.clock import Clock
from tidemill.core.errors import ConflictError, TidemillError, TransientError
from tidemill.serving.log.collect import GRACE_S, Collected, Collector
from tidemill.serving.log.outcomes import evaluate_outcomes
from tidemill.serving.log.spool import segments
from tidemill.serving.log.tables import TABLES, log_views
from tidemill.warehouse.control.database import Database
from tidemill.warehouse.control.deployments import list_deployments
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import held, require
from tidemill.warehouse.control.outcomes import save_outcomes
from tidemill.warehouse.protocol import Warehouse

LEASE = "collector"
EVERY_S = 60.0
ENOUGH_BYTES = 16 << 20
POLL_S = 0.5
RETRY_S = 2.0
OUTCOMES_EVERY_S = 2.0
OUTCOMES_SHARE = 0.1
"""Counting outcomes may take this share of the time: where it takes long, it is done less often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlaces:
    """What a collector works on."""

    db: Database
    warehouse: Warehouse
    spool: Path
    clock: Clock


def collect_once(places: LogPlaces, *, wait_s: float = 10.0, grace_s: float = GRACE_S) -> Collected:
    """Carry all over that waits in the spool now.

    Parameters
    ----------
    grace_s
        How old a segment must be that is done with, to be removed: queries that began before may be reading it.

    Raises
    ------
    BusyError
        Another collector is at work.
    """
    with held(places.db, LEASE, this_process(), wait_s=wait_s) as lease:
        collected = _collector(places, lambda: require(places.db, lease), grace_s=grace_s).collect()
    count_outcomes(places)
    return collected


def follow(
    places: LogPlaces,
    *,
    stop: threading.Event,
    report: Callable[[Collected | TidemillError], None],
    every_s: float = EVERY_S,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Collect until asked to stop, then once more. What passes by itself is told and tried again.

    Parameters
    ----------
    report
        Told of each batch, and of each new trouble.
    every_s
        How long a record may wait in the spool.
    before
        Called as often, to bring in what others have for the log.
    """
    told = ""
    while not stop.is_set():
        try:
            with held(places.db, LEASE, this_process()) as lease:
                told = ""
                _Turns(places, _collector(places, lambda: require(places.db, lease)), report, every_s, before).work(
                    stop
                )
        except (TransientError, ConflictError) as error:
            if error.message != told:
                told = error.message
                report(error)
            stop.wait(RETRY_S)


def count_outcomes(places: LogPlaces) -> None:
    """Write down how the labelled answers of each trial came out: servers judge the trial by them."""
    trials = [one for one in list_deployments(places.db) if one.stage != "idle" and one.stage_since is not None]
    if not trials:
        return
    with places.warehouse.session(system=log_views(places.spool)) as session:
        for trial in trials:
            if trial.stage_since is not None:
                found = evaluate_outcomes(session, trial.name, since=trial.stage_since)
                save_outcomes(places.db, trial.name, trial.stage_since, found)


@dataclass(slots=True)
class _Turns:
    """The turns of one collector: what it waits for, and what it did last."""

    places: LogPlaces
    collector: Collector
    report: Callable[[Collected | TidemillError], None]
    every_s: float
    before: Callable[[], None]
    waits_since: float | None = None
    seen: tuple[int, int] = (0, 0)
    next_count: float = field(default=0.0)
    next_before: float = field(default=0.0)

    def work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._bring_in_when_due()
            self._collect_when_due()
            self._count_when_news()
            stop.wait(POLL_S)
        self._collect()

    def _bring_in_when_due(self) -> None:
        if self.places.clock.monotonic() >= self.next_before:
            self.before()
            self.next_before = self.places.clock.monotonic() + self.every_s

    def _collect_when_due(self) -> None:
        now, waiting = self.places.clock.monotonic(), self.collector.waiting()
        if not waiting:
            self.waits_since = None
            self.collector.remove_old()
        elif self.waits_since is None:
            self.waits_since = now
        if waiting >= ENOUGH_BYTES or (self.waits_since is not None and now - self.waits_since >= self.every_s):
            self._collect()
            self.waits_since = None

    def _collect(self) -> None:
        collected = self.collector.collect()
        if collected.bytes:
            self.report(collected)

    def _count_when_news(self) -> None:
        begun = self.places.clock.monotonic()
        if begun < self.next_count:
            return
        newest = self.places.warehouse.newest(TABLES)
        seen = (sum(segments(self.places.spool).values()), newest.version if newest is not None else 0)
        if seen != self.seen:
            count_outcomes(self.places)
            self.seen = seen
        now = self.places.clock.monotonic()
        self.next_count = now + max(OUTCOMES_EVERY_S, (now - begun) / OUTCOMES_SHARE)


def _collector(places: LogPlaces, guard: Callable[[], None], *, grace_s: float = GRACE_S) -> Collector:
    return Collector(places.warehouse, places.spool, clock=places.clock, guard=guard, grace_s=grace_s)
