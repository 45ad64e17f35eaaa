"""A plan: the list of steps that `plan` prints and `run` carries out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Action = Literal["build", "increment", "train", "load", "insert", "check", "view", "assert", "drop", "refuse", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do, and why.

    Parameters
    ----------
    depends
        Assets of this plan that must be done first.
    fingerprint
        What the asset's fingerprint will be when the step is done.
    reads
        Fingerprints of the assets it reads, and tokens of the outside data, by name: the next plan compares with them.
    checked
        Names among ``reads`` that only its checks look into: they are no part of the fingerprint.
    made_of
        What the fingerprint is the digest of, besides the other ``reads``.
    before
        The fingerprint it has now; '' when it must be made whatever it reads.
    unless
        What it reads if nothing need be done: what it was made from last. None when something must be done anyway.
    by_rows
        Whether it is as it was where it comes out with the rows that it has: it reads the prediction log, which grows
        by answers and labels that its query may pass over.
    planned
        The fingerprint of the plan, where that turned out otherwise (see `planner.settle`).
    """

    ordinal: int
    asset: str
    kind: str
    action: Action
    reason: str
    depends: tuple[str, ...]
    file: str
    line: int
    statement: int
    fingerprint: str
    reads: dict[str, str]
    parts: dict[str, str]
    checked: tuple[str, ...] = ()
    made_of: tuple[Any, ...] = ()
    before: str = ""
    unless: dict[str, str] | None = None
    by_rows: bool = False
    planned: str = ""

    @property
    def name(self) -> str:
        """The step's own name in commits: the asset and what it will be."""
        return f"{self.asset}@{(self.planned or self.fingerprint)[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in an order in which they can be done; unchanged assets are in it as ``skip``."""

    steps: tuple[Step, ...]

    @property
    def work(self) -> tuple[Step, ...]:
        """The steps that are not skipped."""
        return tuple(step for step in self.steps if step.action != "skip")

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return any(step.action != "skip" for step in self.steps)

    def as_json(self) -> list[dict[str, Any]]:
        """The plan as plain data, for ``tidemill plan --json``."""
        return [
            {
                "asset": step.asset,
                "kind": step.kind,
                "action": step.action,
                "reason": step.reason,
                "depends": list(step.depends),
                "file": step.file,
                "line": step.line,
                "fingerprint": step.fingerprint,
            }
            for step in self.steps
        ]
