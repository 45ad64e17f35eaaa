"""PCA: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._shared import MONITORED, REGISTRY, SYNTAX
from tidemill.model_types.base import ModelType, Option

PCA = ModelType(
    name="PCA",
    task="other",
    doc="Principal components.",
    url=f"{SYNTAX}-create-pca",
    options=(
        Option(name="NUM_PRINCIPAL_COMPONENTS", kind="int", low=1, doc="How many components to keep."),
        Option(
            name="PCA_EXPLAINED_VARIANCE_RATIO",
            kind="float",
            low=0.0,
            high=1.0,
            low_open=True,
            high_open=True,
            doc="Keep as many components as explain this share of the variance.",
        ),
        Option(name="SCALE_FEATURES", kind="bool", default=True, doc="Scale numbers; they are centred in any case."),
        Option(
            name="PCA_SOLVER", kind="enum", default="AUTO", choices=("AUTO", "FULL", "RANDOMIZED"), doc="The solver."
        ),
        *REGISTRY,
    ),
    functions=(
        "ML.EVALUATE",
        "ML.PREDICT",
        "ML.PRINCIPAL_COMPONENTS",
        "ML.PRINCIPAL_COMPONENT_INFO",
        "ML.DETECT_ANOMALIES",
        "ML.GENERATE_EMBEDDING",
        "ML.FEATURE_INFO",
        "ML.TRAINING_INFO",
        "ML.TRANSFORM",
        *MONITORED,
    ),
    status="rejected",
    reason="Principal components are not built yet. To train on fewer columns, drop those that ML.FEATURE_IMPORTANCE "
    "or ML.WEIGHTS finds unimportant; L2_REG keeps a linear model steady on correlated columns.",
)
