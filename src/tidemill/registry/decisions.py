"""Which decisions flip between two versions on the same rows, and which rows move most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.evaluation.confusion import THRESHOLD, called_classes
from tidemill.model_types.base import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """Rows that the old version called one class and the new one another."""

    old: Any
    new: Any
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """A row whose score moved: its number among the rows, its label, both predictions and scores, and its values."""

    row: int
    label: Any
    old: Any
    new: Any
    score_old: float
    score_new: float
    values: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What two versions decide on the same rows.

    Parameters
    ----------
    flipped, share
        Rows whose predicted class differs, and their share; 0 for a regression, which has no classes.
    became_right, became_wrong
        Flipped rows that only the new version calls right, and that only the old one does.
    moved
        Mean absolute difference of the scores: the probability of the last class of two, of the label's class
        otherwise, or the prediction of a regression.
    """

    rows: int
    flipped: int
    share: float
    became_right: int
    became_wrong: int
    flips: tuple[Flip, ...]
    moved: float
    most_moved: float
    movers: tuple[Mover, ...]


def compare_decisions(
    labels: Labels,
    y: np.ndarray,
    old: np.ndarray,
    new: np.ndarray,
    *,
    values: Callable[[int], dict[str, Any]] = lambda _: {},
    threshold: float = THRESHOLD,
    most: int = 5,
) -> Decisions:
    """Compare the scores of two versions on the same rows.

    Parameters
    ----------
    y, old, new
        As `evaluation.judge` takes them: class indices (or numbers), probabilities of shape (n, classes) or numbers.
    values
        The values of one row, for the movers.
    most
        How many movers to name.
    """
    count = len(y)
    before, after = _scores(labels, y, old), _scores(labels, y, new)
    distance = np.abs(after - before)
    called_old, called_new = _called(labels, old, threshold), _called(labels, new, threshold)
    differs = called_old != called_new if labels.classes else np.zeros(count, dtype=bool)
    # Stable, and flipped rows before others that moved as far.
    order = np.lexsort((np.arange(count), ~differs, -distance))[:most]
    return Decisions(
        rows=count,
        flipped=int(differs.sum()),
        share=float(differs.mean()) if count else 0.0,
        became_right=int((differs & (called_new == y)).sum()) if labels.classes else 0,
        became_wrong=int((differs & (called_old == y)).sum()) if labels.classes else 0,
        flips=_flips(labels, called_old[differs], called_new[differs]),
        moved=float(distance.mean()) if count else 0.0,
        most_moved=float(distance.max()) if count else 0.0,
        movers=tuple(
            Mover(
                row=int(at),
                label=_value(labels, y[at]),
                old=_value(labels, called_old[at]),
                new=_value(labels, called_new[at]),
                score_old=float(before[at]),
                score_new=float(after[at]),
                values=values(int(at)),
            )
            for at in order
            if distance[at] > 0
        ),
    )


def _scores(labels: Labels, y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """One number a row."""
    if not labels.classes:
        return np.asarray(scores, dtype=np.float64)
    if len(labels.classes) == 2:
        return np.asarray(scores[:, 1], dtype=np.float64)
    found: np.ndarray = np.take_along_axis(scores, y[:, None], axis=1)[:, 0].astype(np.float64)
    return found


def _called(labels: Labels, scores: np.ndarray, threshold: float) -> np.ndarray:
    return called_classes(scores, threshold) if labels.classes else np.asarray(scores, dtype=np.float64)


def _flips(labels: Labels, old: np.ndarray, new: np.ndarray) -> tuple[Flip, ...]:
    if not len(old):
        return ()
    pairs, counts = np.unique(np.stack([old, new], axis=1), axis=0, return_counts=True)
    found = [
        Flip(old=_value(labels, pair[0]), new=_value(labels, pair[1]), rows=int(rows))
        for pair, rows in zip(pairs, counts, strict=True)
    ]
    return tuple(sorted(found, key=lambda flip: -flip.rows))


def _value(labels: Labels, at: Any) -> Any:
    return labels.classes[int(at)] if labels.classes else float(at)
