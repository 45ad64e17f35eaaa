"""What a window's quality is to be expected to be before its labels come, from its scores and its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.names import quote_text
from tidemill.evaluation.class_estimate import ClassifierEstimator
from tidemill.evaluation.estimate import learn_estimator
from tidemill.evaluation.estimated import MOST_CHECKED
from tidemill.monitoring.calibration import measure_calibration
from tidemill.monitoring.estimate import Believed, measure_check, measure_estimate
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.runner.expecting import Learnt, learn_expected
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.watch.quality import Outcomes, judged_metric, numbers, score_columns
from tidemill.runner.watch.relation import ANSWERED, Input, during, inputs_of, sent_columns, sent_item
from tidemill.serving.log.texts import text_of

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.core.sections import DeploymentSettings
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.protocol import Session

MOST_SAMPLED = 20_000
"""Of more answers than this every n-th by a hash of its id is unpacked: 0.1 s of CPU, and an error of the ROC AUC of
0.002 for the rows left out, which is less than what the held-out rows leave open. The interval has it in it."""

# Scores of two classes are counted by their logit, in steps of 1/64: 0.5, where calls change, is an edge of them.
_STEP = "floor(64 * ln(greatest(score, 1e-12) / greatest(1 - score, 1e-12)))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Answers of a version in a window, or some of them.

    Parameters
    ----------
    weights
        How many answers each row stands for, where answers of one score were counted.
    sides
        Columns beside the score.
    total
        How many answers there are.
    """

    scores: np.ndarray
    weights: np.ndarray | None
    sides: np.ndarray | None
    total: int


@dataclass(frozen=True, kw_only=True)
class Estimating:
    """What a version's held-out rows lead to expect, learnt once a pass.

    Parameters
    ----------
    inputs
        What is unpacked of the log for the columns beside the score; none where scores alone count.
    """

    facts: ModelFacts
    learnt: Learnt
    inputs: tuple[Input, ...]
    settings: DeploymentSettings
    base: Measurement

    @property
    def most_sent(self) -> int:
        """Of how many labelled answers a check needs what callers sent."""
        return MOST_CHECKED if self.inputs else 0

    def estimate(self, session: Session, window: Window, answers: int, believed: Believed) -> list[Measurement]:
        """The figures of a window without its labels.

        Parameters
        ----------
        answers
            How many the window has, of all versions.
        """
        # Nothing is unpacked for an estimate that is not going to be made.
        inputs = () if believed.off else self.inputs
        sampled = inputs or len(self.facts.labels.classes) > 2
        found = self._sampled(session, window, answers, inputs) if sampled else self._counted(session, window)
        watch = self.settings.monitor
        return list(
            measure_estimate(
                self.learnt.expected,
                found.scores,
                weights=found.weights,
                sides=found.sides,
                total=found.total,
                believed=believed,
                margin=watch.quality_margin,
                least=watch.min_rows,
                base=self.base,
            )
        )

    def check(self, session: Session, found: Outcomes) -> Iterator[Measurement]:
        """What labels say of the estimate, and of the probabilities; nothing where they say nothing of the others."""
        watch, labels = self.settings.monitor, self.facts.labels
        if found.doubt(labels):
            return
        y, scores, sides = self._labelled(session, found)
        yield from measure_check(self.learnt.expected, y, scores, sides=sides, least=watch.min_rows, base=self.base)
        if labels.classes:
            yield from measure_calibration(
                self._scores_alone,
                found.scored.y,
                found.scored.scores,
                margin=watch.quality_margin,
                least=watch.min_rows,
                base=self.base,
            )

    @cached_property
    def _scores_alone(self) -> ClassifierEstimator | None:
        """What scores mean without the columns beside them: how far they can be believed is asked of them alone."""
        if isinstance(self.learnt.expected, str):
            return None
        found = learn_estimator(self.facts.labels, *self.facts.evaluation())
        return found if isinstance(found, ClassifierEstimator) else None

    def _answers(self, window: Window) -> str:
        routes = ", ".join(map(quote_text, ANSWERED))
        return (
            f"FROM tidemill.predictions WHERE deployment = {quote_text(self.settings.name)} AND {during(window)}"
            f" AND version = {int(self.facts.model.version)} AND route IN ({routes})"
        )

    def _counted(self, session: Session, window: Window) -> Sample:
        """All answers by their score, of two classes or of numbers: a window of any size is a few thousand rows."""
        classes = self.facts.labels.classes
        by = _STEP if classes else "score"
        rows = session.query(
            f"SELECT avg(score) AS score, count(*) AS n {self._answers(window)} AND isfinite(score)"
            f" GROUP BY {by} ORDER BY 1"
        ).read_all()
        score, weights = numbers(rows.column("score")), numbers(rows.column("n"))
        scores = np.column_stack([1.0 - score, score]) if classes else score
        return Sample(scores=scores, weights=weights, sides=None, total=int(weights.sum()))

    def _sampled(self, session: Session, window: Window, answers: int, inputs: Sequence[Input]) -> Sample:
        """Answers one by one, with the columns beside their scores."""
        classes = [text_of(one) for one in self.facts.labels.classes]
        ours = f"{self._answers(window)} AND isfinite(score)"
        step = -(-answers // MOST_SAMPLED) or 1
        items = score_columns(classes) if len(classes) > 2 else ["score AS p0"]
        rows = session.query(
            f"SELECT {', '.join([*items, *sent_columns(inputs)])} FROM (SELECT id, score, probabilities"
            f"{sent_item(inputs)} {ours} AND hash(id) % {step} = 0) ORDER BY id"
        ).read_all()
        scores = np.column_stack([numbers(rows.column(place)) for place in range(len(items))])
        known = np.isfinite(scores).all(axis=1)
        if len(classes) == 2:
            scores = np.column_stack([1.0 - scores[:, 0], scores[:, 0]])
        elif not classes:
            scores = scores[:, 0]
        sides = self._sides(rows.columns[len(items) :], inputs)
        total = len(known) if step == 1 else int(session.fetch(f"SELECT count(*) {ours}")[0][0])
        return Sample(scores=scores[known], weights=None, sides=None if sides is None else sides[known], total=total)

    def _labelled(self, session: Session, found: Outcomes) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Labels and scores, of those answers whose columns are beside them where columns count."""
        import pyarrow as pa

        y, scores = found.scored.y, found.scored.scores
        if not self.inputs or found.sent is None:
            return y, scores, None
        there = np.flatnonzero(found.sent.is_valid().to_numpy())
        given = pa.table({"place": there, "inputs": found.sent.take(there)})
        rows = session.query(
            f"SELECT {', '.join(sent_columns(self.inputs))}"
            f" FROM (SELECT place{sent_item(self.inputs)} FROM tm_labelled)"
            " ORDER BY place",
            {"tm_labelled": given},
        ).read_all()
        return y[there], scores[there], self._sides(rows.columns, self.inputs)

    def _sides(self, columns: Sequence[pa.ChunkedArray], inputs: Sequence[Input]) -> np.ndarray | None:
        import pyarrow as pa

        if not inputs or self.learnt.sides is None:
            return None
        return self.learnt.sides.columns(pa.Table.from_arrays(list(columns), names=[one.name for one in inputs]))


def learn_estimating(stations: Stations, settings: DeploymentSettings, model: LoadedModel) -> Estimating:
    """Learn from the rows that were held out of a version's training.

    Raises
    ------
    SettingsError
        The metric is not one of this task.
    """
    facts = ModelFacts(model)
    metric = judged_metric(settings, facts)
    # What the log has only as digests cannot be compared with what training saw.
    hidden = (*settings.hash_columns, *settings.omit_columns)
    inputs = [one for one in inputs_of(facts.manifest, without=hidden) if one.type != "TIMESTAMP"]
    learnt = learn_expected(stations, model, metric, [one.name for one in inputs])
    read = set(learnt.sides.names) if learnt.sides else set()
    return Estimating(
        facts=facts,
        learnt=learnt,
        inputs=tuple(one for one in inputs if one.name in read),
        settings=settings,
        base=Measurement(family="estimate", subject=metric, test="", value=None, version=model.version),
    )
