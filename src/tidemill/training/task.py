"""What a training is asked to do, and the function that judges its scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tidemill.model_types.base import Labels, ModelType

if TYPE_CHECKING:
    import numpy as np

    from tidemill.core.errors import Where
    from tidemill.sql.statements import TransformItem
    from tidemill.warehouse.protocol import ArrowStream, Session

# (labels, y, scores) -> metrics by name; `evaluation.judge.judge`, handed in because evaluation stands downstream.
Judge = Callable[[Labels, "np.ndarray", "np.ndarray"], dict[str, float]]
# (what is going on, how much is done, of how much); 0 of 0 where that is not known.
Progress = Callable[[str, int, int], None]


def no_progress(message: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainTask:
    """One training: rows, model type, checked options.

    Parameters
    ----------
    sql, relations
        The training query in the engine's SQL, and the streams it reads by name.
    ordered
        The engine returns its rows in the same order each time (`BoundQuery.ordered`).
    options, given
        All options by lower-case name with defaults filled in, and the names that the user gave.
    previous
        The files of the version before, for WARM_START; None where there is none, or where it is not asked for.
    seed, threads
        The same rows, SQL, options, seed and threads give the same bytes.
    """

    session: Session
    sql: str
    name: str
    model_type: ModelType
    options: Mapping[str, Any]
    relations: Mapping[str, ArrowStream] = field(default_factory=dict)
    ordered: bool = False
    given: frozenset[str] = frozenset()
    transform: tuple[TransformItem, ...] = ()
    previous: Mapping[str, bytes] | None = None
    seed: int = 0
    threads: int = 1
    where: Where | None = None
    progress: Progress = no_progress
