"""RANDOM_FOREST_CLASSIFIER and RANDOM_FOREST_REGRESSOR."""

from __future__ import annotations

from tidemill.model_types._shared import (
    CLASS_WEIGHTS,
    CLASSIFICATION_OBJECTIVES,
    CLASSIFIER_FUNCTIONS,
    REGRESSION_OBJECTIVES,
    REGRESSOR_FUNCTIONS,
    SYNTAX,
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

URL = f"{SYNTAX}-create-random-forest"

_OPTIONS = (
    *tree_options(by_node=0.8, approximate_from=50),
    Option(name="NUM_PARALLEL_TREE", kind="int", default=100, low=2, hparam=True, doc="The number of trees."),
    Option(name="MAX_TREE_DEPTH", kind="int", default=15, low=1, hparam=True, doc="The greatest depth of a tree."),
    share("SUBSAMPLE", default=0.8, doc="The share of rows each tree sees; below 1.", open_high=True),
)
_RULES = (
    OptionRule(
        option="COLSAMPLE_BYNODE",
        message="a random forest needs one of COLSAMPLE_BYTREE, COLSAMPLE_BYLEVEL and COLSAMPLE_BYNODE below 1",
        hint="leave COLSAMPLE_BYNODE at 0.8, or lower one of the three",
        broken=lambda values, _: all(values[f"colsample_by{part}"] >= 1 for part in ("tree", "level", "node")),
    ),
    *TREE_RULES,
)

RANDOM_FOREST_CLASSIFIER = ModelType(
    name="RANDOM_FOREST_CLASSIFIER",
    task="classification",
    doc="A random forest (XGBoost) for two and up to 1,000 classes.",
    url=URL,
    options=(*_OPTIONS, CLASSIFIER_BASE, *CLASS_WEIGHTS, *tuning(*CLASSIFICATION_OBJECTIVES)),
    functions=(*CLASSIFIER_FUNCTIONS, "ML.FEATURE_IMPORTANCE"),
    rules=(*_RULES, *TREE_CLASSIFIER_RULES),
    encoding="tree",
    fit=fit_of("RANDOM_FOREST_CLASSIFIER"),
    load=load,
    imports=("xgboost",),
)
RANDOM_FOREST_REGRESSOR = ModelType(
    name="RANDOM_FOREST_REGRESSOR",
    task="regression",
    doc="A random forest (XGBoost) for a number.",
    url=URL,
    options=(*_OPTIONS, REGRESSOR_BASE, *tuning(*REGRESSION_OBJECTIVES)),
    functions=(*REGRESSOR_FUNCTIONS, "ML.FEATURE_IMPORTANCE"),
    rules=_RULES,
    encoding="tree",
    fit=fit_of("RANDOM_FOREST_REGRESSOR"),
    load=load,
    imports=("xgboost",),
)
