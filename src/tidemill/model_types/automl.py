"""AUTOML_CLASSIFIER and AUTOML_REGRESSOR: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._shared import CLASSIFIER_FUNCTIONS, LABEL, REGISTRY, REGRESSOR_FUNCTIONS, SYNTAX
from tidemill.model_types.base import ModelType, Option

URL = f"{SYNTAX}-create-automl"
_NOT_TAKEN = ("ML.EXPLAIN_PREDICT", "ML.TRIAL_INFO")


def _options(*objectives: str) -> tuple[Option, ...]:
    return (
        LABEL,
        Option(name="BUDGET_HOURS", kind="float", default=1.0, low=1.0, high=72.0, doc="Hours to train."),
        Option(
            name="OPTIMIZATION_OBJECTIVE",
            kind="any",
            default=objectives[0],
            doc=f"{', '.join(objectives)}; the last two of a classifier as STRUCT(name, value).",
        ),
        Option(name="DATA_SPLIT_COL", kind="str", doc="TRAIN, VALIDATE, TEST or UNASSIGNED, or a TIMESTAMP."),
        *REGISTRY,
    )


AUTOML_CLASSIFIER = ModelType(
    name="AUTOML_CLASSIFIER",
    task="classification",
    doc="Vertex AI AutoML for classes.",
    url=URL,
    options=_options(
        "MAXIMIZE_AU_ROC",
        "MINIMIZE_LOG_LOSS",
        "MAXIMIZE_AU_PRC",
        "MAXIMIZE_PRECISION_AT_RECALL",
        "MAXIMIZE_RECALL_AT_PRECISION",
    ),
    functions=tuple(name for name in CLASSIFIER_FUNCTIONS if name not in _NOT_TAKEN),
    status="rejected",
    reason="AutoML runs on Google Cloud, and Tidemill trains on your machine. Use BOOSTED_TREE_CLASSIFIER, which is "
    "hard to beat on tables, and LOGISTIC_REG beside it for comparison.",
)
AUTOML_REGRESSOR = ModelType(
    name="AUTOML_REGRESSOR",
    task="regression",
    doc="Vertex AI AutoML for a number.",
    url=URL,
    options=_options("MINIMIZE_RMSE", "MINIMIZE_MAE", "MINIMIZE_RMSLE"),
    functions=tuple(name for name in REGRESSOR_FUNCTIONS if name not in _NOT_TAKEN),
    status="rejected",
    reason="AutoML runs on Google Cloud, and Tidemill trains on your machine. Use BOOSTED_TREE_REGRESSOR, which is "
    "hard to beat on tables, and LINEAR_REG beside it for comparison.",
)
