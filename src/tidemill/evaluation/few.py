"""How many rows of a class a metric rests on: with too few of them its variance says nothing.

The influence of rows on a metric gives its variance as long as there are some rows of each class that it is about. One
row has no spread: a window with one label "yes" has an area under the curve that seems known to a hundredth, wherever
that row happens to lie. With 10 rows the test of a loss errs about as often as it says: of simulated windows in which
nothing was wrong, at most 1.3 % had a p-value below 0.01 (5 rows: 3.5 %, 3 rows: 5 %, 1 row: 30 %), for areas and
shares from 0.7 to 0.99; and one wrong label among the 10 lies about one standard error away.

References
----------
.. [1] J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC)
   curve", Radiology 143(1), 1982, doi 10.1148/radiology.143.1.7063747.
.. [2] R. G. Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic. Part 2:
   asymptotic methods and evaluation", Statistics in Medicine 25(4), 2006, doi 10.1002/sim.2324: small classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.words import class_text, count
from tidemill.evaluation.confusion import called_classes

if TYPE_CHECKING:
    from tidemill.model_types.base import Labels

LEAST_OF_CLASS = 10
"""A metric that rests on fewer rows of a class than this is shown, not judged."""

_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The rows that a metric of a classifier rests on.

    Parameters
    ----------
    rows
        How many, by class.
    needed
        Ordinals of the classes that it cannot do without; none where it is a mean over all rows.
    how
        What makes a row one of a class: its label, or what the model called it.
    """

    rows: np.ndarray
    needed: tuple[int, ...]
    how: str

    @property
    def fewest(self) -> float:
        """Rows of the smallest class that it needs."""
        return min((float(self.rows[one]) for one in self.needed), default=float("inf"))

    def told(self, classes: Sequence[Any]) -> str:
        """How many rows each class has, the smallest first."""
        order = np.argsort(self.rows, kind="stable")
        some = order if len(order) <= _NAMED + 1 else order[:_NAMED]
        named = ", ".join(f"{int(self.rows[one]):,} {class_text(classes[one])}" for one in some)
        more = len(order) - len(some)
        return f"{self.how} {named}{f' and {more} classes more' if more else ''}"

    def few(self, classes: Sequence[Any], *, where: str = "") -> str:
        """Why it says too little; '' where it says enough.

        Parameters
        ----------
        where
            What the rows are, before the word.
        """
        if self.fewest >= LEAST_OF_CLASS:
            return ""
        one = min(self.needed, key=lambda place: float(self.rows[place]))
        rows = count(int(self.rows[one]), f"{where}row")
        return f"not enough data: {rows} {self.how} {class_text(classes[one])}, {LEAST_OF_CLASS} are needed"


def support(metric: str, true: np.ndarray, called: np.ndarray) -> Support:
    """What a metric rests on.

    Parameters
    ----------
    true, called
        Rows by class: of their labels (or as many as are to be expected), and as the model calls them.
    """
    by_call = metric == "precision"
    rows = called if by_call else true
    if metric == "accuracy" or (metric == "log_loss" and len(true) == 2) or metric == "brier_score":
        needed: Sequence[int] = ()
    elif metric == "roc_auc" and len(true) == 2:
        needed = (0, 1)
    elif len(true) == 2:
        needed = (1,)
    else:  # a plain mean over the classes that there are: each of them counts as much
        with_calls = metric in ("precision", "recall", "f1_score")
        needed = np.flatnonzero((true > 0) | (called > 0) if with_calls else true > 0).tolist()
    return Support(rows=rows, needed=tuple(needed), how="called" if by_call else "labelled")


def support_of(metric: str, labels: Labels, y: np.ndarray, scores: np.ndarray) -> Support | None:
    """What a metric of labelled rows rests on; None for regression, whose metrics are means over all rows."""
    return support(metric, *by_class(y, scores)) if labels.classes else None


def by_class(y: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows by their labels' class, and by the class they are called."""
    classes = scores.shape[1]
    return (
        np.bincount(y.astype(np.int64), minlength=classes),
        np.bincount(called_classes(scores), minlength=classes),
    )


def too_few(metric: str, labels: Labels, y: np.ndarray, scores: np.ndarray, *, where: str = "") -> str:
    """Why a metric of labelled rows is not to be judged; '' where it may be."""
    found = support_of(metric, labels, y, scores)
    return "" if found is None else found.few(labels.classes, where=where)
