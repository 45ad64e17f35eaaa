"""What a gate says, before its name is put to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.warehouse.control.deployments import GateStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Pass, fail or not enough evidence; one sentence with the numbers; plain data that says the same and more."""

    status: GateStatus
    summary: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def passed(summary: str, evidence: Mapping[str, Any]) -> Verdict:
    """The version may pass."""
    return Verdict(status="pass", summary=summary, evidence=evidence)


def failed(summary: str, evidence: Mapping[str, Any]) -> Verdict:
    """The version may not pass."""
    return Verdict(status="fail", summary=summary, evidence=evidence)


def unsure(summary: str, evidence: Mapping[str, Any] | None = None) -> Verdict:
    """Nobody can tell, which is not a pass."""
    return Verdict(status="not enough evidence", summary=summary, evidence=evidence or {})


def judged(problems: Iterable[str], good: str, evidence: Mapping[str, Any]) -> Verdict:
    """Fail with all problems, or pass with what is good."""
    found = list(problems)
    return failed("; ".join(found), evidence) if found else passed(good, evidence)
