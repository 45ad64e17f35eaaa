"""What the graph of a version is fed, from what is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.core.errors import StateError
from tidemill.features.onnx_builder import GraphInput
from tidemill.features.onnx_encoding import feature_inputs
from tidemill.features.plan import FeaturePlan


def graph_inputs(plan: FeaturePlan, recorded: Mapping[str, Any], said: str) -> tuple[GraphInput, ...]:
    """The inputs of the graph, in the order they were declared.

    Parameters
    ----------
    recorded
        The manifest's ``onnx``. Versions of before it had ``feed`` are fed their features.
    said
        The version, in messages.

    Raises
    ------
    StateError
        A version of before has TRANSFORM inside its graph: what that reads was not written down.
    """
    if "feed" in recorded:
        return tuple(GraphInput(**given) for given in recorded["feed"])
    if plan.transforms and recorded["inputs"] == "raw":
        raise StateError(f"model {said} was trained before models with TRANSFORM were served", hint="train it again")
    return feature_inputs(plan)
