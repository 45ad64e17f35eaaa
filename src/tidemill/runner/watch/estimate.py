"""What a window's quality is to be expected to be before its labels come, from its scores alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.names import quote_text
from tidemill.evaluation.class_estimate import ClassifierEstimator
from tidemill.monitoring.calibration import measure_calibration
from tidemill.monitoring.estimate import Believed, Expectation, learn_expectation, measure_check, measure_estimate
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.watch.quality import MOST_ROWS, Outcomes, judged_metric, numbers, score_columns
from tidemill.runner.watch.relation import ANSWERED, during
from tidemill.serving.log.texts import text_of

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.registry.versions import LoadedModel
    from tidemill.warehouse.protocol import Session

# Scores of two classes are counted by their logit, in steps of 1/64: 0.5, where calls change, is an edge of them.
_STEP = "floor(64 * ln(greatest(score, 1e-12) / greatest(1 - score, 1e-12)))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimating:
    """What a version's held-out rows lead to expect, learnt once a pass."""

    facts: ModelFacts
    expected: Expectation | str
    settings: DeploymentSettings
    base: Measurement

    def estimate(self, session: Session, window: Window, believed: Believed) -> list[Measurement]:
        """The figures of a window without its labels."""
        scores, weights = _scores(session, self.settings, window, self.facts)
        watch = self.settings.monitor
        return list(
            measure_estimate(
                self.expected,
                scores,
                weights=weights,
                believed=believed,
                margin=watch.quality_margin,
                least=watch.min_rows,
                base=self.base,
            )
        )

    def check(self, outcomes: Outcomes) -> Iterator[Measurement]:
        """What labels say of the estimate, and of the probabilities; nothing where they say nothing of the others."""
        watch, found = self.settings.monitor, outcomes.scored
        if outcomes.doubt(self.facts.labels):
            return
        yield from measure_check(self.expected, found.y, found.scores, least=watch.min_rows, base=self.base)
        if self.facts.labels.classes:
            estimator = None if isinstance(self.expected, str) else self.expected.estimator
            yield from measure_calibration(
                estimator if isinstance(estimator, ClassifierEstimator) else None,
                found.y,
                found.scores,
                margin=watch.quality_margin,
                least=watch.min_rows,
                base=self.base,
            )


def learn_estimating(settings: DeploymentSettings, model: LoadedModel) -> Estimating:
    """Learn from the rows that were held out of a version's training.

    Raises
    ------
    SettingsError
        The metric is not one of this task.
    """
    facts = ModelFacts(model)
    metric = judged_metric(settings, facts)
    base = Measurement(family="estimate", subject=metric, test="", value=None, version=model.version)
    return Estimating(facts=facts, expected=expectation_of(facts, metric), settings=settings, base=base)


def expectation_of(facts: ModelFacts, metric: str) -> Expectation | str:
    """What a version's held-out rows lead to expect, or why they do not."""
    if not facts.manifest["rows_eval"]:
        return "not enough data: no rows were held out of training"
    return learn_expectation(facts.labels, *facts.evaluation(), metric=metric)


def _scores(
    session: Session, settings: DeploymentSettings, window: Window, facts: ModelFacts
) -> tuple[np.ndarray, np.ndarray | None]:
    """The scores a version gave in a window; of two classes and numbers how often each was given."""
    classes = [text_of(one) for one in facts.labels.classes]
    routes = ", ".join(map(quote_text, ANSWERED))
    ours = (
        f"FROM tidemill.predictions WHERE deployment = {quote_text(settings.name)} AND {during(window)}"
        f" AND version = {int(facts.model.version)} AND route IN ({routes})"
    )
    if len(classes) > 2:
        ((count,),) = session.fetch(f"SELECT count(*) {ours}")
        step = -(-int(count) // MOST_ROWS) or 1
        thinned = f" AND hash(id) % {step} = 0" if step > 1 else ""
        rows = session.query(f"SELECT {', '.join(score_columns(classes))} {ours}{thinned}").read_all()
        found = np.column_stack([numbers(rows.column(place)) for place in range(len(classes))])
        return found[np.isfinite(found).all(axis=1)], None
    by = _STEP if classes else "score"
    rows = session.query(
        f"SELECT avg(score) AS score, count(*) AS n {ours} AND isfinite(score) GROUP BY {by} ORDER BY 1"
    ).read_all()
    score, weights = numbers(rows.column("score")), numbers(rows.column("n"))
    return (np.column_stack([1.0 - score, score]) if classes else score), weights
