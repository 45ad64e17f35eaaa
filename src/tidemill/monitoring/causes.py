"""Which figures have one cause: the same table upstream, or features that explain why predictions moved. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tidemill.monitoring.alert import Alert, Severity
from tidemill.monitoring.families import FAMILIES
from tidemill.monitoring.verdict import Key, Verdict

INPUTS = frozenset({"contract", "missing", "new_category", "feature"})
"""Families of what comes in; the others are consequences."""

CAUSES: Mapping[str, str] = {"prediction": "predictions", "estimate": "predictions"}
"""Families that are told as one; each other family is a cause of its own name."""

_PAGES = {family.name: family.pages for family in FAMILIES}
_LAST_EXPLAINING = 10


def severity_of(family: str) -> Severity:
    """Whether a family may wake somebody up."""
    return "page" if _PAGES[family] else "diagnosis"


def rank(moved: Iterable[Verdict]) -> list[Verdict]:
    """Features that moved, by importance times effect; a column stands there once, with its largest effect."""
    best: dict[str, Verdict] = {}
    for one in sorted(moved, key=lambda one: -one.effect):
        known = best.setdefault(one.key.subject, one)
        best[one.key.subject] = replace(known, weight=max(known.weight, one.weight))
    return sorted(best.values(), key=lambda one: (-one.weight * one.effect, -one.effect, one.key.subject))


def explaining(moved: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The first of the features that moved."""
    return tuple(rank(moved)[:_LAST_EXPLAINING])


def cause_of(verdict: Verdict, standing: Sequence[Alert], moved: Sequence[Verdict]) -> str:
    """What a figure in alarm is told under.

    Parameters
    ----------
    standing
        Open alerts, those of this window too.
    moved
        Features that moved in this window.
    """
    known = next((alert for alert in standing if verdict.key in alert.keys), None)
    if known is not None:
        return known.cause
    family = verdict.key.family
    if family in INPUTS:
        return f"source {verdict.source}" if verdict.source else family
    if family in CAUSES or family == "quality":
        behind = _behind(standing, moved)
        if behind is not None:
            return behind
    return CAUSES.get(family, family)


def _behind(standing: Sequence[Alert], moved: Sequence[Verdict]) -> str | None:
    """The cause of an open alert about the inputs that holds the feature which explains most."""
    first = next(iter(rank(moved)), None)
    if first is None or first.weight <= 0.0:
        return None
    for alert in standing:
        about = {key.subject for key in alert.keys if key.family in INPUTS}
        if alert.severity == "page" and (first.key.subject in about or alert.cause == f"source {first.source}"):
            return alert.cause
    return None


def by_family(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Verdicts by their family, in the order of the families: inputs come before what follows from them."""
    found: dict[str, list[Verdict]] = {family.name: [] for family in FAMILIES}
    for one in verdicts:
        found[one.key.family].append(one)
    return {family: members for family, members in found.items() if members}


def merged(old: Sequence[Key], new: Iterable[Key]) -> tuple[Key, ...]:
    """Keys in the order they came, each once."""
    return tuple(dict.fromkeys([*old, *new]))
