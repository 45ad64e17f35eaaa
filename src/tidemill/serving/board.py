"""The board of a deployment: a small file that all workers of a server map into memory.

Each worker counts into a block of its own, so that counting takes no lock; each sees the sum of all. One word in the
head is the kill switch: a worker that sees the challenger do harm writes the trial there, and from the next request
on no worker asks the challenger, with no database in the way.

Counts belong to a trial, named by when its stage began. A block of another trial counts for nothing.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tidemill.core.errors import InternalError

WORKERS = 64
"""Most workers of one server."""

LATENCY_BINS, SCORE_BINS = 64, 32
CHAMPION, CHALLENGER = 0, 1

_HEAD, _ARM = 8, 2 + LATENCY_BINS + SCORE_BINS
# trial; agreeing and differing shadow answers, largest difference in millionths; then the two arms
_BLOCK = 4 + 2 * _ARM
_WORDS = _HEAD + WORKERS * _BLOCK
_KILLED = 0
_ANSWERS, _ERRORS, _LATENCY, _SCORE = 0, 1, 2, 2 + LATENCY_BINS
_AGREE, _DIFFER, _LARGEST = 1, 2, 3


def latency_bin(seconds: float) -> int:
    """The bin of a duration: four bins an octave, from 16 microseconds on."""
    micros = int(seconds * 1e6)
    if micros < 16:
        return 0
    octave = micros.bit_length() - 5
    return min(LATENCY_BINS - 1, 4 * octave + (micros >> (octave + 2)) - 4 + 1)


LATENCY_EDGES: tuple[float, ...] = tuple(
    (4 + quarter) * 2.0 ** (octave + 2) / 1e6 for octave in range(16) for quarter in range(4)
)[: LATENCY_BINS - 1]
"""Where the bins meet, in seconds: bin i holds what is at least edge i - 1 and less than edge i."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCounts:
    """What one arm of a trial answered: requests, those that failed, and histograms of durations and row scores."""

    answers: int
    errors: int
    latency: tuple[int, ...]
    scores: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialCounts:
    """What all workers counted of a trial; the shadow's answers are also compared with the champion's."""

    champion: ArmCounts
    challenger: ArmCounts
    agree: int
    differ: int
    largest_difference: float


class Board:
    """One mapped file, seen by one worker."""

    def __init__(self, path: Path, *, worker: int) -> None:
        if not 0 <= worker < WORKERS:
            raise InternalError(f"a server has at most {WORKERS} workers")
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size != _WORDS * 8:
                os.ftruncate(descriptor, _WORDS * 8)
            self._map = mmap.mmap(descriptor, _WORDS * 8)
        finally:
            os.close(descriptor)
        self._words = memoryview(self._map).cast("q")
        self._mine = _HEAD + worker * _BLOCK
        self._edges: Sequence[float] = ()

    def enter(self, trial: int, *, score_edges: Sequence[float]) -> None:
        """Begin to count for a trial; what this worker counted for an earlier one is gone."""
        self._edges = tuple(score_edges[: SCORE_BINS - 1])
        if self._words[self._mine] == trial:
            return
        for word in range(self._mine, self._mine + _BLOCK):
            self._words[word] = 0
        self._words[self._mine] = trial

    def count(self, arm: int, *, seconds: float, error: bool, scores: Sequence[float]) -> None:
        """Count one request of an arm; its rows share its fate, so only their scores are counted one by one."""
        words, at = self._words, self._mine + 4 + arm * _ARM
        words[at] += 1
        if error:
            words[at + _ERRORS] += 1
            return
        words[at + _LATENCY + latency_bin(seconds)] += 1
        edges, first = self._edges, at + _SCORE
        for score in scores:
            words[first + bisect_right(edges, score)] += 1

    def compare(self, *, agree: int, differ: int, largest: float) -> None:
        """Count how answers in the shadow stand beside the champion's."""
        words, at = self._words, self._mine
        words[at + _AGREE] += agree
        words[at + _DIFFER] += differ
        words[at + _LARGEST] = max(words[at + _LARGEST], int(min(largest, 1e12) * 1e6))

    def counts(self, trial: int) -> TrialCounts:
        """The sum over all workers that count for a trial."""
        total = [0] * _BLOCK
        largest = 0
        for start in range(_HEAD, _WORDS, _BLOCK):
            if self._words[start] != trial:
                continue
            block = self._words[start : start + _BLOCK].tolist()
            largest = max(largest, block[_LARGEST])
            total = [a + b for a, b in zip(total, block, strict=True)]
        return TrialCounts(
            champion=_arm(total[4 : 4 + _ARM]),
            challenger=_arm(total[4 + _ARM :]),
            agree=total[_AGREE],
            differ=total[_DIFFER],
            largest_difference=largest / 1e6,
        )

    def kill(self, trial: int) -> None:
        """End a trial for all workers: its challenger is asked no more."""
        self._words[_KILLED] = trial

    def killed(self, trial: int) -> bool:
        """Whether a trial was ended so."""
        return self._words[_KILLED] == trial

    def close(self) -> None:
        """Give the map back."""
        self._words.release()
        self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _arm(words: Sequence[int]) -> ArmCounts:
    return ArmCounts(
        answers=words[_ANSWERS],
        errors=words[_ERRORS],
        latency=tuple(words[_LATENCY:_SCORE]),
        scores=tuple(words[_SCORE:]),
    )
