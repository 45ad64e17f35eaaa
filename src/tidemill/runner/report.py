"""What came of a run and of each of its steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tidemill.core.errors import TidemillError


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What came of one step.

    ``skipped`` steps hang on one that failed; ``resumed`` ones were done by a lost run; ``unchanged`` ones had nothing
    to do in the end, because no new rows came. ``deleted`` rows went because new ones say that their key is gone.
    """

    asset: str
    kind: str
    action: str
    status: Literal["done", "failed", "skipped", "resumed", "unchanged"]
    reason: str
    seconds: float = 0.0
    rows: int | None = None
    deleted: int = 0
    version: int | None = None
    error: TidemillError | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    fingerprint: str = ""

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "asset": self.asset,
            "kind": self.kind,
            "action": self.action,
            "status": self.status,
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "rows": self.rows,
            "deleted": self.deleted,
            "version": self.version,
            "error": self.error.as_json() if self.error else None,
            "metrics": self.metrics,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What came of a run. ``nothing`` means that every asset was as it should be."""

    run_id: str
    status: Literal["ok", "failed", "nothing"]
    steps: tuple[StepReport, ...] = ()
    seconds: float = 0.0
    unchanged: int = 0

    @property
    def exit_status(self) -> int:
        """0, or the exit status of the first failure's kind."""
        return next((step.error.exit_status for step in self.steps if step.error), 0)

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "unchanged": self.unchanged,
            "steps": [step.as_json() for step in self.steps],
        }
