"""What ML functions give: columns computed from the model and the data, and those of the data that pass through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from tidemill.column_lineage.flow import Flow, Out, Relation, merged, through
from tidemill.column_lineage.graph import ColumnRef
from tidemill.column_lineage.models import ModelColumns
from tidemill.core.names import name_key
from tidemill.sql.bind_calls import read_call
from tidemill.sql.functions import ML_FUNCTIONS
from tidemill.sql.ml_nodes import MLCall

_PLAIN_LIST = re.compile(r"[\w, ]+")
_CLASSIFIER = ("precision", "recall", "accuracy", "f1_score", "log_loss", "roc_auc")
_REGRESSOR = (
    *("mean_absolute_error", "mean_squared_error", "mean_squared_log_error", "median_absolute_error", "r2_score"),
    "explained_variance",
)
_EXPLAINED = ("top_feature_attributions", "baseline_prediction_value", "prediction_value", "approximation_error")
_BEGINNINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ML.CONFUSION_MATRIX": ("expected_label",),
        "ML.WEIGHTS": ("processed_input", "weight", "category_weights"),
        "ML.GLOBAL_EXPLAIN": ("feature", "attribution"),
    }
)
"""Columns that a function always gives, where others depend on the model's classes."""


def call_relation(call: MLCall, inputs: Sequence[Relation], model: ModelColumns | None) -> tuple[Relation, str]:
    """What a call gives for its data; and a sentence about what cannot be known, or ''.

    Parameters
    ----------
    model
        The columns of the model it names; None when it names none.
    """
    data = inputs[0] if inputs else Relation()
    if model is not None and not model.label and call.function in ("ML.PREDICT", "ML.EXPLAIN_PREDICT"):
        made = merged(out.flow for out in _predicted(model, (model.prediction,), data))
        return replace(data, other=made), ""  # whatever its label: the columns that are named are followed
    if model is not None and call.function == "ML.PREDICT":
        return _before(_predicted(model, model.predictions, data), data), ""
    if model is not None and call.function == "ML.EXPLAIN_PREDICT":
        names = (model.prediction, *(("probability",) if model.classifier is not False else ()), *_EXPLAINED)
        return _before(_predicted(model, names, data), data), ""
    if model is not None and call.function == "ML.TRANSFORM":
        return _transformed(model, data)
    if call.function == "CLEAN.LATEST":
        return _latest(call, data), ""
    return _measured(call.function, inputs, model)


def _latest(call: MLCall, data: Relation) -> Relation:
    """Rows of the data, as they are: the key and the order say which."""
    named = [name for given in read_call(call).arguments for name in (given if isinstance(given, list) else [given])]
    found = [data.find(name) for name in named if isinstance(name, str)]
    chosen = through(merged(out.flow for out in found if out is not None), "filter")
    return replace(data, rows=merged([data.rows, chosen]))


def _predicted(model: ModelColumns, names: Sequence[str], data: Relation) -> tuple[Out, ...]:
    """Columns of which each comes from the model's prediction and from the columns of the data that are features."""
    read = data.columns
    if model.inputs is not None:
        read = tuple(column for column in read if name_key(column.name) in model.inputs)
    if not data.complete and model.inputs is not None:
        read = tuple(found for name in sorted(model.inputs) if (found := data.find(name)) is not None)
    used = merged(through(column.flow, "transformation") for column in read)
    own = {name_key(name): name for name in model.predictions}
    return tuple(
        Out(name=name, flow=merged([_of_model(model, own.get(name_key(name), model.prediction)), used]))
        for name in names
    )


def _of_model(model: ModelColumns, name: str, how: str = "transformation") -> Flow:
    return {ColumnRef(model.key, name_key(name)): frozenset((how,))}


def _before(made: tuple[Out, ...], data: Relation) -> Relation:
    """Columns in front of those of the data; one of the same name gives way."""
    names = {name_key(column.name) for column in made}
    passed = tuple(column for column in data.columns if name_key(column.name) not in names)
    rest = tuple(replace(part, excepted=part.excepted | names) for part in data.rest)
    return replace(data, columns=(*made, *passed), rest=rest)


def _transformed(model: ModelColumns, data: Relation) -> tuple[Relation, str]:
    read = [column for column in data.columns if model.inputs is None or name_key(column.name) in model.inputs]
    computed = through(merged(column.flow for column in read), "transformation")
    own = {name_key(column.name): column for column in data.columns}
    columns = tuple(
        Out(
            name=name,
            flow=own[name_key(name)].flow
            if name_key(name) == name_key(model.label) and name_key(name) in own
            else merged([computed, {ColumnRef(model.key, name_key(name)): frozenset(("transformation",))}]),
        )
        for name in model.transform
    )
    note = "" if columns else f"which columns ML.TRANSFORM gives with {model.key} is not known"
    return replace(data, columns=columns, rest=(), other=None if columns else computed), note


def _measured(function: str, inputs: Sequence[Relation], model: ModelColumns | None) -> tuple[Relation, str]:
    """Figures about a model, or about rows: all that is read is in each of them."""
    read = merged(through(relation.everything(), "aggregation") for relation in inputs)
    flow = merged([read, _of_model(model, model.prediction, "aggregation") if model else {}])
    rows = merged(relation.rows for relation in inputs)
    names, note = _names(function, model)
    columns = tuple(Out(name=name, flow=flow) for name in names)
    return Relation(columns=columns, other=flow if note else None, rows=rows), note


def _names(function: str, model: ModelColumns | None) -> tuple[tuple[str, ...], str]:
    if function == "ML.EVALUATE" and model is not None and model.classifier is not None:
        return (_CLASSIFIER if model.classifier else _REGRESSOR), ""
    row = ML_FUNCTIONS.get(function)
    if row is not None and function not in _BEGINNINGS and _PLAIN_LIST.fullmatch(row.output):
        return tuple(name.strip() for name in row.output.split(",")), ""
    return _BEGINNINGS.get(function, ()), f"which columns {function} gives depends on the model or the rows"
