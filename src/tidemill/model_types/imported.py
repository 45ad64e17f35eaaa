"""TENSORFLOW, TENSORFLOW_LITE, ONNX and XGBOOST, which import a model file: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._shared import REGISTRY, SYNTAX
from tidemill.model_types.base import ModelType, Option

_REASON = (
    "Importing a model file is not built yet. Train the model here from its data, or score with the file in Python and "
    "load the scores as a table."
)
_PATH = Option(name="MODEL_PATH", kind="str", required=True, doc="Where the file is.")


def _imported(name: str, *, page: str, doc: str) -> ModelType:
    return ModelType(
        name=name,
        task="other",
        doc=doc,
        url=f"{SYNTAX}-create-{page}",
        options=(_PATH, *REGISTRY),
        functions=("ML.PREDICT",),
        status="rejected",
        reason=_REASON,
    )


TENSORFLOW = _imported("TENSORFLOW", page="tensorflow", doc="A TensorFlow SavedModel.")
TENSORFLOW_LITE = _imported("TENSORFLOW_LITE", page="tflite", doc="A TensorFlow Lite model.")
ONNX = _imported("ONNX", page="onnx", doc="An ONNX model.")
XGBOOST = _imported("XGBOOST", page="xgboost", doc="An XGBoost model.")
