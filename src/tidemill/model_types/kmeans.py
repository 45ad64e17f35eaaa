"""KMEANS: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._shared import MONITORED, REGISTRY, STOPPING, SYNTAX, WARM_START, max_iterations, tuning
from tidemill.model_types.base import ModelType, Option

KMEANS = ModelType(
    name="KMEANS",
    task="other",
    doc="Groups rows around centroids.",
    url=f"{SYNTAX}-create-kmeans",
    options=(
        Option(name="NUM_CLUSTERS", kind="int", low=2, high=100, hparam=True, doc="Clusters; log10(rows) without it."),
        Option(
            name="KMEANS_INIT_METHOD",
            kind="enum",
            default="RANDOM",
            choices=("RANDOM", "KMEANS++", "CUSTOM"),
            doc="Where centroids start.",
        ),
        Option(
            name="KMEANS_INIT_COL", kind="str", doc="CUSTOM: a BOOL column, TRUE in as many rows as there are clusters."
        ),
        Option(
            name="DISTANCE_TYPE", kind="enum", default="EUCLIDEAN", choices=("EUCLIDEAN", "COSINE"), doc="Distance."
        ),
        Option(name="STANDARDIZE_FEATURES", kind="bool", default=True, doc="Centre and scale numbers."),
        max_iterations(),
        *STOPPING,
        WARM_START,
        *tuning("DAVIES_BOULDIN_INDEX"),
        *REGISTRY,
    ),
    functions=(
        "ML.EVALUATE",
        "ML.PREDICT",
        "ML.CENTROIDS",
        "ML.DETECT_ANOMALIES",
        "ML.FEATURE_INFO",
        "ML.TRAINING_INFO",
        "ML.TRIAL_INFO",
        "ML.TRANSFORM",
        *MONITORED,
    ),
    status="rejected",
    reason="Clustering is not built yet. To put rows into groups by one column use ML.QUANTILE_BUCKETIZE; to learn "
    "groups that you already know for some rows, train LOGISTIC_REG or BOOSTED_TREE_CLASSIFIER on them.",
)
