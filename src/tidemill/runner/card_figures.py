"""Figures for a model card, worked out on the rows that the version was judged on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.chance import wilson
from tidemill.core.names import name_key
from tidemill.evaluation.confusion import called_classes, confusion_matrix
from tidemill.evaluation.curves import default_thresholds, roc_curve
from tidemill.evaluation.intervals import metric_intervals
from tidemill.features.plan import encoded_columns
from tidemill.model_types.base import Labels
from tidemill.registry.card_facts import Bin, Figures, MetricOn, Part
from tidemill.registry.describe import Description
from tidemill.runner.call import FunctionCall
from tidemill.runner.execute import OpenQuery, QueryInput
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.functions.scoring import explained_batches, feature_source
from tidemill.runner.held_out import HeldOut, held_out_rows
from tidemill.runner.judging import ROWS, judged_table

if TYPE_CHECKING:
    from tidemill.core.sections import GateSettings
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations

# What a figure is drawn from; more rows make a card slower and no clearer.
CARD_ROWS = 20_000
EXPLAINED_ROWS = 1_000
SCATTER_POINTS = 400
BINS = 10
MOST_VALUES = 12
FEWEST_ROWS = 30


@dataclass(frozen=True)
class _Judged:
    """Rows of a version with their labels and scores."""

    held: HeldOut
    labels: Labels
    y: np.ndarray
    scores: np.ndarray
    confidence: float

    @cached_property
    def called(self) -> np.ndarray:
        """The class that each row is given."""
        return called_classes(self.scores)

    def metrics(self, where: np.ndarray | None = None) -> dict[str, MetricOn]:
        """All metrics with intervals, on all rows or on some."""
        y, scores = (self.y, self.scores) if where is None else (self.y[where], self.scores[where])
        found = metric_intervals(self.labels, y, scores, confidence=self.confidence)
        return {
            one.metric: MetricOn(metric=one.metric, value=one.value, low=finite(one.low), high=finite(one.high))
            for one in found
        }


def work_out(
    stations: Stations,
    described: Description,
    *,
    slices: Sequence[str],
    groups: Sequence[str],
    gates: Sequence[GateSettings],
) -> tuple[Figures, tuple[str, ...]]:
    """Score the held-out rows and work out what a card shows; also the declared columns that are not there.

    Raises
    ------
    StateError
        The rows cannot be read again.
    """
    model = stations.load_model(described.row.name, described.row.version)
    held = held_out_rows(stations, described.row, most=CARD_ROWS)
    y, scores = judged_table(stations, model, held.table)
    judged = _Judged(
        held=held,
        labels=ModelFacts(model).labels,
        y=y,
        scores=scores,
        confidence=gates[0].confidence if gates else 0.95,
    )
    least = gates[0].slice_min_rows if gates else FEWEST_ROWS
    present = {name_key(name): name for name in held.table.column_names}
    absent = tuple(name for name in dict.fromkeys([*slices, *groups]) if name_key(name) not in present)
    figures = Figures(
        kind=held.kind,
        total=held.total,
        rows=held.table.num_rows,
        confidence=judged.confidence,
        metrics=tuple(judged.metrics().values()),
        slices=tuple(_slices(judged, [present[name_key(name)] for name in slices if name not in absent], least)),
        groups=tuple(_groups(judged, [present[name_key(name)] for name in groups if name not in absent], least)),
        importance=_importance(stations, model, held),
        **_shapes(judged),
    )
    return figures, absent


def _shapes(judged: _Judged) -> dict[str, Any]:
    """What can be drawn of a task's scores."""
    y, scores, classes = judged.y, judged.scores, judged.labels.classes
    if not classes:
        at = np.linspace(0, len(y) - 1, num=min(SCATTER_POINTS, len(y)), dtype=np.int64)
        return {"scatter": tuple((float(y[i]), float(scores[i])) for i in at)}
    counts = np.bincount(y, minlength=len(classes)).tolist()
    found: dict[str, Any] = {"label_rows": tuple(zip(classes, counts, strict=True))}
    matrix = confusion_matrix(y, judged.called, len(classes)).tolist()
    found["confusion"] = tuple(tuple(row) for row in matrix)
    if len(classes) == 2:
        found["calibration"] = calibration(y == 1, scores[:, 1])
        if 0 < counts[1] < len(y):
            curve = roc_curve(y == 1, scores[:, 1], default_thresholds(scores[:, 1]))
            points = sorted(zip(curve.false_positive_rate.tolist(), curve.recall.tolist(), strict=True))
            found["curve"] = tuple(dict.fromkeys([(0.0, 0.0), *points, (1.0, 1.0)]))
    return found


def calibration(positive: np.ndarray, predicted: np.ndarray, bins: int = BINS) -> tuple[Bin, ...]:
    """Rows in bins of about equal size by their predicted probability: its mean, and the share of positives."""
    order = np.argsort(predicted, kind="stable")
    return tuple(
        Bin(rows=len(part), predicted=float(predicted[part].mean()), observed=float(positive[part].mean()))
        for part in np.array_split(order, min(bins, max(len(order), 1)))
        if len(part)
    )


def _slices(judged: _Judged, columns: Sequence[str], least: int) -> Iterator[Part]:
    """The headline metrics of each value of a column; values with few rows have none."""
    wanted = ("roc_auc", "accuracy") if judged.labels.classes else ("mean_absolute_error", "r2_score")
    for column in columns:
        for value, where in _values(judged.held, column):
            rows = int(where.sum())
            figures = judged.metrics(where) if rows >= least else {}
            yield Part(
                column=column,
                value=value,
                rows=rows,
                figures={name: figures[name] for name in wanted if name in figures},
            )


def _groups(judged: _Judged, columns: Sequence[str], least: int) -> Iterator[Part]:
    """What each group is given: the share of positive calls, and of those among the truly positive."""
    if len(judged.labels.classes) != 2:
        yield from _slices(judged, columns, least)
        return
    called, true = judged.called == 1, judged.y == 1
    for column in columns:
        for value, where in _values(judged.held, column):
            rows = int(where.sum())
            shares = {
                "positive calls": share(called[where], judged.confidence),
                "true positive rate": share(called[where & true], judged.confidence),
                "false positive rate": share(called[where & ~true], judged.confidence),
            }
            figures = {
                name: MetricOn(metric=name, value=found[0], low=found[1], high=found[2])
                for name, found in shares.items()
                if found is not None and rows >= least
            }
            yield Part(column=column, value=value, rows=rows, figures=figures)


def finite(value: float) -> float | None:
    """A bound, where there is one."""
    return value if math.isfinite(value) else None


def share(hits: np.ndarray, confidence: float) -> tuple[float, float, float] | None:
    """A share of rows with its interval; None of no rows."""
    if not len(hits):
        return None
    part = float(hits.mean())
    return part, *wilson(part, len(hits), confidence=confidence)


def _values(held: HeldOut, column: str) -> Iterator[tuple[Any, np.ndarray]]:
    """A column's values with the most rows, each with its rows; numbers of many values are cut at their quartiles."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = held.table.column(column).combine_chunks()
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type) or pa.types.is_decimal(values.type):
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if len(np.unique(numbers[~np.isnan(numbers)])) > MOST_VALUES:
            yield from _quarters(numbers)
            return
    counts = sorted(pc.value_counts(values).to_pylist(), key=lambda one: (-one["counts"], str(one["values"])))
    for one in counts[:MOST_VALUES]:
        same = pc.is_null(values) if one["values"] is None else pc.equal(values, pa.scalar(one["values"], values.type))
        yield one["values"], np.asarray(pc.fill_null(same, False).to_numpy(zero_copy_only=False), dtype=bool)


def _quarters(numbers: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    edges = np.unique(np.nanquantile(numbers, [0.0, 0.25, 0.5, 0.75, 1.0]))
    for number, (low, high) in enumerate(pairwise(edges.tolist())):
        last = number == len(edges) - 2
        where = (numbers >= low) & ((numbers <= high) if last else (numbers < high))
        yield f"{low:.4g} to {'' if last else 'under '}{high:.4g}", where
    if np.isnan(numbers).any():
        yield "NULL", np.isnan(numbers)


def _importance(stations: Stations, model: LoadedModel, held: HeldOut) -> tuple[tuple[str, float], ...]:
    """Features by their mean absolute attribution over a sample of the rows."""
    facts = ModelFacts(model)
    names = [feature.name for feature in facts.plan.features]
    belongs = np.zeros((facts.plan.width, len(names)))
    for at, column in enumerate(encoded_columns(facts.plan)):
        belongs[at, column.feature] = 1.0
    total, rows = np.zeros(len(names)), 0
    with stations.session() as session:
        data = QueryInput(
            OpenQuery(sql=f"SELECT * FROM {ROWS}", relations={ROWS: held.sample(EXPLAINED_ROWS)}), session
        )
        call = FunctionCall(function="ML.EXPLAIN_PREDICT", model=model, inputs=(data,), threads=stations.threads)
        for batch, _, contributions in explained_batches(call, feature_source(call, facts), [], facts):
            sizes = np.abs(contributions[..., :-1] @ belongs)
            total += sizes.reshape(batch.num_rows, -1, len(names)).mean(axis=1).sum(axis=0)
            rows += batch.num_rows
    found = sorted(zip(names, (total / max(rows, 1)).tolist(), strict=True), key=lambda one: (-one[1], one[0]))
    return tuple((name, value) for name, value in found if value > 0)
