"""DNN_CLASSIFIER and DNN_REGRESSOR: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._neural import OPTIMIZERS, integrated_gradients, neural_options
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

URL = f"{SYNTAX}-create-dnn-models"
_OPTIONS = (
    LABEL,
    *neural_options(
        optimizer=Option(
            name="OPTIMIZER", kind="enum", default="ADAM", choices=OPTIMIZERS, hparam=True, doc="Optimizer."
        ),
        learn_rate=Option(
            name="LEARN_RATE", kind="float", default=0.001, low=0.0, low_open=True, hparam=True, doc="Learning rate."
        ),
    ),
    *SPLIT,
    EXPLAIN,
    integrated_gradients(15),
    *REGISTRY,
)

DNN_CLASSIFIER = ModelType(
    name="DNN_CLASSIFIER",
    task="classification",
    doc="A neural network for up to 1,000 classes.",
    url=URL,
    options=(*_OPTIONS, *CLASS_WEIGHTS, *tuning(*CLASSIFICATION_OBJECTIVES)),
    functions=CLASSIFIER_FUNCTIONS,
    status="rejected",
    reason="Neural networks are not built yet. For tables of numbers and categories use BOOSTED_TREE_CLASSIFIER, which "
    "takes the same query and label.",
)
DNN_REGRESSOR = ModelType(
    name="DNN_REGRESSOR",
    task="regression",
    doc="A neural network for a number.",
    url=URL,
    options=(*_OPTIONS, *tuning(*REGRESSION_OBJECTIVES)),
    functions=REGRESSOR_FUNCTIONS,
    status="rejected",
    reason="Neural networks are not built yet. For tables of numbers and categories use BOOSTED_TREE_REGRESSOR, which "
    "takes the same query and label.",
)
