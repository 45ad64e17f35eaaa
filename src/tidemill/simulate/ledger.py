"""Every answer of a simulation with what came true, in the order they were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np  # noqa: TID253


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer: when, by which version, what, the probability of the last class, and what the first version says."""

    row: int
    version: int
    prediction: Any
    score: float
    first: Any
    first_score: float


@dataclass(slots=True)
class Ledger:
    """The answers as they come."""

    answers: list[Answered] = field(default_factory=list)
    refused: int = 0

    def arrays(self, truths: Sequence[Any], at: np.ndarray, known: np.ndarray) -> Answers:
        """The answers as arrays. ``truths``, ``at`` and ``known`` are of all rows of the stream."""
        rows = np.array([one.row for one in self.answers], dtype=np.int64)
        return Answers(
            rows=rows,
            at=at[rows],
            known=known[rows],
            versions=np.array([one.version for one in self.answers], dtype=np.int64),
            truths=[truths[row] for row in rows],
            predictions=[one.prediction for one in self.answers],
            scores=np.array([one.score for one in self.answers], dtype=np.float64),
            first=[one.first for one in self.answers],
            first_scores=np.array([one.first_score for one in self.answers], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers in the order they were given.

    Parameters
    ----------
    rows
        Which row of the stream each is about.
    known
        When its label came; `stream.NEVER` for never.
    """

    rows: np.ndarray
    at: np.ndarray
    known: np.ndarray
    versions: np.ndarray
    truths: list[Any]
    predictions: list[Any]
    scores: np.ndarray
    first: list[Any]
    first_scores: np.ndarray
