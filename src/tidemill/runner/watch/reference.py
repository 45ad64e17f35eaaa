"""What windows of a version are compared with: its training rows, and its answers on rows it had not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tidemill.core.distribution import Distribution
from tidemill.monitoring.inputs import Reference
from tidemill.registry.baseline import Baseline, read_baseline
from tidemill.registry.lineage import read_lineage
from tidemill.runner.watch.importance import importances
from tidemill.serving.log.texts import text_of

if TYPE_CHECKING:
    from tidemill.registry.versions import LoadedModel
    from tidemill.warehouse.control.models import ModelVersion


def reference_of(version: ModelVersion, model: LoadedModel, *, hidden: frozenset[str]) -> Reference | None:
    """The reference of a version; None for one that was trained before baselines were kept.

    Parameters
    ----------
    hidden
        The keys of columns of personal data.
    """
    baseline = read_baseline(model)
    if baseline is None:
        return None
    return Reference(
        version=version.version,
        features=baseline.inputs,
        answers={one.column: one for one in _answers(baseline, model.manifest["label"]["classes"])},
        answers_span=baseline.held_out_span,
        weights=importances(model),
        sources=dict.fromkeys(baseline.inputs, _source(version)),
        hidden=hidden,
    )


def _answers(baseline: Baseline, classes: Sequence[Any]) -> Iterator[Distribution]:
    """The answers as the log has them: classes where there are any, and scores."""
    if not baseline.classes:
        yield replace(baseline.prediction, column="score")
        return
    # The log writes 1.0 and 1 alike, which the engine's texts of a baseline do not.
    yield replace(baseline.prediction, column="prediction", values=tuple(map(text_of, classes)))
    if len(baseline.classes) == 2:
        yield replace(next(iter(baseline.probabilities.values())), column="score")
        return
    from tidemill.analysis.distribution_arrays import distribution_of_numbers

    yield distribution_of_numbers("score", baseline.held_out.scores.max(axis=1))


def _source(version: ModelVersion) -> str:
    """The table that training read, where it was one."""
    lineage = read_lineage(version.lineage)
    tables = [*lineage.tables, *lineage.files]
    return tables[0] if len(tables) == 1 else ""
