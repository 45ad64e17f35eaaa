"""What came of one check on one table version, as a plain value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What came of one check on one table version.

    Parameters
    ----------
    check
        The check in words.
    kind
        not_null, primary_key, unique, references, check, assert, or the name of a table's rule such as drift.
    rows_failing
        Rows that fail; of a check on the table as a whole 1 when it fails.
    whole
        Whether the check is about the table as a whole: no single row fails it.
    sample
        Some rows that fail, what the check is about first.
    sample_keys
        The key of each row of the sample, where the table has one.
    observed
        What was measured, by name: the aggregates of a check, or the figures of a rule.
    seconds
        Its share of the time that all checks took.
    """

    check: str
    kind: str
    enforced: bool
    rows_seen: int
    rows_failing: int
    whole: bool = False
    sample: tuple[dict[str, Any], ...] = ()
    sample_keys: tuple[dict[str, Any], ...] = ()
    observed: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    line: int = 0
    column: int = 0

    @property
    def passed(self) -> bool:
        """Whether no row fails."""
        return self.rows_failing == 0

    @property
    def status(self) -> str:
        """How it ended: ``passed``, ``failed`` (enforced) or ``warned`` (not enforced)."""
        return "passed" if self.passed else "failed" if self.enforced else "warned"
