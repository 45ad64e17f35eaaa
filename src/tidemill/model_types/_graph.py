"""ONNX nodes that several model types append."""

from __future__ import annotations

from typing import Any

import numpy as np  # noqa: TID253


def linear_nodes(builder: Any, x: str, weights: np.ndarray, intercept: np.ndarray) -> str:
    """``x @ weights + intercept`` in float64: sums of large products that cancel out need it."""
    product = builder.node("MatMul", builder.cast(x, "double"), builder.constant(weights))
    return str(builder.node("Add", product, builder.constant(intercept)))


def likeliest(builder: Any, probabilities: str) -> str:
    """ONNX node for the class of greatest probability; of equals the higher one, as a threshold of 0.5 has it."""
    return str(builder.node("ArgMax", probabilities, axis=1, keepdims=0, select_last_index=1))
