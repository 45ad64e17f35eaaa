"""Attributions per feature."""

from __future__ import annotations

import numpy as np

from tidemill.evaluation.attributions import by_feature, strongest


def test_columns_of_one_feature_add_up_and_the_baseline_stands_apart() -> None:
    contributions = np.array([[1.0, 2.0, 3.0, 10.0], [-1.0, 0.5, 0.5, 10.0]])
    values, baseline = by_feature(contributions, [0, 1, 1], 2)
    assert values.tolist() == [[[1.0, 5.0]], [[-1.0, 1.0]]]
    assert baseline.tolist() == [[10.0], [10.0]]


def test_each_class_has_its_own_attributions() -> None:
    contributions = np.random.default_rng(0).normal(size=(5, 3, 7))
    values, baseline = by_feature(contributions, [0, 0, 1, 2, 2, 2], 3)
    assert values.shape == (5, 3, 3)
    np.testing.assert_allclose(values.sum(axis=2) + baseline, contributions.sum(axis=2))


def test_the_strongest_features_come_first_and_ties_keep_their_order() -> None:
    got = strongest(np.array([[1.0, -3.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]]), 3)
    assert got.tolist() == [[1, 3, 0], [0, 1, 2]]
