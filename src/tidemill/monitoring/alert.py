"""Alerts and what may become of them: opened, widened, far worse, resolved, opened again. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tidemill.monitoring.verdict import Key, Verdict

Severity = Literal["page", "diagnosis"]
Happening = Literal["opened", "widened", "worsened", "continuing", "resolved", "reopened"]
Trouble = tuple[Severity, str]
"""How bad, and the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One trouble of one deployment, from its first window to its last.

    Parameters
    ----------
    id
        '' until it is kept.
    cause
        What its figures have in common: ``source TABLE``, ``predictions``, or the family of trouble.
    keys
        The figures that are in alarm under it: one that was quiet for as long as ends an alert leaves it.
    since
        Start of the first window in which one of them was beyond the threshold, since it came back last.
    opened
        End of the window in which the alarm stood: before that, nobody could have known.
    resolved
        End of the window with which it was over; None while it is open.
    reopened
        How often it came back within the cool-down.
    told
        The worst value of each of its figures that was told of since it opened, or came back last.
    """

    cause: str
    severity: Severity
    keys: tuple[Key, ...]
    since: datetime
    opened: datetime
    id: str = ""
    resolved: datetime | None = None
    reopened: int = 0
    told: Mapping[Key, float] = field(default_factory=dict)

    @property
    def trouble(self) -> Trouble:
        """What it is about: no two alerts about the same are open at once."""
        return self.severity, self.cause

    @property
    def families(self) -> tuple[str, ...]:
        """The kinds of trouble, in the order they came."""
        return tuple(dict.fromkeys(key.family for key in self.keys))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Who looks after a deployment, and the page that says what to do; '' where nobody said."""

    owner: str = ""
    runbook: str = ""


NOBODY = Contact()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What a window did to an alert.

    Parameters
    ----------
    alert
        As it is now.
    evidence
        The figures in alarm, the strongest first.
    explained
        Features that moved, the ones most of the model hangs on first.
    reason
        Why, where the figures do not say it.
    """

    happening: Happening
    alert: Alert
    evidence: tuple[Verdict, ...] = ()
    explained: tuple[Verdict, ...] = ()
    reason: str = ""
