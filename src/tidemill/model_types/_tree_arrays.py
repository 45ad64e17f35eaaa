"""The trees of an XGBoost model as flat arrays, and as the attributes of an ONNX tree ensemble."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.model_types._ubjson import read_ubjson


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeArrays:
    """All nodes of all trees, tree after tree.

    ``tree`` and ``node`` number each node; ``left`` and ``right`` are node numbers inside the tree, -1 at a leaf;
    ``value`` is the threshold of a branch (left when smaller) or the leaf's addend; ``target`` is the output that a
    tree adds to; ``base`` the margin every row starts from, one per output.
    """

    tree: np.ndarray
    node: np.ndarray
    feature: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    target: np.ndarray
    base: np.ndarray
    objective: str


def tree_arrays(booster: bytes) -> TreeArrays:
    """Read the trees from ``Booster.save_raw("ubj")``.

    The margin of a row is ``base`` plus, for each tree, the value of the leaf it falls in. DART's tree weights are
    multiplied into the leaves.
    """
    learner = read_ubjson(booster)["learner"]
    gradient = learner["gradient_booster"]
    model = gradient["model"] if "model" in gradient else gradient["gbtree"]["model"]
    dropped = np.asarray(gradient.get("weight_drop", ()), dtype=np.float32)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("tree", "node", "feature", "left", "right")}
    columns |= {"missing_left": [], "value": [], "target": []}
    for ordinal, (tree, target) in enumerate(zip(model["trees"], model["tree_info"], strict=True)):
        left = np.asarray(tree["left_children"], dtype=np.int64)
        value = np.asarray(tree["split_conditions"], dtype=np.float32)
        if len(dropped):
            value = np.where(left < 0, value * dropped[ordinal], value)
        columns["tree"].append(np.full(len(left), ordinal))
        columns["node"].append(np.arange(len(left)))
        columns["feature"].append(np.asarray(tree["split_indices"], dtype=np.int64))
        columns["left"].append(left)
        columns["right"].append(np.asarray(tree["right_children"], dtype=np.int64))
        columns["missing_left"].append(np.asarray(tree["default_left"], dtype=np.int64))
        columns["value"].append(value)
        columns["target"].append(np.full(len(left), int(target)))
    objective = str(learner["objective"]["name"])
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    return TreeArrays(base=_base_margin(learner, objective), objective=objective, **joined)


def _base_margin(learner: dict[str, Any], objective: str) -> np.ndarray:
    """XGBoost 3 writes base_score as a list of numbers, as a probability for the logistic objective."""
    text = str(learner["learner_model_param"]["base_score"]).strip("[]")
    base = [float(part) for part in text.split(",")]
    if objective == "binary:logistic":
        base = [math.log(score / (1.0 - score)) for score in base]
    return np.asarray(base, dtype=np.float32)


def ensemble_attributes(trees: TreeArrays) -> dict[str, Any]:
    """The attributes of ``ai.onnx.ml.TreeEnsembleRegressor`` (opset 3) that compute the same margin.

    References
    ----------
    https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html
    """
    leaf = trees.left < 0
    return {
        "n_targets": len(trees.base),
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "base_values": trees.base.tolist(),
        "nodes_treeids": trees.tree.tolist(),
        "nodes_nodeids": trees.node.tolist(),
        "nodes_featureids": np.where(leaf, 0, trees.feature).tolist(),
        # XGBoost goes left when value < threshold.
        "nodes_modes": np.where(leaf, "LEAF", "BRANCH_LT").tolist(),
        "nodes_values": np.where(leaf, np.float32(0), trees.value).tolist(),
        "nodes_truenodeids": np.where(leaf, 0, trees.left).tolist(),
        "nodes_falsenodeids": np.where(leaf, 0, trees.right).tolist(),
        "nodes_missing_value_tracks_true": np.where(leaf, 0, trees.missing_left).tolist(),
        "target_treeids": trees.tree[leaf].tolist(),
        "target_nodeids": trees.node[leaf].tolist(),
        "target_ids": trees.target[leaf].tolist(),
        "target_weights": trees.value[leaf].tolist(),
    }
