"""WARM_START: gradient descent that goes on from the weights of the version before.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm#warm_start
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.errors import DataError, StatementError
from tidemill.features.plan import EncodedColumn, FeaturePlan, Instant, Number, encoded_columns, plan_from_dict
from tidemill.model_types.base import Start
from tidemill.training.artifact import FEATURES, INFO, MANIFEST, read_json_file
from tidemill.training.labels import LabelFacts
from tidemill.training.task import TrainTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The version that training goes on from: its features, what was fitted, and the rows of ML.TRAINING_INFO."""

    plan: FeaturePlan
    fitted: Mapping[str, Any]
    iterations: Sequence[Mapping[str, Any]]

    @property
    def training_run(self) -> int:
        """The number of its last run."""
        return max((int(row["training_run"]) for row in self.iterations), default=0)


def earlier_version(task: TrainTask, label: LabelFacts) -> Earlier | None:
    """The version before, where WARM_START asks for it and there is one.

    Raises
    ------
    StatementError
        It is of another model type, or predicts another column.
    DataError
        Its label had other classes.
    """
    if not task.options.get("warm_start") or task.previous is None:
        return None
    manifest = read_json_file(task.previous, MANIFEST)
    for what, before, now in (
        ("type", manifest["model_type"], task.model_type.name),
        ("label", manifest["label"]["column"], label.labels.column),
    ):
        if before != now:
            raise StatementError(
                f"WARM_START of model {task.name} needs the {what} of the version before, {before}; this is {now}",
                where=task.where,
                hint="leave WARM_START out to begin anew",
                before=before,
                now=now,
            )
    known, found = list(manifest["label"]["classes"]), list(label.labels.classes)
    if known != found:
        raise DataError(
            f"WARM_START of model {task.name} needs a label of the same classes: the version before knows "
            f"{_listed(known)}, these rows have {_listed(found)}",
            where=task.where,
            hint="leave WARM_START out to begin anew",
            before=known,
            now=found,
        )
    info = read_json_file(task.previous, INFO)
    return Earlier(
        plan=plan_from_dict(read_json_file(task.previous, FEATURES)),
        fitted=info["fitted"],
        iterations=info["iterations"],
    )


def start_from(earlier: Earlier, plan: FeaturePlan, *, task: TrainTask) -> Start:
    """The earlier weights for a matrix of these features: the same predictions for the same raw rows.

    Weights go over by feature and category. Numbers are standardised by other rows than before, so that their weights
    are scaled and the intercept takes up the difference; categories that are new begin at zero.

    Raises
    ------
    DataError
        The features are not those of the version before.
    """
    _check_features(earlier.plan, plan, task)
    weights = np.atleast_2d(np.asarray(earlier.fitted["weights"], dtype=np.float64).T).T
    intercepts = earlier.fitted.get("intercepts", [earlier.fitted.get("intercept")])
    b = np.array(intercepts, dtype=np.float64)
    raw: dict[Hashable, np.ndarray] = {}
    for column, row in zip(encoded_columns(earlier.plan), weights, strict=True):
        mean, deviation = _scale(earlier.plan, column)
        raw[_key(earlier.plan, column)] = row / deviation
        b = b - row * mean / deviation
    columns = encoded_columns(plan)
    w = np.zeros((len(columns), len(b)))
    for at, column in enumerate(columns):
        mean, deviation = _scale(plan, column)
        found = raw.get(_key(plan, column))
        if found is not None:
            w[at] = found * deviation
            b = b + found * mean
    return Start(w=w, b=b)


def _check_features(before: FeaturePlan, now: FeaturePlan, task: TrainTask) -> None:
    kinds = [{feature.name: feature.kind for feature in plan.features} for plan in (before, now)]
    if kinds[0] == kinds[1]:
        return
    gone = [name for name in kinds[0] if name not in kinds[1]]
    new = [name for name in kinds[1] if name not in kinds[0]]
    other = [name for name in kinds[0] if name in kinds[1] and kinds[0][name] != kinds[1][name]]
    parts = [("missing", gone), ("new", new), ("of another type", other)]
    found = "; ".join(f"{word}: {', '.join(names[:8])}" for word, names in parts if names)
    raise DataError(
        f"WARM_START of model {task.name} needs the features of the version before ({found})",
        where=task.where,
        hint="leave WARM_START out to begin anew",
        missing=gone,
        new=new,
        changed=other,
    )


def _key(plan: FeaturePlan, column: EncodedColumn) -> Hashable:
    return plan.features[column.feature].name, column.category, column.null, column.part, column.position


def _scale(plan: FeaturePlan, column: EncodedColumn) -> tuple[float, float]:
    """The mean and the deviation that a column was standardised with."""
    encoding = plan.features[column.feature].encoding
    number = encoding.seconds if isinstance(encoding, Instant) and not column.part else encoding
    if not isinstance(number, Number):
        return 0.0, 1.0
    return number.mean or 0.0, number.deviation or 1.0


def _listed(classes: Sequence[Any]) -> str:
    return ", ".join(str(value) for value in classes[:8]) + (", ..." if len(classes) > 8 else "")
