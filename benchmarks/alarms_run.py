"""Simulated windows, handed to the monitor's decisions one after the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from benchmarks.alarms_world import Apart, Traffic, distance, measured
from tidemill.monitoring.alert import Alert, Transition
from tidemill.monitoring.budget import Policy
from tidemill.monitoring.decide import decide, keep_windows
from tidemill.monitoring.verdict import Key, Verdict

POLICY = Policy()


def follow(
    traffic: Traffic, *, policy: Policy = POLICY, floors: bool = True, apart: Apart = distance
) -> list[tuple[Transition, ...]]:
    """What each window did to the alerts, with a past and alerts kept as the control database keeps them."""
    past: dict[Key, list[Verdict]] = defaultdict(list)
    alerts: list[Alert] = []
    happened = []
    for window, figures in measured(traffic, floors=floors, apart=apart):
        live = [one for one in alerts if one.resolved is None or window.end - one.resolved <= policy.cool_down]
        decision = decide(figures, window, past, live, policy)
        for one in decision.verdicts:
            past[one.key].insert(0, one)
            del past[one.key][keep_windows(policy, window) :]
        changed = {(one.alert.cause, one.alert.severity) for one in decision.transitions}
        alerts = [one for one in live if (one.cause, one.severity) not in changed]
        alerts += [one.alert for one in decision.transitions]
        happened.append(decision.transitions)
    return happened


def new_alerts(happened: Sequence[tuple[Transition, ...]], *, after: int = 0) -> Counter[str]:
    """How many alerts were opened, or opened again, by severity, from a window on."""
    told = [one for transitions in happened[after:] for one in transitions]
    return Counter(one.alert.severity for one in told if one.happening in {"opened", "reopened"})


def first_alarm(happened: Sequence[tuple[Transition, ...]], *, after: int, severity: str = "page") -> int | None:
    """How many windows it takes, 1 for the window the fault came with; None when it is not found."""
    for number, transitions in enumerate(happened[after:], start=1):
        if any(one.happening in {"opened", "reopened"} and one.alert.severity == severity for one in transitions):
            return number
    return None
