"""How a window's answers came out, as far as their labels have come: for all of them, and by slice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.names import name_key, quote_name, quote_text
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.monitoring.quality import HeldOut, Scored, held_out, measure_quality
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.watch.relation import ANSWERED
from tidemill.serving.gates.case import default_metric
from tidemill.serving.gates.comparing import require_metric
from tidemill.serving.labels.joined import Part, outcomes_sql, place_or_number
from tidemill.serving.log.texts import text_of

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.core.sections import DeploymentSettings
    from tidemill.model_types.base import Labels
    from tidemill.registry.versions import LoadedModel
    from tidemill.warehouse.protocol import Session

MOST_ROWS = 1_000_000
"""Of more labelled answers than this, every n-th by a hash of its id is taken."""

MOST_SLICES = 50
"""Values of a slice's column: the most frequent ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """The labelled answers of one version in a window; a slice's column that nobody sent is none.

    Parameters
    ----------
    sent
        What callers sent, as the log's JSON; NULL but for a sample, where it was asked for.
    """

    answers: int = 0
    labelled: int = 0
    scored: Scored = field(default_factory=lambda: Scored(y=np.empty(0), scores=np.empty(0)))
    slices: dict[str, np.ndarray] = field(default_factory=dict)
    sent: pa.ChunkedArray | None = None

    def doubt(self, labels: Labels) -> str:
        """Why labels that came say nothing of the others; '' where they do. Often one class is told, or told first."""
        y = self.scored.y
        if not labels.classes or self.labelled >= self.answers or not len(y) or (y != y[0]).any():
            return ""
        return "all labels that came are of one class, and not every answer has one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What the quality of a version's windows is compared with, learnt once a pass."""

    settings: DeploymentSettings
    labels: Labels
    held: HeldOut
    base: Measurement

    def measure(self, found: Outcomes) -> list[Measurement]:
        """The figures of a window's quality."""
        watch = self.settings.monitor
        doubt = found.doubt(self.labels)
        figures = self._measured(found.scored, watch.min_rows, self.base, doubt)
        for slice_, mask in _slices(found, watch.slice_min_rows):
            part = Scored(y=found.scored.y[mask], scores=found.scored.scores[mask])
            figures += self._measured(part, watch.slice_min_rows, replace(self.base, slice=slice_), doubt)
        return figures

    def _measured(self, rows: Scored, least: int, base: Measurement, doubt: str) -> list[Measurement]:
        margin = self.settings.monitor.quality_margin
        return list(measure_quality(self.labels, self.held, rows, margin=margin, least=least, doubt=doubt, base=base))


def learn_judging(settings: DeploymentSettings, model: LoadedModel) -> Judging:
    """Judge the rows that were held out of a version's training.

    Raises
    ------
    SettingsError
        The metric is not one of this task.
    """
    facts = ModelFacts(model)
    y, scores = facts.evaluation()
    return Judging(
        settings=settings,
        labels=facts.labels,
        held=held_out(judged_metric(settings, facts), facts.labels, Scored(y=y, scores=scores)),
        base=Measurement(family="quality", subject="", test="", value=None, version=model.version),
    )


def judged_metric(settings: DeploymentSettings, facts: ModelFacts) -> str:
    """The metric by which a deployment's quality is judged.

    Raises
    ------
    SettingsError
        It is not one of this task.
    """
    metric = settings.monitor.metric or settings.gates.metric or default_metric(facts.labels)
    require_metric(metric, facts.labels, setting="monitor.metric" if settings.monitor.metric else "gates.metric")
    return metric


def _slices(found: Outcomes, least: int) -> Iterator[tuple[str, np.ndarray]]:
    """Each value of each slice's column that enough rows have, and where they are."""
    for column, values in found.slices.items():
        names, places, counts = np.unique(values, return_inverse=True, return_counts=True)
        most = np.argsort(-counts, kind="stable")[:MOST_SLICES]
        for place in most:
            if counts[place] >= least:
                yield f"{column} = {names[place]}", places == place


def read_outcomes(
    session: Session,
    settings: DeploymentSettings,
    window: Window,
    model: LoadedModel,
    *,
    slices: Sequence[str],
    most_sent: int = 0,
) -> Outcomes:
    """The labelled answers of a version in a window.

    Parameters
    ----------
    slices
        Columns among what callers sent, in any letter case where the model reads them.
    most_sent
        Of about how many answers to keep all that callers sent.
    """
    facts = ModelFacts(model)
    read = {name_key(str(one["name"])): str(one["name"]) for one in model.manifest["inputs"]}
    slices = [read.get(name_key(one), one) for one in slices]
    classes = [text_of(one) for one in facts.labels.classes]
    routes = ", ".join(map(quote_text, ANSWERED))
    outcomes = outcomes_sql(Part(deployment=settings.name, since=window.start, until=window.end))
    ours = f"FROM ({outcomes}) WHERE version = {int(model.version)} AND route IN ({routes})"
    ((answers, labelled),) = session.fetch(f"SELECT count(*), count(label) {ours}")
    if not labelled:
        return Outcomes(answers=answers)
    step = -(-labelled // MOST_ROWS)
    thinned = f" AND hash(id) % {step} = 0" if step > 1 else ""
    sent = [f"json_extract_string(inputs, {quote_text(path_of(column))}) AS s{n}" for n, column in enumerate(slices)]
    if most_sent:
        every = step * -(-min(labelled, MOST_ROWS) // most_sent)
        sent.append(f"CASE WHEN hash(id) % {every} = 0 THEN inputs END AS sent")
    items = ", ".join([*label_and_scores(classes), *sent])
    rows = session.query(f"SELECT * FROM (SELECT {items} {ours} AND label IS NOT NULL{thinned}) WHERE y IS NOT NULL")
    return outcomes_of(rows.read_all(), answers, labelled, classes, slices)


def path_of(column: str) -> str:
    """Where a column stands in what a caller sent."""
    return f"$.{json.dumps(column, ensure_ascii=False)}"


def label_and_scores(classes: Sequence[str]) -> list[str]:
    """The label as y, NULL where it is no class or no number, and the scores as p0, p1, and so on."""
    return [f"{place_or_number(classes)} AS y", *(score_columns(classes) if classes else ["score AS p0"])]


def score_columns(classes: Sequence[str]) -> list[str]:
    """The probability of each class in the log, as columns p0, p1, and so on."""
    structure = quote_text(json.dumps(dict.fromkeys(classes, "DOUBLE"), ensure_ascii=False))
    probabilities = f"from_json(probabilities, {structure})"
    return [f"{probabilities}.{quote_name(one)} AS p{place}" for place, one in enumerate(classes)]


def outcomes_of(rows: pa.Table, answers: int, labelled: int, classes: Sequence[str], slices: Sequence[str]) -> Outcomes:
    """Rows with the columns of `label_and_scores`; those without a score are left out."""
    width = max(1, len(classes))
    scores = np.column_stack([numbers(rows.column(f"p{place}")) for place in range(width)])
    known = np.isfinite(scores).all(axis=1)
    y = numbers(rows.column("y"))[known]
    scores = scores[known]
    return Outcomes(
        answers=answers,
        labelled=labelled,
        scored=Scored(y=y.astype(np.int64) if classes else y, scores=scores if classes else scores[:, 0]),
        slices={
            column: np.array([str(one) for one in rows.column(f"s{n}").to_pylist()], dtype=object)[known]
            for n, column in enumerate(slices)
            if rows.column(f"s{n}").null_count < rows.num_rows
        },
        sent=rows.column("sent").filter(known) if "sent" in rows.column_names else None,
    )


def numbers(column: pa.ChunkedArray) -> np.ndarray:
    """As float64, NaN for NULL."""
    import pyarrow as pa

    values: np.ndarray = column.cast(pa.float64()).to_numpy()
    return values
