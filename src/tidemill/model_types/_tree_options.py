"""What the tree models share: options, rules, and the way to their code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.model_types._over_time import OVER_TIME, OVER_TIME_RULES
from tidemill.model_types._shared import CLASS_WEIGHT_RULES, EXPLAIN, LABEL, REGISTRY, SPLIT, SPLIT_RULES, STOPPING
from tidemill.model_types.base import FitFn, FitRequest, Fitted, Iteration, Option, OptionRule


def share(name: str, *, default: float, doc: str, open_high: bool = False) -> Option:
    """A share of rows or columns, in (0, 1]."""
    return Option(
        name=name,
        kind="float",
        default=default,
        low=0.0,
        high=1.0,
        low_open=True,
        high_open=open_high,
        hparam=True,
        doc=doc,
    )


def _base_score(doc: str, *, chance: bool = False) -> Option:
    return Option(
        name="BASE_SCORE",
        kind="float",
        default=0.5,
        low=0.0 if chance else None,
        high=1.0 if chance else None,
        low_open=chance,
        high_open=chance,
        choices=("MEAN",),
        doc=f"An extension of Tidemill: {doc}",
    )


REGRESSOR_BASE = _base_score(
    "the number that all predictions begin at, before the first tree. 0.5 is where BigQuery ML begins; 'MEAN' is the "
    "label's mean, which fits labels far from 0.5 better, above all in a random forest: its trees are grown in one "
    "round, in which leaves that L2_REG draws towards 0 do not come all the way."
)
CLASSIFIER_BASE = _base_score(
    "the chance of the positive class that all predictions begin at, before the first tree. 0.5 is where BigQuery ML "
    "begins; 'MEAN' is the share of each class in the rows. With three classes or more every number means equal "
    "shares.",
    chance=True,
)


def tree_options(*, by_node: float, approximate_from: int) -> tuple[Option, ...]:
    """The options that boosted trees and random forests share."""
    return (
        LABEL,
        Option(
            name="TREE_METHOD",
            kind="enum",
            default="AUTO",
            choices=("AUTO", "EXACT", "APPROX", "HIST"),
            hparam=True,
            doc="How splits are searched.",
        ),
        Option(
            name="MIN_TREE_CHILD_WEIGHT",
            kind="float",
            default=1.0,
            low=0.0,
            hparam=True,
            doc="The least sum of row weights in a leaf.",
        ),
        share("COLSAMPLE_BYTREE", default=1.0, doc="The share of columns each tree sees."),
        share("COLSAMPLE_BYLEVEL", default=1.0, doc="The share of columns each level sees."),
        share("COLSAMPLE_BYNODE", default=by_node, doc="The share of columns each split sees."),
        Option(
            name="MIN_SPLIT_LOSS",
            kind="float",
            default=0.0,
            low=0.0,
            hparam=True,
            doc="The least gain in loss that makes a split.",
        ),
        Option(name="L1_REG", kind="float", default=0.0, low=0.0, hparam=True, doc="L1 penalty on leaf values."),
        Option(name="L2_REG", kind="float", default=1.0, low=0.0, hparam=True, doc="L2 penalty on leaf values."),
        *STOPPING,
        *SPLIT,
        Option(name="INSTANCE_WEIGHT_COL", kind="str", doc="A numeric column with a weight per row; not a feature."),
        EXPLAIN,
        Option(
            name="APPROX_GLOBAL_FEATURE_CONTRIB",
            kind="bool",
            status="partial",
            reason="ignored: attributions are always the exact Tree SHAP ones",
            doc=f"Approximate attributions; BigQuery ML turns it on from {approximate_from} parallel trees on.",
        ),
        Option(
            name="XGBOOST_VERSION",
            kind="str",
            status="partial",
            reason="ignored: models are trained by the XGBoost that is installed, and the manifest names its version",
            doc="The XGBoost version that trains.",
        ),
        *OVER_TIME,
        *REGISTRY,
    )


TREE_RULES = (*SPLIT_RULES, *OVER_TIME_RULES)
TREE_CLASSIFIER_RULES = (
    *CLASS_WEIGHT_RULES,
    OptionRule(
        option="INSTANCE_WEIGHT_COL",
        message="INSTANCE_WEIGHT_COL excludes CLASS_WEIGHTS and AUTO_CLASS_WEIGHTS = TRUE",
        hint="keep one of them",
        broken=lambda values, given: (
            "instance_weight_col" in given and ("class_weights" in given or bool(values["auto_class_weights"]))
        ),
    ),
)


def fit_of(kind: str) -> FitFn:
    """The fit of one kind of tree model."""

    def fit(request: FitRequest) -> tuple[Fitted, list[Iteration]]:
        from tidemill.model_types._trees import fit_trees  # imports numpy: only a fit pays for it

        return fit_trees(request, kind=kind)

    return fit


def load(files: Mapping[str, bytes], info: Mapping[str, Any]) -> Fitted:
    """Read a tree model back from its files."""
    from tidemill.model_types._trees import load_trees

    return load_trees(files, info)
