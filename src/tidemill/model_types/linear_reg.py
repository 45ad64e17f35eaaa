"""LINEAR_REG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.model_types._glm import GLM_FUNCTIONS, GLM_RULES, URL, glm_options
from tidemill.model_types._shared import REGRESSION_OBJECTIVES, REGRESSOR_FUNCTIONS, SPLIT_RULES, tuning
from tidemill.model_types.base import FitRequest, Fitted, Iteration, ModelType


def _fit(request: FitRequest) -> tuple[Fitted, list[Iteration]]:
    from tidemill.model_types._linear import fit_linear  # imports numpy: only a fit pays for it

    return fit_linear(request)


def _load(files: Mapping[str, bytes], info: Mapping[str, Any]) -> Fitted:
    from tidemill.model_types._linear import load_linear

    return load_linear(files, info)


LINEAR_REG = ModelType(
    name="LINEAR_REG",
    task="regression",
    doc="Linear regression: a weighted sum of standardised numbers and one-hot categories.",
    url=URL,
    options=(
        *glm_options("AUTO_STRATEGY", "BATCH_GRADIENT_DESCENT", "NORMAL_EQUATION"),
        *tuning(*REGRESSION_OBJECTIVES),
    ),
    functions=(*REGRESSOR_FUNCTIONS, *GLM_FUNCTIONS),
    rules=(*SPLIT_RULES, *GLM_RULES),
    encoding="linear",
    fit=_fit,
    load=_load,
)
