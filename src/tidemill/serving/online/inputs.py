"""What the graph of a version is fed, from what is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.features.onnx_builder import GraphInput
from tidemill.features.onnx_encoding import feature_inputs
from tidemill.features.plan import FeaturePlan


def graph_inputs(plan: FeaturePlan, recorded: Mapping[str, Any]) -> tuple[GraphInput, ...]:
    """The inputs of the graph, in the order they were declared.

    Parameters
    ----------
    recorded
        The manifest's ``onnx``. Versions of before it had ``feed`` were fed their features, unless TRANSFORM is in the
        graph: those are trained again to be served.
    """
    if "feed" in recorded:
        return tuple(GraphInput(**given) for given in recorded["feed"])
    return feature_inputs(plan)
