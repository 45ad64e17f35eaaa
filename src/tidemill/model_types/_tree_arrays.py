"""The trees of an XGBoost model as flat arrays, and as the attributes of an ONNX tree ensemble."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np  # noqa: TID253

# Fields of a tree in XGBoost's JSON that decide its answers, and how small they may be kept.
_FIELDS = {
    "left_children": np.int32,
    "right_children": np.int32,
    "split_indices": np.int32,
    "default_left": np.int8,
    "split_conditions": np.float32,
}


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
    """Read the trees from ``Booster.save_raw("json")``.

    The margin of a row is ``base`` plus, for each tree, the value of the leaf it falls in. DART's tree weights are
    multiplied into the leaves.
    """
    learner = json.loads(booster, object_hook=_compact)["learner"]
    gradient = learner["gradient_booster"]
    model = gradient["model"] if "model" in gradient else gradient["gbtree"]["model"]
    dropped = np.asarray(gradient.get("weight_drop", ()), dtype=np.float32)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("tree", "node", "feature", "left", "right")}
    columns |= {"missing_left": [], "value": [], "target": []}
    for ordinal, (tree, target) in enumerate(zip(model["trees"], model["tree_info"], strict=True)):
        left, value = tree["left_children"], tree["split_conditions"]
        if len(dropped):
            value = np.where(left < 0, value * dropped[ordinal], value)
        columns["tree"].append(np.full(len(left), ordinal, dtype=np.int32))
        columns["node"].append(np.arange(len(left), dtype=np.int32))
        columns["feature"].append(tree["split_indices"])
        columns["left"].append(left)
        columns["right"].append(tree["right_children"])
        columns["missing_left"].append(tree["default_left"])
        columns["value"].append(value)
        columns["target"].append(np.full(len(left), int(target), dtype=np.int32))
    objective = str(learner["objective"]["name"])
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    return TreeArrays(base=_base_margin(learner, objective), objective=objective, **joined)


def _compact(value: dict[str, Any]) -> dict[str, Any]:
    """Called at the end of each object: a forest holds millions of nodes, so that trees become arrays one by one."""
    if "left_children" not in value:
        return value
    return {name: np.array(value[name], dtype=dtype) for name, dtype in _FIELDS.items()}


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
        "base_values": trees.base,
        "nodes_treeids": trees.tree,
        "nodes_nodeids": trees.node,
        "nodes_featureids": np.where(leaf, 0, trees.feature),
        # XGBoost goes left when value < threshold.
        "nodes_modes": [b"LEAF" if ends else b"BRANCH_LT" for ends in leaf.tolist()],
        "nodes_values": np.where(leaf, np.float32(0), trees.value),
        "nodes_truenodeids": np.where(leaf, 0, trees.left),
        "nodes_falsenodeids": np.where(leaf, 0, trees.right),
        "nodes_missing_value_tracks_true": np.where(leaf, 0, trees.missing_left),
        "target_treeids": trees.tree[leaf],
        "target_nodeids": trees.node[leaf],
        "target_ids": trees.target[leaf],
        "target_weights": trees.value[leaf],
    }
