"""Two models on the same rows: the difference of a metric, with the interval that the pairing makes narrow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.chance import normal_quantile
from tidemill.evaluation.confusion import called_classes
from tidemill.evaluation.influence import Influence, influence

if TYPE_CHECKING:
    from tidemill.model_types.base import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The new model's metric less the old one's.

    Parameters
    ----------
    low, high
        The interval of the difference; infinite where the rows cannot tell.
    flips
        The share of decisions that differ; 0 for regression.
    """

    metric: str
    new: float
    old: float
    difference: float
    low: float
    high: float
    rows: int
    flips: float


def paired_difference(
    metric: str, labels: Labels, y: np.ndarray, scores_new: np.ndarray, scores_old: np.ndarray, *, confidence: float
) -> Difference:
    """The difference of a metric between two models that scored the same rows.

    Parameters
    ----------
    y
        Labels, as `judge` takes them.
    scores_new, scores_old
        Scores of the same rows by either model.
    confidence
        Of the interval, in (0, 1).

    References
    ----------
    `evaluation.influence`: for roc_auc it is the paired test of DeLong et al., doi 10.2307/2531595. For accuracy it is
    the score interval of T. Tango, Statistics in Medicine 17, 1998,
    doi 10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B.
    """
    new = influence(metric, labels, y, scores_new)
    old = influence(metric, labels, y, scores_old)
    gap = new.value - old.value
    # The influence of a row on the difference is the difference of its influences.
    with np.errstate(over="ignore", invalid="ignore"):
        variance = Influence(gap, new.rows - old.rows).variance
    reach = normal_quantile(confidence) * math.sqrt(variance) if math.isfinite(variance) else math.inf
    low, high = gap - reach, gap + reach
    # Where few rows are right with one version alone, the variance seen says far too little, and nothing with none.
    if metric == "accuracy" and len(y) and not np.array_equal(scores_new, scores_old):
        right = called_classes(scores_new) == y, called_classes(scores_old) == y
        gained, lost = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
        low, high = score_interval(gained, lost, len(y), confidence=confidence)
    return Difference(
        metric=metric,
        new=new.value,
        old=old.value,
        difference=gap,
        low=low,
        high=high,
        rows=len(y),
        flips=_flips(labels, scores_new, scores_old),
    )


def score_interval(gained: int, lost: int, n: int, *, confidence: float) -> tuple[float, float]:
    """Tango's interval of the difference of two shares of the same ``n`` rows.

    Parameters
    ----------
    gained, lost
        Rows counted in the first share alone, and in the second alone.
    """
    z = normal_quantile(confidence)

    def solve(below: float, above: float, target: float) -> float:
        """Where the score, which falls as the difference supposed grows, has a value."""
        for _ in range(60):
            middle = (below + above) / 2
            if _score(gained, lost, n, middle) > target:
                below = middle
            else:
                above = middle
        return (below + above) / 2

    gap = (gained - lost) / n
    return solve(-1.0, gap, z), solve(gap, 1.0, -z)


def _score(gained: int, lost: int, n: int, gap: float) -> float:
    """How many standard errors the difference seen is above one supposed."""
    half = (2 * n - gained + lost) * gap - gained - lost
    least = (math.sqrt(half * half + 8 * n * lost * gap * (1 - gap)) - half) / (4 * n) if gap > -1 else 1.0
    variance = n * (2 * least + gap * (1 - gap))
    away = gained - lost - n * gap
    return away / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, away) if away else 0.0


def _flips(labels: Labels, new: np.ndarray, old: np.ndarray) -> float:
    if not labels.classes or not len(new):
        return 0.0
    return float((called_classes(new) != called_classes(old)).mean())
