"""A clock whose hands a simulation moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter, sleep

from tidemill.core.clock import Clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Hands:
    """The time of a simulation, and its pace.

    Parameters
    ----------
    now
        The time it begins at.
    speed
        Seconds of it in one of ours; 0 for as many as go.
    """

    now: datetime
    speed: float = 0.0
    _began: datetime = field(init=False)
    _real: float = field(init=False)

    def __post_init__(self) -> None:
        self._began, self._real = self.now, perf_counter()

    @property
    def clock(self) -> Clock:
        """The clock that everything in the simulation is given."""
        return Clock(now=lambda: self.now, monotonic=self._seconds)

    def _seconds(self) -> float:
        return self.now.timestamp()

    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        past = self.now - EPOCH
        return ((past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds) * 1_000

    def move(self, at: datetime) -> None:
        """Go on to a time, as fast as the pace allows; never back."""
        if at <= self.now:
            return
        if self.speed:
            ahead = (at - self._began).total_seconds() / self.speed - (perf_counter() - self._real)
            if ahead > 0:
                sleep(ahead)
        self.now = at
