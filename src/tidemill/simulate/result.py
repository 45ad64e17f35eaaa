"""What a simulation showed, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from math import isfinite
from typing import Any

from tidemill.core.words import count
from tidemill.simulate.scores import Scores

_VERSION = re.compile(r"version \d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """A request for a new version was carried out.

    Parameters
    ----------
    rows
        Rows with a label that was known.
    outcome
        done, refused, unchanged or failed, as in ``tidemill.retrain_requests``.
    why
        How it ended.
    asked
        How often it was asked for: what is asked for while a version is on trial waits, as one request.
    seconds
        What training, gates and the beginning of the rollout took of our time.
    """

    at: datetime
    rows: int
    causes: tuple[str, ...]
    outcome: str
    version: int | None
    why: str
    seconds: float
    asked: int = 1


def alike(done: Sequence[Retrained]) -> list[list[Retrained]]:
    """Requests that ended the same way for the same reason, whatever the number of their version, one after another."""
    return [list(run) for _, run in groupby(done, key=lambda one: (one.outcome, _VERSION.sub("version", one.why)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """A request for a new version waited for one that was on trial.

    Parameters
    ----------
    version, since
        The version on trial, and since when it was.
    asked
        How often a new one was asked for meanwhile.
    still
        Whether it was on trial to the end.
    why
        What the request said.
    """

    version: int
    since: datetime
    asked: int
    still: bool
    why: str

    @property
    def told(self) -> str:
        """In a sentence, with the ways out."""
        end = " to the end" if self.still else ""
        return (
            f"{count(self.asked, 'ask')} for a new version waited for version {self.version}, which was on trial from"
            f" {self.since:%Y-%m-%d} on{end}: {self.why}. Fewer requests_per_share or larger shares in the settings of"
            " its rollout make stages shorter; --at-once leaves gates and rollout out"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something of the audit trail: a rollout that went on, or back."""

    at: datetime
    action: str
    version: int | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerted:
    """An alert of the simulation, as the alerts of a project are.

    Parameters
    ----------
    since
        When what it is about now began: later than ``opened_at`` where one trouble went and another stayed.
    """

    number: int
    cause: str
    severity: str
    headline: str
    since: datetime
    opened_at: datetime
    resolved_at: datetime | None
    subjects: tuple[str, ...]
    chart: Mapping[str, Any]


MANY = 0.1
"""A greater share of refused rows than this is the first thing to be said of a simulation, and no success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A simulation.

    Parameters
    ----------
    begin, last
        When the first row was asked about, and when the last.
    labels_until
        When the last label came, or the last row.
    end
        When the last thing happened.
    refused
        Rows that the server did not answer; ``refusal`` is what it said of the first.
    windows
        Windows that were measured.
    planted
        The troubles, as they were asked for.
    costs
        Seconds of our time by what they were spent on.
    """

    deployment: str
    replayed: str
    grows: bool
    begin: datetime
    last: datetime
    labels_until: datetime
    end: datetime
    scores: Scores
    refused: int
    refusal: str
    windows: int
    planted: tuple[str, ...]
    alerts: tuple[Alerted, ...]
    retrained: tuple[Retrained, ...]
    waited: tuple[Waited, ...]
    trail: tuple[Happened, ...]
    notes: tuple[str, ...]
    costs: Mapping[str, float]

    @property
    def many_refused(self) -> bool:
        """Whether so many rows were refused that the rest says little."""
        return self.refused > MANY * (self.refused + self.scores.answers)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case dict() | Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case float():
            return round(value, 6) if isfinite(value) else None  # NaN is no JSON
    return value
