"""The parts of ``tidemill up``: one row each. Every part is a command that also runs alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.serving.supervisor import COLLECTOR_MEMORY


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What ``tidemill up`` was asked for; ``serve`` are words for the server alone."""

    root: Path
    serve: tuple[str, ...] = ()
    as_json: bool = False
    server_ends_s: float = 20.0
    slots_end_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part.

    Parameters
    ----------
    words
        Its command line, without the project and the form of its log.
    turn
        When it is asked to end: those of turn 1 first, together; the next when they have.
    ends_s
        How long it may take to end before it is killed, in seconds.
    """

    name: str
    doc: str
    words: Callable[[UpOptions], list[str]]
    turn: int
    ends_s: Callable[[UpOptions], float]
    environment: Mapping[str, str] = field(default_factory=dict)


PARTS: tuple[Part, ...] = (
    Part(
        name="server",
        doc="Answers over HTTP, as `tidemill serve`.",
        words=lambda options: ["serve", "--no-collect", *options.serve],
        turn=2,
        ends_s=lambda options: options.server_ends_s,
    ),
    Part(
        name="collector",
        doc="Carries the prediction log into the lake, as `tidemill collect`.",
        words=lambda _: ["collect"],
        turn=3,  # it takes what the server logged last
        ends_s=lambda _: 60.0,
        environment=COLLECTOR_MEMORY,
    ),
    Part(
        name="monitor",
        doc="Measures and judges what was answered, as `tidemill monitor`.",
        words=lambda _: ["monitor"],
        turn=1,
        ends_s=lambda _: 30.0,
    ),
    Part(
        name="scheduler",
        doc="Does what is due by the clock, as `tidemill schedule`.",
        words=lambda options: ["schedule", "--drain", f"{options.slots_end_s:g}"],
        turn=1,  # nothing new is begun while the rest ends
        ends_s=lambda options: options.slots_end_s + 10.0,
    ),
)
