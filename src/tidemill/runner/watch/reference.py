"""What windows of a version are compared with: its training rows and its answers on rows it had not seen.

Learnt once, from the snapshot that training read, and kept in the control database: the snapshot may go one day.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253

from tidemill.core.distribution import Distribution, distribution_from_json
from tidemill.monitoring.inputs import Reference
from tidemill.registry.lineage import read_lineage
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.watch.importance import importances
from tidemill.runner.watch.relation import inputs_of
from tidemill.serving.log.texts import text_of
from tidemill.warehouse.control.monitoring import load_reference, save_reference

if TYPE_CHECKING:
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.models import ModelVersion

SCORES = 20_000
"""The first so many held-out answers make their distribution: more tell no more than the windows themselves do."""


def reference_of(stations: Stations, version: ModelVersion, model: LoadedModel) -> Reference:
    """The reference of a version; learnt when it is first asked for.

    Raises
    ------
    StateError
        What the version was trained on cannot be read again.
    CorruptError
        A file of the version, or of the snapshot, is damaged.
    """
    kept = load_reference(stations.db, version.name, version.version)
    if kept is None:
        kept = {
            "features": {name: one.as_json() for name, one in _features(stations, version, model).items()},
            "answers": {one.column: one.as_json() for one in _answers(ModelFacts(model))},
        }
        save_reference(stations.db, version.name, version.version, json.dumps(kept))
    features, answers = (
        {name: distribution_from_json(one) for name, one in kept[part].items()} for part in ("features", "answers")
    )
    return Reference(
        version=version.version,
        features=features,
        answers=answers,
        weights=importances(model),
        sources=dict.fromkeys(features, _source(version)),
    )


def _features(stations: Stations, version: ModelVersion, model: LoadedModel) -> Mapping[str, Distribution]:
    from tidemill.analysis.distributions import learn_distributions
    from tidemill.analysis.table import open_table
    from tidemill.runner.pinned import pinned_training

    names = [one.name for one in inputs_of(model.manifest)]
    with pinned_training(stations, version) as pinned:
        task = pinned.task
        return learn_distributions(open_table(task.session, task.sql, task.relations), names)


def _answers(facts: ModelFacts) -> list[Distribution]:
    """The answers on the rows that training evaluated: scores, and classes where there are any."""
    _, scores = facts.evaluation()
    scores = scores[:SCORES]
    if not facts.labels.classes:
        return [_of_numbers("score", scores.reshape(-1))]
    called = np.bincount(np.argmax(scores, axis=1), minlength=scores.shape[1])
    classes = Distribution(
        column="prediction",
        kind="text",
        values=tuple(map(text_of, facts.labels.classes)),
        counts=tuple(int(count) for count in called),
    )
    return [classes, _of_numbers("score", scores[:, 1] if scores.shape[1] == 2 else scores.max(axis=1))]


def _of_numbers(column: str, values: np.ndarray) -> Distribution:
    from tidemill.analysis.distributions import bin_edges

    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
    edges = bin_edges(finite, low, high)
    counts = np.bincount(np.searchsorted(edges, finite, side="left"), minlength=len(edges) + 1)
    return Distribution(
        column=column,
        kind="number",
        edges=edges,
        counts=tuple(int(count) for count in counts),
        not_finite=int(values.size - finite.size),
        mean=float(finite.mean()) if finite.size else None,
        deviation=float(finite.std()) if finite.size else None,
        low=low,
        high=high,
    )


def _source(version: ModelVersion) -> str:
    """The table that training read, where it was one."""
    lineage = read_lineage(version.lineage)
    tables = [*lineage.tables, *lineage.files]
    return tables[0] if len(tables) == 1 else ""
