"""Trees: options reach XGBoost, the graph answers like XGBoost, equal requests are equal bytes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnxruntime
import pytest
import xgboost

from tidemill.core.errors import CorruptError, OptionError
from tidemill.model_types._trees import Trees, fit_trees, load_trees
from tidemill.model_types.base import FitData, FitRequest, Iteration, Labels
from tidemill.model_types.table import MODEL_TYPES
from tidemill.training.graphs import scores_graph

_RANDOM = np.random.default_rng(3)
_X = _RANDOM.normal(size=(600, 5)).astype(np.float32)
_VALUE = _X[:, 0] * 100 + np.where(_X[:, 1] > 0, 300, 5000) + _RANDOM.normal(size=600)
_CLASSES = {0: _VALUE, 2: (_X[:, 0] + _X[:, 1] > 0).astype(np.int64), 3: np.digitize(_X[:, 0], [-0.5, 0.5])}


def request(kind: str, classes: int, *, evaluated: int = 0, seed: int = 7, **options: Any) -> FitRequest:
    values = {option.name.lower(): option.default for option in MODEL_TYPES[kind].options} | options
    y = _CLASSES[classes]
    data = FitData(
        x=_X[evaluated:],
        y=y[evaluated:],
        x_eval=_X[:evaluated],
        y_eval=y[:evaluated],
        labels=Labels(column="y", classes=tuple(range(classes))),
        names=[f"n{i}" for i in range(5)],
        groups=list(range(5)),
    )
    return FitRequest(data=data, options=values, seed=seed, threads=1)


def fit(kind: str, classes: int, **options: Any) -> tuple[Trees, list[Iteration]]:
    return fit_trees(request(kind, classes, **options), kind=kind)


def answer(data: bytes, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


CASES = [
    ("BOOSTED_TREE_REGRESSOR", 0, {}),
    ("BOOSTED_TREE_REGRESSOR", 0, {"booster_type": "DART", "dropout": 0.5, "max_iterations": 12}),
    ("BOOSTED_TREE_REGRESSOR", 0, {"num_parallel_tree": 3, "subsample": 0.5}),
    ("BOOSTED_TREE_CLASSIFIER", 2, {"tree_method": "EXACT"}),
    ("BOOSTED_TREE_CLASSIFIER", 2, {"tree_method": "APPROX", "l1_reg": 0.5, "min_split_loss": 1.0}),
    ("BOOSTED_TREE_CLASSIFIER", 3, {"colsample_bytree": 0.6, "max_tree_depth": 3}),
    ("BOOSTED_TREE_CLASSIFIER", 3, {"booster_type": "DART", "dropout": 0.5, "dart_normalize_type": "FOREST"}),
    ("RANDOM_FOREST_REGRESSOR", 0, {"num_parallel_tree": 20}),
    ("RANDOM_FOREST_CLASSIFIER", 2, {"num_parallel_tree": 20}),
    ("RANDOM_FOREST_CLASSIFIER", 3, {"num_parallel_tree": 10}),
]


@pytest.mark.parametrize(("kind", "classes", "options"), CASES)
def test_the_graph_answers_like_the_booster(kind: str, classes: int, options: dict[str, Any]) -> None:
    fitted, _ = fit(kind, classes, **options)
    x = np.vstack([_X, _RANDOM.normal(size=(200, 5)).astype(np.float32) * 3])
    x[::7, 1] = np.nan
    scores = fitted.scores(x)
    graph = answer(scores_graph(fitted, width=5, classes=classes), x)
    assert graph.shape == scores.shape
    np.testing.assert_allclose(graph, scores, atol=1e-5 * max(1.0, np.abs(scores).max()))


@pytest.mark.parametrize(("kind", "classes", "options"), CASES)
def test_files_read_back_as_the_same_model(kind: str, classes: int, options: dict[str, Any]) -> None:
    fitted, _ = fit(kind, classes, **options)
    again = load_trees(fitted.files(), json.loads(json.dumps(fitted.info())))
    assert (again.scores(_X) == fitted.scores(_X)).all()
    sums = fitted.contributions(_X).sum(axis=-1)
    scores = fitted.scores(_X)
    margin = scores if classes == 0 else np.log(scores)
    if classes == 2:
        margin = margin[:, 1] - margin[:, 0]
    if classes == 3:
        sums = sums - sums.mean(axis=1, keepdims=True)
        margin = margin - margin.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(sums, margin, atol=2e-3 * max(1.0, np.abs(margin).max()))


def test_equal_requests_give_equal_bytes_and_another_seed_others() -> None:
    first, _ = fit("RANDOM_FOREST_REGRESSOR", 0)
    second, _ = fit("RANDOM_FOREST_REGRESSOR", 0)
    third, _ = fit("RANDOM_FOREST_REGRESSOR", 0, seed=8)
    assert first.raw == second.raw != third.raw


def test_a_forest_is_one_round_of_parallel_trees() -> None:
    fitted, rows = fit("RANDOM_FOREST_CLASSIFIER", 2, num_parallel_tree=13)
    assert len(rows) == 1
    assert len(fitted.booster().get_dump()) == 13


def test_boosting_stops_when_the_evaluation_loss_gains_too_little() -> None:
    _, rows = fit("BOOSTED_TREE_CLASSIFIER", 2, evaluated=150, max_iterations=200, min_rel_progress=0.05)
    assert 1 < len(rows) < 200
    before, last = rows[-2].eval_loss, rows[-1].eval_loss
    assert before is not None
    assert last is not None
    assert (before - last) / before < 0.05
    _, all_rows = fit("BOOSTED_TREE_CLASSIFIER", 2, evaluated=150, max_iterations=30, early_stop=False)
    assert len(all_rows) == 30


def test_options_reach_xgboost() -> None:
    options = {
        "learn_rate": 0.05,
        "max_tree_depth": 3,
        "l1_reg": 0.7,
        "l2_reg": 3.0,
        "min_split_loss": 2.0,
        "min_tree_child_weight": 20.0,
        "subsample": 0.7,
        "colsample_bytree": 0.9,
        "colsample_bylevel": 0.8,
        "colsample_bynode": 0.7,
        "num_parallel_tree": 2,
    }
    fitted, rows = fit("BOOSTED_TREE_REGRESSOR", 0, max_iterations=4, early_stop=False, **options)
    names = {"learn_rate": "eta", "max_tree_depth": "max_depth", "l1_reg": "alpha", "l2_reg": "lambda"}
    names |= {"min_split_loss": "gamma", "min_tree_child_weight": "min_child_weight"}
    parameters = {names.get(name, name): value for name, value in options.items()} | {
        "seed": 7,
        "nthread": 1,
        "base_score": 0.5,
    }
    expected = xgboost.train(parameters, xgboost.QuantileDMatrix(_X, label=_VALUE), num_boost_round=4)
    assert (fitted.booster().inplace_predict(_X) == expected.inplace_predict(_X)).all()
    assert [row.learning_rate for row in rows] == [0.05] * 4


@pytest.mark.parametrize("kind", ["BOOSTED_TREE", "RANDOM_FOREST"])
def test_predictions_begin_at_the_base_score_or_at_the_mean(kind: str) -> None:
    def begins(classes: int, base: float | str) -> Any:
        task = "CLASSIFIER" if classes else "REGRESSOR"
        # No split gains so much: the one leaf that is left adds nothing without a rate to speak of.
        options = {"base_score": base, "min_split_loss": 1e30, "l2_reg": 1e9, "min_tree_child_weight": 0.0}
        return fit(f"{kind}_{task}", classes, **options)[0].scores(_X[:1])[0]

    assert begins(0, 0.5) == pytest.approx(0.5, abs=0.05)
    assert begins(0, -40.0) == pytest.approx(-40.0, abs=0.05)
    assert begins(0, "MEAN") == pytest.approx(_VALUE.mean(), rel=1e-4)
    assert begins(2, 0.25) == pytest.approx([0.75, 0.25], abs=1e-4)
    assert begins(2, "MEAN") == pytest.approx(np.bincount(_CLASSES[2]) / 600, abs=1e-4)
    assert begins(3, 0.25) == pytest.approx([1 / 3] * 3, abs=1e-4)
    assert begins(3, "MEAN") == pytest.approx(np.bincount(_CLASSES[3]) / 600, abs=1e-4)


def test_importance_counts_splits_of_each_column() -> None:
    fitted, _ = fit("BOOSTED_TREE_CLASSIFIER", 2)
    learner = json.loads(bytes(fitted.booster().save_raw("json")))["learner"]
    splits = np.zeros(5)
    for tree in learner["gradient_booster"]["model"]["trees"]:
        for left, column in zip(tree["left_children"], tree["split_indices"], strict=True):
            splits[column] += left >= 0
    assert fitted.info()["importance"]["weight"] == splits.tolist()


def test_exact_splits_with_columns_sampled_per_node_are_refused() -> None:
    with pytest.raises(OptionError, match="COLSAMPLE_BYNODE") as caught:
        fit("RANDOM_FOREST_REGRESSOR", 0, tree_method="EXACT")
    assert "COLSAMPLE_BYTREE" in caught.value.hint


def test_a_damaged_file_is_an_error_and_not_an_answer() -> None:
    fitted, _ = fit("BOOSTED_TREE_REGRESSOR", 0)
    for raw in (b"{}", b"", fitted.raw[:-200], fitted.raw.replace(b"left_children", b"lost_children")):
        broken = load_trees({"booster.json": raw}, fitted.info())
        with pytest.raises(CorruptError, match="booster.json"):
            broken.scores(_X)


def test_no_rows_score_as_no_rows() -> None:
    fitted, _ = fit("BOOSTED_TREE_CLASSIFIER", 3)
    assert fitted.scores(_X[:0]).shape == (0, 3)
