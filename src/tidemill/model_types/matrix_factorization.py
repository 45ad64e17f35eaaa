"""MATRIX_FACTORIZATION: read, and refused with a reason."""

from __future__ import annotations

from dataclasses import replace

from tidemill.model_types._shared import REGISTRY, SPLIT, STOPPING, SYNTAX, max_iterations, tuning
from tidemill.model_types.base import ModelType, Option

MATRIX_FACTORIZATION = ModelType(
    name="MATRIX_FACTORIZATION",
    task="other",
    doc="Recommendations from ratings of items by users.",
    url=f"{SYNTAX}-create-matrix-factorization",
    options=(
        Option(name="USER_COL", kind="str", default="user", doc="The column of users."),
        Option(name="ITEM_COL", kind="str", default="item", doc="The column of items."),
        Option(name="RATING_COL", kind="str", default="rating", doc="The column of ratings."),
        Option(
            name="FEEDBACK_TYPE",
            kind="enum",
            default="EXPLICIT",
            choices=("EXPLICIT", "IMPLICIT"),
            doc="EXPLICIT: ratings. IMPLICIT: counts of how often.",
        ),
        Option(name="NUM_FACTORS", kind="int", low=2, high=200, hparam=True, doc="Factors; log2(rows) without it."),
        Option(name="L2_REG", kind="float", default=1.0, low=0.0, hparam=True, doc="L2 penalty."),
        Option(
            name="WALS_ALPHA",
            kind="float",
            default=40.0,
            low=0.0,
            hparam=True,
            doc="IMPLICIT: confidence is 1 + WALS_ALPHA x rating.",
        ),
        max_iterations(),
        *STOPPING,
        *(replace(option, default="NO_SPLIT") if option.name == "DATA_SPLIT_METHOD" else option for option in SPLIT),
        *tuning(
            "MEAN_SQUARED_ERROR",
            "MEAN_AVERAGE_PRECISION",
            "NORMALIZED_DISCOUNTED_CUMULATIVE_GAIN",
            "AVERAGE_RANK",
        ),
        *REGISTRY,
    ),
    functions=(
        "ML.EVALUATE",
        "ML.RECOMMEND",
        "ML.WEIGHTS",
        "ML.GENERATE_EMBEDDING",
        "ML.TRAINING_INFO",
        "ML.TRIAL_INFO",
    ),
    status="rejected",
    reason="Recommendations are not built yet. To predict a rating, train BOOSTED_TREE_REGRESSOR on columns about the "
    "user and the item (counts and mean ratings, made in SQL).",
)
