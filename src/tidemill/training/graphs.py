"""The ONNX files of a model version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.features.onnx_builder import Builder, GraphInput
from tidemill.features.onnx_encoding import feature_inputs, onnx_inputs_and_encoding
from tidemill.features.plan import FeaturePlan
from tidemill.model_types.base import Fitted, Labels

SCORES, PROBABILITIES = "scores", "probabilities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A model from columns to predictions: its bytes, what it is fed, and why that is not the raw columns, if so."""

    data: bytes
    inputs: tuple[GraphInput, ...]
    reason: str


def model_graph(plan: FeaturePlan, fitted: Fitted, labels: Labels) -> Graph:
    """``predicted_<label>``, and for classifiers ``probabilities`` of the classes in ascending order."""
    builder = Builder()
    encoding = onnx_inputs_and_encoding(plan, builder, precise=plan.style == "linear")
    predicted, scores = fitted.onnx_nodes(builder, encoding.tensor)
    name = f"predicted_{labels.column}"
    outputs: list[tuple[str, str, str, Sequence[int | None]]]
    if labels.classes:
        values, dtype = _class_values(labels.classes)
        named = builder.node("Gather", builder.constant(values, "" if dtype == "string" else _NUMPY[dtype]), predicted)
        outputs = [
            (named, name, dtype, (None,)),
            (builder.cast(scores, "float"), PROBABILITIES, "float", (None, len(labels.classes))),
        ]
    else:
        outputs = [(builder.cast(predicted, "double"), name, "double", (None,))]
    reason = encoding.reason
    if plan.transforms and not reason and encoding.inputs == feature_inputs(plan):
        reason = "TRANSFORM is carried out by the engine; the graph takes its columns"
    return Graph(data=builder.model(outputs), inputs=encoding.inputs, reason=reason)


def scores_graph(fitted: Fitted, *, width: int, classes: int) -> bytes:
    """Encoded float32 matrix ``x`` to ``scores``: shape (n,), or (n, classes)."""
    builder = Builder()
    x = builder.input("x", "float", (None, width))
    _, scores = fitted.onnx_nodes(builder, x)
    shape: tuple[int | None, ...] = (None, classes) if classes else (None,)
    return builder.model([(builder.cast(scores, "float"), SCORES, "float", shape)])


_NUMPY = {"int64": "int64", "double": "float64", "bool": "bool"}


def _class_values(classes: Sequence[Any]) -> tuple[list[Any], str]:
    if isinstance(classes[0], bool):
        return list(classes), "bool"
    if isinstance(classes[0], int):
        return list(classes), "int64"
    if isinstance(classes[0], float):
        return list(classes), "double"
    return [str(value) for value in classes], "string"
