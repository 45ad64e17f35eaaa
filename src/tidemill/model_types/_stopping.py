"""When training stops before MAX_ITERATIONS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tidemill.model_types.base import Iteration


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """EARLY_STOP and MIN_REL_PROGRESS: stop after the first iteration whose relative gain in loss is below the least.

    The loss is that of the evaluation rows where there are some, of the training rows otherwise.

    References
    ----------
    https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm#early_stop
    """

    early: bool
    least: float

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """The two options, by their lower-case names."""
        return cls(early=bool(options.get("early_stop", True)), least=float(options.get("min_rel_progress", 0.01)))

    def says_stop(self, iterations: Sequence[Iteration]) -> bool:
        """Whether the last of the iterations was one too many."""
        if not self.early or len(iterations) < 2:
            return False
        before, now = (row.loss if row.eval_loss is None else row.eval_loss for row in iterations[-2:])
        if before is None or now is None:
            return False
        # A loss of zero cannot gain any more.
        return before <= 0.0 or (before - now) / before < self.least
