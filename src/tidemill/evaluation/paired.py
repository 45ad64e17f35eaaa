"""Two models on the same rows: the difference of a metric, with the interval that the pairing makes narrow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.evaluation.confusion import called_classes
from tidemill.evaluation.influence import Influence, influence
from tidemill.evaluation.intervals import normal_quantile

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
    `evaluation.influence`: for roc_auc it is the paired test of DeLong et al., doi 10.2307/2531595.
    """
    new = influence(metric, labels, y, scores_new)
    old = influence(metric, labels, y, scores_old)
    gap = new.value - old.value
    # The influence of a row on the difference is the difference of its influences.
    variance = Influence(gap, new.rows - old.rows).variance
    reach = normal_quantile(confidence) * math.sqrt(variance) if math.isfinite(variance) else math.inf
    return Difference(
        metric=metric,
        new=new.value,
        old=old.value,
        difference=gap,
        low=gap - reach,
        high=gap + reach,
        rows=len(y),
        flips=_flips(labels, scores_new, scores_old),
    )


def _flips(labels: Labels, new: np.ndarray, old: np.ndarray) -> float:
    if not labels.classes or not len(new):
        return 0.0
    return float((called_classes(new) != called_classes(old)).mean())
