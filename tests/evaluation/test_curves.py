"""ROC curves, default thresholds and confusion matrices."""

from __future__ import annotations

import time

import numpy as np
from sklearn import metrics as oracle

from tidemill.evaluation.confusion import called_classes, confusion_matrix
from tidemill.evaluation.curves import default_thresholds, roc_auc, roc_curve


def test_roc_points_agree_with_scikit_learn_at_its_own_thresholds() -> None:
    rng = np.random.default_rng(3)
    y = rng.random(500) < 0.3
    scores = np.round(rng.random(500), 2)
    fpr, tpr, thresholds = oracle.roc_curve(y, scores, drop_intermediate=False)
    got = roc_curve(y, scores, thresholds)
    np.testing.assert_allclose(got.recall, tpr)
    np.testing.assert_allclose(got.false_positive_rate, fpr)


def test_counts_at_each_threshold_sum_to_the_rows() -> None:
    got = roc_curve(np.array([True, False, True, False]), np.array([0.9, 0.5, 0.4, 0.1]), np.array([0.5, 0.0, 1.0]))
    assert got.true_positives.tolist() == [1, 2, 0]
    assert got.false_positives.tolist() == [1, 2, 0]
    assert got.true_negatives.tolist() == [1, 0, 2]
    assert got.false_negatives.tolist() == [1, 0, 2]


def test_rates_without_a_class_are_not_numbers() -> None:
    got = roc_curve(np.array([False, False]), np.array([0.2, 0.4]), np.array([0.3]))
    assert np.isnan(got.recall).all()
    assert got.false_positive_rate.tolist() == [0.5]


def test_default_thresholds_are_scores_that_occur_in_ascending_order() -> None:
    scores = np.random.default_rng(5).random(1000)
    got = default_thresholds(scores)
    assert len(got) == 101
    assert set(got) <= set(scores)
    assert (np.diff(got) > 0).all()
    assert (got[0], got[-1]) == (scores.min(), scores.max())
    assert default_thresholds(np.array([0.5, 0.5])).tolist() == [0.5]
    assert len(default_thresholds(np.empty(0))) == 0


def test_a_confusion_matrix_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(9)
    expected, called = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    np.testing.assert_array_equal(
        confusion_matrix(expected, called, 5)[:4, :4], oracle.confusion_matrix(expected, called)
    )


def test_a_score_at_the_threshold_calls_the_positive_class() -> None:
    scores = np.array([[0.5, 0.5], [0.51, 0.49], [0.2, 0.8]])
    assert called_classes(scores).tolist() == [1, 0, 1]
    assert called_classes(scores, 0.8).tolist() == [0, 0, 1]


def test_the_area_over_a_million_rows_is_quick() -> None:
    rng = np.random.default_rng(1)
    y, scores = rng.random(1_000_000) < 0.2, rng.random(1_000_000)
    start = time.perf_counter()
    roc_auc(y, scores)
    assert time.perf_counter() - start < 1.5  # about 0.1 s alone; the machine may be shared
