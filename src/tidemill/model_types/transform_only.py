"""TRANSFORM_ONLY: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._shared import REGISTRY, SYNTAX
from tidemill.model_types.base import ModelType

TRANSFORM_ONLY = ModelType(
    name="TRANSFORM_ONLY",
    task="other",
    doc="A TRANSFORM clause kept for itself, for ML.TRANSFORM.",
    url=f"{SYNTAX}-create-transform",
    options=REGISTRY,
    functions=("ML.TRANSFORM", "ML.FEATURE_INFO"),
    status="rejected",
    reason="A TRANSFORM without a model is not built yet. Put the TRANSFORM clause into the CREATE MODEL that uses it "
    "(ML.TRANSFORM works on that model), or write the expressions into a CREATE VIEW.",
)
