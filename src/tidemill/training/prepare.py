"""What a fit is given: the features learnt, the rows encoded, the weights, and what is worth a warning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253

from tidemill.features.learn import draft_plan, finish, settle
from tidemill.features.learn_categories import Learned, learn_categories
from tidemill.features.plan import FeaturePlan, FrozenColumn, InputColumn
from tidemill.training.baseline import Spread, spread_of
from tidemill.training.describe import describe_features, describe_inputs
from tidemill.training.labels import LabelFacts
from tidemill.training.load import Loaded, load_rows
from tidemill.training.source import TrainingRows
from tidemill.training.split import Split
from tidemill.training.task import TrainTask
from tidemill.training.transform import freeze
from tidemill.training.warm import Earlier
from tidemill.training.weights import check_weights, class_weights

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True, kw_only=True)
class Made:
    """What is known before the fit."""

    task: TrainTask
    rows: TrainingRows
    label: LabelFacts
    split: Split
    plan: FeaturePlan
    loaded: Loaded
    frozen: Sequence[FrozenColumn]
    listed: Sequence[str]
    learned: dict[str, Learned]
    spread: Spread
    feature_info: tuple[dict[str, Any], ...]
    weight: np.ndarray | None
    warnings: list[str]
    earlier: Earlier | None = None


def prepare(rows: TrainingRows, label: LabelFacts, split: Split) -> Made:
    """Learn the features of the training rows, and encode all rows."""
    task = rows.task
    condition = f" WHERE {split.where}" if split.where else ""
    training_sql = f"SELECT * FROM ({rows.sql}) AS tm_rows{condition}"
    frozen = freeze(rows, training_sql)
    schema, sql, names = rows.schema, training_sql, rows.features
    if frozen.columns:
        sql = frozen.select(training_sql)
        schema = task.session.schema(sql)
        names = tuple(schema.names)
    learned = learn_categories(task.session, sql, schema, features=names, where=task.where)
    draft = _draft(rows, label, schema, learned, names=names, frozen=frozen.columns, inputs=frozen.inputs)
    spread = Spread(_spread_names(draft, learned), split.rows_train)
    loaded = load_rows(rows, draft, label, split, computed=frozen.sql_by_name(), spread=spread)
    x = loaded.x[: split.rows_train]
    if frozen.columns:
        info = describe_inputs(rows, training_sql, frozen.inputs or ())
        spread = spread_of(rows, [column.name for column in draft.inputs], split)
        learned = {}
    else:
        info = describe_features(draft, learned, x, threads=task.threads)
    plan = settle(draft, x, y=loaded.y[: split.rows_train])
    finish(plan, loaded.x[split.rows_train :])
    made = Made(
        task=task,
        rows=rows,
        label=label,
        split=split,
        plan=plan,
        loaded=loaded,
        frozen=frozen.columns,
        listed=frozen.listed,
        learned=learned,
        spread=spread,
        feature_info=info,
        weight=None,
        warnings=_warnings(plan, label, loaded.y[: split.rows_train]),
    )
    made.weight = _weights(made)
    return made


def _spread_names(draft: FeaturePlan, learned: dict[str, Learned]) -> list[str]:
    """The raw columns that are loaded and not counted by value already; with a TRANSFORM none is loaded."""
    if draft.transforms:
        return []
    texts = {feature.column for feature in draft.features if feature.kind == "text" and feature.name in learned}
    return [name for name in dict.fromkeys(feature.column for feature in draft.features) if name not in texts]


def _draft(
    rows: TrainingRows,
    label: LabelFacts,
    schema: pa.Schema,
    learned: dict[str, Learned],
    *,
    names: Sequence[str],
    frozen: Sequence[FrozenColumn],
    inputs: Sequence[InputColumn] | None,
) -> FeaturePlan:
    classes = len(label.labels.classes)
    style = rows.task.model_type.encoding
    return draft_plan(
        schema,
        learned,
        features=names,
        style="linear" if style == "linear" else "tree",
        method=str(rows.task.options.get("category_encoding_method") or ""),
        outputs=classes if classes > 2 else 1,
        inputs=inputs,
        transforms=frozen,
        where=rows.task.where,
    )


def _weights(made: Made) -> np.ndarray | None:
    """Weights of all rows, training rows first."""
    task, rows_train = made.task, made.split.rows_train
    by_row = made.loaded.weight
    if by_row is not None:
        check_weights(by_row[:rows_train], made.rows.weight, where=task.where)
        check_weights(by_row, made.rows.weight, where=task.where)
    classes = made.label.labels.classes
    by_class = class_weights(task.options, classes, made.loaded.y[:rows_train], where=task.where)
    if by_class is None:
        return by_row
    weights: np.ndarray = by_class[made.loaded.y]
    return weights if by_row is None else by_row * weights


def _warnings(plan: FeaturePlan, label: LabelFacts, y: np.ndarray) -> list[str]:
    found = []
    classes = label.labels.classes
    if classes:
        missing = np.flatnonzero(np.bincount(y, minlength=len(classes)) == 0)
        found += [f"no training row has the label {classes[at]}: all of its rows evaluate" for at in missing]
    found += [
        f"feature {feature.name} is NULL in all training rows"
        for feature in plan.features
        if getattr(feature.encoding, "vocabulary", None) == () and not getattr(feature.encoding, "null", False)
    ]
    return found
