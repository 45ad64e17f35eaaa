"""What a simulation is asked for, read from words and checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tidemill.core.durations import read_duration
from tidemill.core.errors import SettingsError
from tidemill.simulate.plants import Plant

LEAST = timedelta(minutes=1)
HISTORY = 0.2
"""The share of the rows that the first model is trained on, where nobody says when the replay begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long after an answer its label comes: evenly between two spans."""

    low: timedelta
    high: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is replayed, how, and what is planted in it.

    Parameters
    ----------
    replay
        A table or view of the project, a file, or a query.
    time
        Its column that says when a row was asked about.
    label
        Its column with what came true; the model's label when ''.
    begin, end
        Rows before ``begin`` are history (None: a fifth of the rows), those from ``end`` on are left out (None: none).
    labels_share
        The share of labels of answers that ever come.
    retrain_every
        How often a new version is asked for; None for never.
    at_once
        Versions that are asked for so take over without gates and rollout.
    speed
        Seconds of the replay in a second of ours; 0 for as many as go.
    fading
        The weight of an answer beside that of the next one in the fading scores.
    """

    deployment: str
    replay: str
    time: str
    label: str = ""
    begin: datetime | None = None
    end: datetime | None = None
    delay: Delay = Delay(low=timedelta(0), high=timedelta(0))
    labels_share: float = 1.0
    retrain_every: timedelta | None = None
    at_once: bool = False
    speed: float = 0.0
    seed: int = 0
    fading: float = 0.999
    plants: tuple[Plant, ...] = ()


def read_delay(text: str) -> Delay:
    """A delay in words: ``2 days``, or ``1 day..7 days``; '' for none.

    Raises
    ------
    SettingsError
        It is no span of time, or it ends before it begins.
    """
    if not text.strip():
        return Delay(low=timedelta(0), high=timedelta(0))
    first, dots, last = text.partition("..")
    low = read_span(first, "the delay of labels")
    high = read_span(last, "the delay of labels") if dots else low
    if high < low:
        raise SettingsError(f"the delay of labels ends before it begins: {text!r}", hint="such as '1 day..7 days'")
    return Delay(low=low, high=high)


def read_span(text: str, what: str) -> timedelta:
    """A span in words.

    Raises
    ------
    SettingsError
        It is none.
    """
    found = timedelta(0) if text.strip() == "0" else read_duration(text)
    if found is None:
        raise SettingsError(f"{what} must be a span of time; got {text!r}", hint="such as '30 minutes' or '7 days'")
    return found


def read_every(text: str, what: str) -> timedelta:
    """How often something is done, in words.

    Raises
    ------
    SettingsError
        It is no span of time, or shorter than a minute.
    """
    found = read_span(text, what)
    if found < LEAST:
        raise SettingsError(f"{what} must be a minute or more; got {text!r}", hint="such as '1 day'")
    return found


def read_moment(text: str, what: str) -> datetime:
    """A date or a time in ISO form; UTC where it has no zone.

    Raises
    ------
    SettingsError
        It is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{what} must be a date or a time; got {text!r}", hint="such as 2024-02-29") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
