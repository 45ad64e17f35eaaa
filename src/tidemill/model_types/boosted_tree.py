"""BOOSTED_TREE_CLASSIFIER and BOOSTED_TREE_REGRESSOR."""

from __future__ import annotations

from tidemill.model_types._shared import (
    CLASS_WEIGHTS,
    CLASSIFICATION_OBJECTIVES,
    CLASSIFIER_FUNCTIONS,
    REGRESSION_OBJECTIVES,
    REGRESSOR_FUNCTIONS,
    SYNTAX,
    max_iterations,
    tuning,
)
from tidemill.model_types._tree_options import (
    CLASSIFIER_BASE,
    REGRESSOR_BASE,
    TREE_CLASSIFIER_RULES,
    TREE_RULES,
    fit_of,
    load,
    share,
    tree_options,
)
from tidemill.model_types.base import ModelType, Option, OptionRule

URL = f"{SYNTAX}-create-boosted-tree"

_OPTIONS = (
    *tree_options(by_node=1.0, approximate_from=10),
    Option(
        name="BOOSTER_TYPE",
        kind="enum",
        default="GBTREE",
        choices=("GBTREE", "DART"),
        hparam=True,
        doc="DART drops trees while it trains.",
    ),
    Option(
        name="DART_NORMALIZE_TYPE",
        kind="enum",
        default="TREE",
        choices=("TREE", "FOREST"),
        hparam=True,
        doc="How DART weighs a new tree against the dropped ones.",
    ),
    Option(
        name="DROPOUT",
        kind="float",
        default=0.0,
        low=0.0,
        high=1.0,
        hparam=True,
        doc="The share of trees DART drops in each round.",
    ),
    max_iterations("The most rounds of boosting."),
    Option(
        name="LEARN_RATE",
        kind="float",
        default=0.3,
        low=0.0,
        high=1.0,
        hparam=True,
        doc="How much each round's trees count.",
    ),
    Option(name="NUM_PARALLEL_TREE", kind="int", default=1, low=1, hparam=True, doc="The trees grown in each round."),
    Option(name="MAX_TREE_DEPTH", kind="int", default=6, low=1, hparam=True, doc="The greatest depth of a tree."),
    share("SUBSAMPLE", default=1.0, doc="The share of rows each tree sees."),
    Option(
        name="CATEGORY_ENCODING_METHOD",
        kind="enum",
        default="LABEL_ENCODING",
        choices=("LABEL_ENCODING", "TARGET_ENCODING", "ONE_HOT_ENCODING"),
        doc="How categories become numbers.",
    ),
)
_RULES = (
    OptionRule(
        option="DROPOUT",
        message="DROPOUT is read only with BOOSTER_TYPE = 'DART'",
        hint="add BOOSTER_TYPE = 'DART', or leave DROPOUT out",
        broken=lambda values, _: values["dropout"] > 0 and values["booster_type"] != "DART",
    ),
    OptionRule(
        option="DART_NORMALIZE_TYPE",
        message="DART_NORMALIZE_TYPE is ignored: only BOOSTER_TYPE = 'DART' reads it",
        broken=lambda values, given: "dart_normalize_type" in given and values["booster_type"] != "DART",
        refuses=False,
    ),
    *TREE_RULES,
)

BOOSTED_TREE_CLASSIFIER = ModelType(
    name="BOOSTED_TREE_CLASSIFIER",
    task="classification",
    doc="Gradient boosted trees (XGBoost) for two and up to 1,000 classes.",
    url=URL,
    options=(*_OPTIONS, CLASSIFIER_BASE, *CLASS_WEIGHTS, *tuning(*CLASSIFICATION_OBJECTIVES)),
    functions=(*CLASSIFIER_FUNCTIONS, "ML.FEATURE_IMPORTANCE"),
    rules=(*_RULES, *TREE_CLASSIFIER_RULES),
    encoding="tree",
    fit=fit_of("BOOSTED_TREE_CLASSIFIER"),
    load=load,
    imports=("xgboost",),
)
BOOSTED_TREE_REGRESSOR = ModelType(
    name="BOOSTED_TREE_REGRESSOR",
    task="regression",
    doc="Gradient boosted trees (XGBoost) for a number.",
    url=URL,
    options=(*_OPTIONS, REGRESSOR_BASE, *tuning(*REGRESSION_OBJECTIVES)),
    functions=(*REGRESSOR_FUNCTIONS, "ML.FEATURE_IMPORTANCE"),
    rules=_RULES,
    encoding="tree",
    fit=fit_of("BOOSTED_TREE_REGRESSOR"),
    load=load,
    imports=("xgboost",),
)
