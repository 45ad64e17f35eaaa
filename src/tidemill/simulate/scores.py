"""Prequential scores: each answer is scored against a label that was not known when it was given.

Beside the deployment stand contestants that know no more than it did: the first version, never trained again; the last
label that was known; the most frequent one, or the mean.

References
----------
.. [1] Gama, Sebastião, Rodrigues: On evaluating stream learning algorithms, Machine Learning 90, 2013.
   https://doi.org/10.1007/s10994-012-5320-9
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.evaluation.curves import roc_auc
from tidemill.serving.log.texts import text_of
from tidemill.simulate.ledger import Answers
from tidemill.simulate.stream import MICROSECOND, NEVER, micros, moment

DEPLOYED, FIRST, LAST = "deployed", "no retraining", "last label"
MAJORITY, MEAN = "majority", "mean so far"
MOST_PERIODS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A stretch of the replay.

    Parameters
    ----------
    version
        The version that gave most of its answers; None where there was none.
    scores
        The metric of each contestant over its labelled answers.
    fading
        The deployment's fading score at its end, over labels in the order of their answers.
    known_fading
        The same over the labels that had come by its end: what somebody could have known.
    """

    start: datetime
    end: datetime
    answers: int
    labelled: int
    version: int | None
    scores: Mapping[str, float] = field(default_factory=dict)
    fading: float | None = None
    known_fading: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All scores of a simulation.

    Parameters
    ----------
    metric
        accuracy, or mean_absolute_error for numbers.
    totals
        Metrics of each contestant over all labelled answers, by name.
    """

    metric: str
    answers: int
    labelled: int
    totals: Mapping[str, Mapping[str, float]]
    periods: tuple[Period, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels of all rows of the stream, and when each row was asked about and its label known."""

    truths: Sequence[Any]
    at: np.ndarray
    known: np.ndarray


@np.errstate(over="ignore", invalid="ignore")
def measure(
    answers: Answers, labels: Labels, *, classes: Sequence[Any], fading: float, width: timedelta, begin: datetime
) -> Scores:
    """Score a simulation.

    Parameters
    ----------
    classes
        The model's, in ascending order; none where it predicts a number.
    width
        A period is a multiple of it, so that there are not too many.
    begin
        Where the first period begins.
    """
    coded = _coder(classes)
    simple = _simple(labels, coded, number=not classes)
    truth = np.array([coded(value) for value in answers.truths], dtype=np.float64)
    contestants = {
        DEPLOYED: np.array([coded(value) for value in answers.predictions], dtype=np.float64),
        FIRST: np.array([coded(value) for value in answers.first], dtype=np.float64),
        LAST: simple[0][answers.rows],
        MAJORITY if classes else MEAN: simple[1][answers.rows],
    }
    scores = {DEPLOYED: answers.scores, FIRST: answers.first_scores}
    told = answers.known != NEVER
    per_row = {
        name: (one == truth).astype(np.float64) if classes else np.abs(one - truth) for name, one in contestants.items()
    }
    totals = {
        name: _totals(truth[told], one[told], scores[name][told] if name in scores else None, len(classes))
        for name, one in contestants.items()
    }
    return Scores(
        metric="accuracy" if classes else "mean_absolute_error",
        answers=len(truth),
        labelled=int(told.sum()),
        totals=totals,
        periods=_periods(answers, told, per_row, fading=fading, width=width, begin=begin),
    )


def _coder(classes: Sequence[Any]) -> Any:
    """A label as a number: its place among the classes (-1 for none of them), or itself."""
    if not classes:
        return lambda value: np.nan if value is None else float(value)
    places = {text_of(one): place for place, one in enumerate(classes)}
    return lambda value: -1.0 if value is None else float(places.get(text_of(value), -1))


def _simple(labels: Labels, coded: Any, *, number: bool) -> tuple[np.ndarray, np.ndarray]:
    """What the simple contestants say of each row, from the labels that were known when it was asked about."""
    told = np.array([coded(value) for value in labels.truths], dtype=np.float64)
    order = np.lexsort((np.arange(len(told)), labels.known))
    last, usual = np.full(len(told), np.nan), np.full(len(told), np.nan)
    newest, upto, total = -1, 0, 0.0
    counts: dict[float, int] = {}
    for row in range(len(told)):
        while upto < row and labels.known[order[upto]] <= labels.at[row] and order[upto] < row:
            other = int(order[upto])
            newest, upto, total = max(newest, other), upto + 1, total + told[other]
            counts[told[other]] = counts.get(told[other], 0) + 1
        if upto:
            last[row] = told[newest]
            usual[row] = total / upto if number else max(counts, key=counts.__getitem__)
    return last, usual


def _totals(truth: np.ndarray, called: np.ndarray, scores: np.ndarray | None, classes: int) -> dict[str, float]:
    if not len(truth):
        return {}
    if not classes:
        error = called - truth
        return {
            "mean_absolute_error": float(np.nanmean(np.abs(error))),
            "root_mean_squared_error": float(np.sqrt(np.nanmean(np.square(error)))),
        }
    found = {"accuracy": float((called == truth).mean())}
    if classes == 2:
        hits = float(((called == 1) & (truth == 1)).sum())
        wanted = float((called == 1).sum() + (truth == 1).sum())
        found["f1_score"] = 2.0 * hits / wanted if wanted else 0.0
        if scores is not None and 0 < (truth == 1).sum() < len(truth):
            found["roc_auc"] = roc_auc(truth == 1, scores)
    return found


def _periods(
    answers: Answers,
    told: np.ndarray,
    per_row: Mapping[str, np.ndarray],
    *,
    fading: float,
    width: timedelta,
    begin: datetime,
) -> tuple[Period, ...]:
    if not len(answers.at):
        return ()
    count = (moment(answers.at[-1]) - begin) // width + 1
    wide = width * -(-count // MOST_PERIODS)
    edges = [micros(begin) + number * (wide // MICROSECOND) for number in range(-(-(count * width) // wide) + 1)]
    bounds = np.searchsorted(answers.at, edges)
    faded = _faded(per_row[DEPLOYED], told, fading)
    order = np.argsort(answers.known, kind="stable")
    known_faded = _faded(per_row[DEPLOYED][order], told[order], fading)
    known_bounds = np.searchsorted(answers.known[order], edges)
    found = []
    for number, (low, high) in enumerate(pairwise(bounds)):
        mine = told[low:high]
        versions, times = np.unique(answers.versions[low:high], return_counts=True)
        labelled = int(mine.sum())
        scores = {name: float(np.nanmean(one[low:high][mine])) for name, one in per_row.items()} if labelled else {}
        found.append(
            Period(
                start=moment(edges[number]),
                end=moment(edges[number + 1]),
                answers=int(high - low),
                labelled=labelled,
                version=int(versions[np.argmax(times)]) if len(versions) else None,
                scores=scores,
                fading=_at(faded, int(high)),
                known_fading=_at(known_faded, int(known_bounds[number + 1])),
            )
        )
    return tuple(found)


def _faded(values: np.ndarray, told: np.ndarray, fading: float) -> np.ndarray:
    """The fading mean after each answer: equation 10 of the reference; NaN until the first label."""
    found = np.full(len(values), np.nan)
    total = weight = 0.0
    for place, value in enumerate(values):
        if told[place] and not np.isnan(value):
            total, weight = value + fading * total, 1.0 + fading * weight
        if weight:
            found[place] = total / weight
    return found


def _at(values: np.ndarray, upto: int) -> float | None:
    return None if upto <= 0 or np.isnan(values[upto - 1]) else float(values[upto - 1])
