"""DNN_LINEAR_COMBINED_CLASSIFIER and DNN_LINEAR_COMBINED_REGRESSOR: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._neural import integrated_gradients, neural_options
from tidemill.model_types._shared import (
    CLASS_WEIGHTS,
    CLASSIFICATION_OBJECTIVES,
    CLASSIFIER_FUNCTIONS,
    EXPLAIN,
    LABEL,
    REGISTRY,
    REGRESSION_OBJECTIVES,
    REGRESSOR_FUNCTIONS,
    SPLIT,
    SYNTAX,
    tuning,
)
from tidemill.model_types.base import ModelType, Option

URL = f"{SYNTAX}-create-wnd-models"
_OPTIONS = (
    LABEL,
    *neural_options(
        optimizer=Option(
            name="OPTIMIZER",
            kind="any",
            hparam=True,
            doc="One optimizer, or [STRUCT('dnn', ...), STRUCT('linear', ...)]; without it ADAM for the deep part and "
            "FTRL for the linear one.",
        ),
        learn_rate=Option(
            name="LEARN_RATE",
            kind="any",
            default=0.001,
            hparam=True,
            doc="One rate, or [STRUCT('dnn', ...), STRUCT('linear', ...)].",
        ),
    ),
    *SPLIT,
    EXPLAIN,
    integrated_gradients(50),
    *REGISTRY,
)

DNN_LINEAR_COMBINED_CLASSIFIER = ModelType(
    name="DNN_LINEAR_COMBINED_CLASSIFIER",
    task="classification",
    doc="A wide-and-deep network for classes.",
    url=URL,
    options=(*_OPTIONS, *CLASS_WEIGHTS, *tuning(*CLASSIFICATION_OBJECTIVES)),
    functions=CLASSIFIER_FUNCTIONS,
    status="rejected",
    reason="Wide-and-deep networks are not built yet. Use BOOSTED_TREE_CLASSIFIER, or LOGISTIC_REG with "
    "ML.FEATURE_CROSS in TRANSFORM for the wide part.",
)
DNN_LINEAR_COMBINED_REGRESSOR = ModelType(
    name="DNN_LINEAR_COMBINED_REGRESSOR",
    task="regression",
    doc="A wide-and-deep network for a number.",
    url=URL,
    options=(*_OPTIONS, *tuning(*REGRESSION_OBJECTIVES)),
    functions=REGRESSOR_FUNCTIONS,
    status="rejected",
    reason="Wide-and-deep networks are not built yet. Use BOOSTED_TREE_REGRESSOR, or LINEAR_REG with "
    "ML.FEATURE_CROSS in TRANSFORM for the wide part.",
)
