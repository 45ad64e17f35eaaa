"""The quality that is to be expected of a version on rows without labels, for any rows a person names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import SettingsError
from tidemill.core.names import did_you_mean, name_key, quote_name
from tidemill.evaluation.calibration import Calibration, calibration_of
from tidemill.evaluation.estimated import MOST_CHECKED
from tidemill.evaluation.judge import metric_names
from tidemill.evaluation.sides import Sides
from tidemill.monitoring.estimate import Believed, measure_check, measure_estimate
from tidemill.monitoring.measurement import Measurement
from tidemill.registry.aliases import resolve
from tidemill.registry.baseline import read_baseline
from tidemill.runner.call import FunctionCall
from tidemill.runner.execute import OpenQuery, QueryInput
from tidemill.runner.expecting import Learnt, learn_expected
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.functions.scoring import feature_source, judged_rows, scored_batches
from tidemill.runner.rows_of import named_rows
from tidemill.serving.gates.case import default_metric

if TYPE_CHECKING:
    from tidemill.analysis.table import Table
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations

Listener = Callable[[str], None]
LEAST_ROWS = 100
MOST_ROWS = 200_000
"""Of more rows than this every n-th is looked at: by then the held-out rows are what is known least."""
MARGIN = 0.03
LEAST_BEYOND = 0.001
"""Columns of which fewer rows are beyond training are not named: of many training rows the range is a sample's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateRequest:
    """What is to be estimated.

    Parameters
    ----------
    on
        Rows without labels: a table, a view, a query, or the path of a file. A label among them is not read.
    check
        Rows with labels that are newer than training, by which the estimate is checked; '' for none.
    model
        Its name, or NAME@ALIAS.
    version
        A number; None for the newest.
    metric
        The metric that is compared with the held-out rows; '' for the task's usual one.
    """

    model: str
    on: str
    check: str = ""
    version: int | None = None
    metric: str = ""
    dialect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateReport:
    """What is to be expected.

    Parameters
    ----------
    state
        ``estimated``, ``off`` (the check failed) or ``not enough data``.
    why
        The reason, or what the check said.
    metrics
        By metric: value, low and high here, and the value on the held-out rows.
    loss
        How much worse the judged metric is than on the held-out rows; None without an estimate.
    check
        Estimate and truth on the rows with labels.
    rows, of_rows
        How many rows were looked at, and how many there are.
    columns
        What was read beside the score.
    alone
        Why nothing was; '' where columns were.
    reliability
        What the version said of its held-out rows and what came true; None for regressors.
    beyond
        How many rows have a number above or below all that the version was trained on, by column, most first. What the
        model does there no held-out row has shown, and the intervals do not cover it.
    """

    model: str
    version: int
    on: str
    rows: int
    of_rows: int
    held_rows: int
    columns: tuple[str, ...]
    alone: str
    metric: str
    state: str
    why: str
    metrics: dict[str, dict[str, float | None]]
    loss: Measurement | None
    check: Measurement | None
    reliability: Calibration | None
    beyond: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        found = {
            name: getattr(self, name)
            for name in ("model", "version", "on", "rows", "of_rows", "held_rows", "columns", "alone", "metric")
        }
        return {
            **found,
            "state": self.state,
            "why": self.why,
            "metrics": self.metrics,
            "loss": _figures(self.loss),
            "check": _figures(self.check),
            "reliability": None if self.reliability is None else asdict(self.reliability),
            "beyond": self.beyond,
        }


def estimate(stations: Stations, request: EstimateRequest, *, listen: Listener = lambda _: None) -> EstimateReport:
    """Estimate the quality of a version on some rows.

    Raises
    ------
    NotFoundError
        There is no such model, version, table or view.
    SettingsError
        The metric is not one of the model's task.
    StatementError
        A column that the model reads is missing.
    DataError
        A column holds something else than in training, or a label is unknown to the model.
    """
    version = resolve(stations.db, request.model, request.version)
    model = stations.load_model(version.name, version.version)
    facts = ModelFacts(model)
    metric = request.metric or default_metric(facts.labels)
    names = metric_names(facts.labels)
    if metric not in names:
        raise SettingsError(
            f"{metric} is no metric of a {facts.model_type}",
            hint=did_you_mean(metric, names) or f"known: {', '.join(names)}",
        )
    listen("scoring the held-out rows")
    learnt = learn_expected(stations, model, metric, _columns(facts))
    base = Measurement(family="estimate", subject=metric, test="", value=None, version=model.version)
    believed, check = Believed(note="not checked: give rows with labels to check it by"), None
    if request.check:
        listen(f"scoring {request.check}")
        check = _checked(stations, model, request, learnt, base)
        if check is not None and check.p_value is not None:
            believed = Believed(p_value=check.p_value, note=check.note)
        elif check is not None:
            believed = Believed(note=f"not checked: {check.note}")
    listen(f"scoring {request.on}")
    scored = _scores(stations, model, request, learnt.sides)
    found = list(
        measure_estimate(
            learnt.expected,
            scored.scores,
            sides=scored.sides,
            believed=believed,
            margin=MARGIN,
            least=LEAST_ROWS,
            base=base,
        )
    )
    return _report(facts, request, metric, learnt, found, believed, check, scored)


def _columns(facts: ModelFacts) -> list[str]:
    """The raw columns to read beside the score."""
    if facts.plan.transforms:
        # A column of TRANSFORM may have the name of a raw one: one pass cannot read both beside the scores.
        return []
    return [str(one["name"]) for one in facts.manifest["inputs"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    """Scores of rows, or of every n-th where they are many, with the columns beside them."""

    scores: np.ndarray
    sides: np.ndarray | None
    total: int
    beyond: dict[str, int]


def _report(
    facts: ModelFacts,
    request: EstimateRequest,
    metric: str,
    learnt: Learnt,
    found: list[Measurement],
    believed: Believed,
    check: Measurement | None,
    scored: _Scored,
) -> EstimateReport:
    judged = next((one for one in found if one.test == "loss"), None)
    estimated = judged is not None and judged.value is not None
    note = judged.note if judged is not None else "not enough data: no rows"
    state = "estimated" if estimated else "off" if note.startswith("off: ") else "not enough data"
    held = facts.metrics
    judgeable = facts.labels.classes and facts.manifest["rows_eval"]
    return EstimateReport(
        model=facts.name,
        version=facts.model.version,
        on=" ".join(request.on.split()),
        rows=len(scored.scores),
        of_rows=scored.total,
        held_rows=0 if isinstance(learnt.expected, str) else learnt.expected.rows,
        columns=tuple(learnt.sides.names) if learnt.sides else (),
        alone="" if isinstance(learnt.expected, str) else learnt.expected.note,
        metric=metric,
        state=state,
        why=believed.note if estimated else note.removeprefix(f"{state}: "),
        metrics={
            one.subject: {"value": one.value, "low": one.low, "high": one.high, "held_out": held.get(one.subject)}
            for one in found
            if one.test == "value"
        },
        loss=judged if estimated else None,
        check=check,
        reliability=calibration_of(*facts.evaluation()) if judgeable else None,
        beyond=scored.beyond,
    )


def _checked(
    stations: Stations, model: LoadedModel, request: EstimateRequest, learnt: Learnt, base: Measurement
) -> Measurement | None:
    facts = ModelFacts(model)
    label = quote_name(facts.labels.column)
    given = request.check
    with _call(stations, model, request, given, "ML.EVALUATE", most=MOST_CHECKED, where=f"{label} IS NOT NULL") as (
        call,
        _,
    ):
        y, scores = judged_rows(call, facts)()
        sides = _sides(call, facts, learnt.sides)[1] if learnt.sides else None
    return next(measure_check(learnt.expected, y, scores, sides=sides, least=LEAST_ROWS, base=base), None)


def _scores(stations: Stations, model: LoadedModel, request: EstimateRequest, sides: Sides | None) -> _Scored:
    facts = ModelFacts(model)
    with _call(stations, model, request, request.on, "ML.PREDICT", most=MOST_ROWS) as (call, table):
        scores, columns = _sides(call, facts, sides)
        beyond = _beyond(table, model)
    return _Scored(scores=scores, sides=columns, total=table.rows, beyond=beyond)


def _beyond(table: Table, model: LoadedModel) -> dict[str, int]:
    """How many rows are beyond all that trained the model, by numeric column, most first."""
    baseline = read_baseline(model)
    there = {name_key(column.name): quote_name(column.name) for column in table.columns if column.kind == "number"}
    known = [one for one in (baseline.inputs if baseline else {}).values() if one.low is not None]
    ranges = {
        one.column: (one.low, one.high) for one in known if one.kind == "number" and name_key(one.column) in there
    }
    if not ranges:
        return {}
    numbers = [f"CAST({there[name_key(name)]} AS DOUBLE)" for name in ranges]
    outside = [
        f"count(*) FILTER (WHERE isfinite({number}) AND NOT {number} BETWEEN {low!r} AND {high!r})"
        for number, (low, high) in zip(numbers, ranges.values(), strict=True)
    ]
    found = zip(ranges, table.first(outside), strict=True)
    named = [(count, name) for name, count in found if count > 0 and count >= LEAST_BEYOND * table.rows]
    return {name: count for count, name in sorted(named, key=lambda one: (-one[0], one[1]))}


def _sides(call: FunctionCall, facts: ModelFacts, sides: Sides | None) -> tuple[np.ndarray, np.ndarray | None]:
    """The scores of a call's rows, and the columns beside them."""
    import pyarrow as pa

    names = sides.names if sides else []
    source = feature_source(call, facts, also=names)
    passed = {name: source.columns[name] for name in names}
    scores, columns = [], []
    for batch, found in scored_batches(call, source, list(dict.fromkeys(passed.values()))):
        scores.append(found)
        if sides:
            columns.append(sides.columns(pa.table({name: batch.column(place) for name, place in passed.items()})))
    classes = len(facts.labels.classes)
    if not scores:
        return np.empty((0, classes) if classes else 0), None
    return np.concatenate(scores), np.concatenate(columns) if sides else None


@contextmanager
def _call(
    stations: Stations,
    model: LoadedModel,
    request: EstimateRequest,
    rows: str,
    function: str,
    *,
    most: int,
    where: str = "true",
) -> Iterator[tuple[FunctionCall, Table]]:
    """A call on some rows, every n-th of them where there are more than the most, and all of them."""
    with stations.session() as session:
        table = named_rows(stations, session, rows, dialect=request.dialect).look()
        sql = f"SELECT * FROM {table.relation} WHERE {where}"
        if table.rows > most:
            sql += f" QUALIFY row_number() OVER () % {-(-table.rows // most)} = 0"
        inputs = (QueryInput(OpenQuery(sql=sql, relations={}), session),)
        yield FunctionCall(function=function, model=model, inputs=inputs, threads=stations.threads), table


def _figures(one: Measurement | None) -> dict[str, Any] | None:
    if one is None:
        return None
    names = ("value", "low", "high", "p_value", "limit", "rows", "note")
    return {name: getattr(one, name) for name in names}
