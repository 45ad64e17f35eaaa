"""LOGISTIC_REG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.model_types._glm import GLM_FUNCTIONS, GLM_RULES, URL, glm_options
from tidemill.model_types._shared import (
    CLASS_WEIGHT_RULES,
    CLASS_WEIGHTS,
    CLASSIFICATION_OBJECTIVES,
    CLASSIFIER_FUNCTIONS,
    SPLIT_RULES,
    tuning,
)
from tidemill.model_types.base import FitRequest, Fitted, Iteration, ModelType


def _fit(request: FitRequest) -> tuple[Fitted, list[Iteration]]:
    from tidemill.model_types._logistic import fit_logistic  # imports numpy: only a fit pays for it

    return fit_logistic(request)


def _load(files: Mapping[str, bytes], info: Mapping[str, Any]) -> Fitted:
    from tidemill.model_types._logistic import load_logistic

    return load_logistic(files, info)


LOGISTIC_REG = ModelType(
    name="LOGISTIC_REG",
    task="classification",
    doc="Logistic regression for two classes, and its softmax form for up to 50.",
    url=URL,
    options=(
        *glm_options("AUTO_STRATEGY", "BATCH_GRADIENT_DESCENT"),
        *CLASS_WEIGHTS,
        *tuning(*CLASSIFICATION_OBJECTIVES),
    ),
    functions=(*CLASSIFIER_FUNCTIONS, *GLM_FUNCTIONS),
    rules=(*SPLIT_RULES, *CLASS_WEIGHT_RULES, *GLM_RULES),
    encoding="linear",
    fit=_fit,
    load=_load,
)
