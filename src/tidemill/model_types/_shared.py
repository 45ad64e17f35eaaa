"""Options that several model types share, and what they must hold together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.model_types.base import Option, OptionRule

DOCS = "https://docs.cloud.google.com/bigquery/docs"
SYNTAX = f"{DOCS}/reference/standard-sql/bigqueryml-syntax"
NO_TUNING = (
    "Hyperparameter tuning is not built yet. Give each hyperparameter one value, or write one CREATE MODEL for each "
    "value you want to try and compare them with ML.EVALUATE."
)
NO_REGISTRY = (
    "ignored: Tidemill registers every model in its own registry, under the model's name, whatever this option says"
)
LABEL = Option(
    name="INPUT_LABEL_COLS",
    kind="strings",
    default=["label"],
    aliases=("LABELS",),
    doc="The label column, as an array of one name. Without it a column named `label` is the label.",
)
SPLIT = (
    Option(
        name="DATA_SPLIT_METHOD",
        kind="enum",
        default="AUTO_SPLIT",
        choices=("AUTO_SPLIT", "RANDOM", "CUSTOM", "SEQ", "NO_SPLIT"),
        doc="How rows are set aside for evaluation. AUTO_SPLIT: none below 500 rows, 20 % up to 50,000 rows, "
        "10,000 rows above.",
    ),
    Option(
        name="DATA_SPLIT_EVAL_FRACTION",
        kind="float",
        default=0.2,
        low=0.0,
        high=1.0,
        high_open=True,
        doc="The share of rows set aside by RANDOM and SEQ.",
    ),
    Option(
        name="DATA_SPLIT_TEST_FRACTION",
        kind="float",
        default=0.0,
        low=0.0,
        high=1.0,
        high_open=True,
        status="rejected",
        reason="A test set apart from the evaluation set belongs to hyperparameter tuning, which is not built yet. "
        "Keep the test rows out of the training query, and give them to ML.EVALUATE.",
        doc="The share of rows set aside for the test set of hyperparameter tuning.",
    ),
    Option(
        name="DATA_SPLIT_COL",
        kind="str",
        doc="CUSTOM: a BOOL column, TRUE or NULL for evaluation. SEQ: the column to sort by; its last rows evaluate. "
        "It is not a feature.",
    ),
)
EXPLAIN = Option(
    name="ENABLE_GLOBAL_EXPLAIN",
    kind="bool",
    default=False,
    doc="Compute what ML.GLOBAL_EXPLAIN returns while training.",
)
CLASS_WEIGHTS = (
    Option(
        name="AUTO_CLASS_WEIGHTS",
        kind="bool",
        default=False,
        doc="Weigh each class by rows / (rows of the class x number of classes).",
    ),
    Option(
        name="CLASS_WEIGHTS",
        kind="weights",
        doc="A weight for each class: an array of (class, weight) structs that names every class.",
    ),
)
STOPPING = (
    Option(
        name="EARLY_STOP",
        kind="bool",
        default=True,
        doc="Stop after the first iteration whose relative gain in loss is below MIN_REL_PROGRESS.",
    ),
    Option(
        name="MIN_REL_PROGRESS",
        kind="float",
        default=0.01,
        low=0.0,
        doc="The least relative gain in loss that keeps training going.",
    ),
)
WARM_START = Option(
    name="WARM_START",
    kind="bool",
    default=False,
    status="rejected",
    reason="Going on from the previous version's weights is not built yet. Leave WARM_START out, and raise "
    "MAX_ITERATIONS if the model needs more iterations.",
    doc="Go on from the weights of the model that is replaced.",
)


def max_iterations(doc: str = "The most iterations.") -> Option:
    """MAX_ITERATIONS with its default of 20."""
    return Option(name="MAX_ITERATIONS", kind="int", default=20, low=1, doc=doc)


def tuning(*objectives: str) -> tuple[Option, ...]:
    """The options that turn hyperparameter tuning on: read, and refused with a reason."""
    return (
        Option(
            name="NUM_TRIALS",
            kind="int",
            low=1,
            high=100,
            status="rejected",
            reason=NO_TUNING,
            doc="The number of trials; turns tuning on.",
        ),
        Option(
            name="MAX_PARALLEL_TRIALS",
            kind="int",
            default=1,
            low=1,
            high=5,
            status="rejected",
            reason=NO_TUNING,
            doc="The trials run at once.",
        ),
        Option(
            name="HPARAM_TUNING_ALGORITHM",
            kind="enum",
            default="VIZIER_DEFAULT",
            choices=("VIZIER_DEFAULT", "RANDOM_SEARCH", "GRID_SEARCH"),
            status="rejected",
            reason=NO_TUNING,
            doc="How trials are chosen.",
        ),
        Option(
            name="HPARAM_TUNING_OBJECTIVES",
            kind="strings",
            choices=objectives,
            status="rejected",
            reason=NO_TUNING,
            doc=f"What trials are judged by: {', '.join(objectives)}.",
        ),
    )


REGISTRY = (
    Option(
        name="MODEL_REGISTRY",
        kind="enum",
        choices=("VERTEX_AI",),
        status="partial",
        reason=NO_REGISTRY,
        doc="Register the model in Vertex AI.",
    ),
    Option(
        name="VERTEX_AI_MODEL_ID",
        kind="str",
        status="partial",
        reason=NO_REGISTRY,
        doc="The model's id in Vertex AI.",
    ),
    Option(
        name="VERTEX_AI_MODEL_VERSION_ALIASES",
        kind="strings",
        status="partial",
        reason=NO_REGISTRY,
        doc="Aliases of the version in Vertex AI.",
    ),
    Option(
        name="KMS_KEY_NAME",
        kind="str",
        status="partial",
        reason="ignored: files are written as they are; encrypt the disk that holds the project",
        doc="The Cloud KMS key that encrypts the model.",
    ),
    Option(
        name="DESCRIPTION",
        kind="str",
        status="partial",
        reason="kept with the statement; it changes nothing in the model",
        doc="A sentence about the model.",
    ),
    Option(
        name="FRIENDLY_NAME",
        kind="str",
        status="partial",
        reason="kept with the statement; it changes nothing in the model",
        doc="A name to show.",
    ),
    Option(
        name="EXPIRATION_TIMESTAMP",
        kind="any",
        status="partial",
        reason="ignored: models do not expire; DROP MODEL removes one",
        doc="When the model is deleted.",
    ),
)
REGRESSION_OBJECTIVES = (
    "R2_SCORE",
    "EXPLAINED_VARIANCE",
    "MEDIAN_ABSOLUTE_ERROR",
    "MEAN_ABSOLUTE_ERROR",
    "MEAN_SQUARED_ERROR",
    "MEAN_SQUARED_LOG_ERROR",
)
CLASSIFICATION_OBJECTIVES = ("ROC_AUC", "PRECISION", "RECALL", "ACCURACY", "F1_SCORE", "LOG_LOSS")


def _splits_by_column(values: Mapping[str, Any]) -> bool:
    return values["data_split_method"] in ("CUSTOM", "SEQ")


def _fraction_unused(values: Mapping[str, Any]) -> bool:
    return values["data_split_method"] in ("CUSTOM", "NO_SPLIT", "AUTO_SPLIT")


SPLIT_RULES = (
    OptionRule(
        option="DATA_SPLIT_COL",
        message="DATA_SPLIT_COL is read only with DATA_SPLIT_METHOD = 'CUSTOM' or 'SEQ'",
        hint="add DATA_SPLIT_METHOD = 'CUSTOM' for a BOOL column, 'SEQ' for a column to sort by",
        broken=lambda values, given: "data_split_col" in given and not _splits_by_column(values),
    ),
    OptionRule(
        option="DATA_SPLIT_METHOD",
        message="DATA_SPLIT_METHOD = 'CUSTOM' and 'SEQ' need DATA_SPLIT_COL",
        hint="add DATA_SPLIT_COL = 'name of the column to split by'",
        broken=lambda values, given: _splits_by_column(values) and "data_split_col" not in given,
    ),
    OptionRule(
        option="DATA_SPLIT_EVAL_FRACTION",
        message="DATA_SPLIT_EVAL_FRACTION is ignored: only DATA_SPLIT_METHOD = 'RANDOM' and 'SEQ' read it",
        broken=lambda values, given: "data_split_eval_fraction" in given and _fraction_unused(values),
        refuses=False,
    ),
)
CLASS_WEIGHT_RULES = (
    OptionRule(
        option="CLASS_WEIGHTS",
        message="CLASS_WEIGHTS and AUTO_CLASS_WEIGHTS = TRUE exclude each other",
        hint="keep one of the two",
        broken=lambda values, given: "class_weights" in given and bool(values["auto_class_weights"]),
    ),
)
MONITORED = ("ML.VALIDATE_DATA_SKEW", "ML.VALIDATE_DATA_DRIFT")
REGRESSOR_FUNCTIONS = (
    "ML.EVALUATE",
    "ML.PREDICT",
    "ML.EXPLAIN_PREDICT",
    "ML.GLOBAL_EXPLAIN",
    "ML.FEATURE_INFO",
    "ML.TRAINING_INFO",
    "ML.TRIAL_INFO",
    "ML.TRANSFORM",
    *MONITORED,
)
CLASSIFIER_FUNCTIONS = (*REGRESSOR_FUNCTIONS, "ML.CONFUSION_MATRIX", "ML.ROC_CURVE")
