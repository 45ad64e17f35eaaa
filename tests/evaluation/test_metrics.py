"""Metrics against scikit-learn's and against BigQuery ML's own conventions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from tidemill.evaluation.judge import judge, metric_names
from tidemill.model_types.base import Labels

NUMBER = Labels(column="y")
TWO = Labels(column="y", classes=("no", "yes"))
THREE = Labels(column="y", classes=("a", "b", "c"))


def _probabilities(rng: np.random.Generator, rows: int, classes: int) -> np.ndarray:
    raw = rng.random((rows, classes)) + 0.01
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("rows", [1000, 1001])
def test_regression_metrics_agree_with_scikit_learn_except_for_the_lower_median(rows: int) -> None:
    rng = np.random.default_rng(rows)
    y = rng.gamma(2.0, 3.0, rows)
    predicted = y + rng.normal(0, 0.5, rows).clip(-0.9)
    got = judge(NUMBER, y, predicted)
    assert tuple(got) == metric_names(NUMBER)
    assert got["mean_absolute_error"] == pytest.approx(oracle.mean_absolute_error(y, predicted), rel=1e-12)
    assert got["mean_squared_error"] == pytest.approx(oracle.mean_squared_error(y, predicted), rel=1e-12)
    logs = np.log1p(y) - np.log1p(predicted)
    assert got["mean_squared_log_error"] == pytest.approx(float(np.mean(logs * logs)), rel=1e-12)
    assert got["median_absolute_error"] == sorted(np.abs(y - predicted))[(rows - 1) // 2]
    assert got["r2_score"] == pytest.approx(oracle.r2_score(y, predicted), rel=1e-12)
    assert got["explained_variance"] == pytest.approx(oracle.explained_variance_score(y, predicted), rel=1e-12)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
def test_binary_metrics_agree_with_scikit_learn_at_any_threshold(threshold: float) -> None:
    rng = np.random.default_rng(7)
    scores = _probabilities(rng, 2000, 2)
    y = (rng.random(2000) < scores[:, 1]).astype(np.int64)
    called = scores[:, 1] >= threshold
    got = judge(TWO, y, scores, threshold=threshold)
    assert got == pytest.approx(
        {
            "precision": oracle.precision_score(y, called),
            "recall": oracle.recall_score(y, called),
            "accuracy": oracle.accuracy_score(y, called),
            "f1_score": oracle.f1_score(y, called),
            "log_loss": oracle.log_loss(y, scores),
            "roc_auc": oracle.roc_auc_score(y, scores[:, 1]),
        },
        rel=1e-12,
    )


def test_multiclass_metrics_are_macro_averages_except_accuracy() -> None:
    rng = np.random.default_rng(11)
    scores = _probabilities(rng, 900, 3)
    y = np.array([rng.choice(3, p=row) for row in scores])
    y[y == 2] = np.where(rng.random((y == 2).sum()) < 0.9, 1, 2)  # make the last class rare
    called = scores.argmax(axis=1)
    got = judge(THREE, y, scores)
    assert got["precision"] == pytest.approx(oracle.precision_score(y, called, average="macro"))
    assert got["recall"] == pytest.approx(oracle.recall_score(y, called, average="macro"))
    assert got["f1_score"] == pytest.approx(oracle.f1_score(y, called, average="macro"))
    assert got["accuracy"] == pytest.approx(oracle.accuracy_score(y, called))
    by_class = [-np.log(scores[y == k, k]).mean() for k in range(3)]
    assert got["log_loss"] == pytest.approx(np.mean(by_class))
    assert got["log_loss"] != pytest.approx(oracle.log_loss(y, scores), rel=0.01)
    assert got["roc_auc"] == pytest.approx(oracle.roc_auc_score(y, scores, multi_class="ovr", average="macro"))


def test_a_metric_without_a_value_is_left_out() -> None:
    one_class = judge(TWO, np.ones(4, dtype=np.int64), np.array([[0.4, 0.6]] * 4))
    assert "roc_auc" not in one_class
    assert one_class["recall"] == 1.0
    constant = judge(NUMBER, np.full(3, 5.0), np.array([4.0, 5.0, 6.0]))
    assert set(metric_names(NUMBER)) - set(constant) == {"r2_score", "explained_variance"}
    below = judge(NUMBER, np.array([-3.0, 1.0]), np.array([-2.0, 1.0]))
    assert "mean_squared_log_error" not in below
    assert judge(NUMBER, np.empty(0), np.empty(0)) == {}


def test_a_class_that_never_occurs_takes_no_part_in_the_averages() -> None:
    y = np.array([0, 0, 1, 1])
    scores = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]])
    got = judge(THREE, y, scores)
    assert got["recall"] == pytest.approx((1.0 + 0.5) / 2)
    assert got["roc_auc"] == pytest.approx(1.0)


def test_a_probability_of_zero_costs_a_finite_loss() -> None:
    got = judge(TWO, np.array([1, 0]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert 17 < got["log_loss"] < 19


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=2, max_size=60))
def test_the_area_under_the_curve_is_right_with_ties(rows: list[tuple[bool, int]]) -> None:
    y = np.array([int(positive) for positive, _ in rows])
    p = np.array([score / 10 for _, score in rows])
    got = judge(TWO, y, np.column_stack([1 - p, p]))
    if 0 < y.sum() < len(y):
        assert got["roc_auc"] == pytest.approx(oracle.roc_auc_score(y, p), abs=1e-12)
    else:
        assert "roc_auc" not in got
