"""The reliability table and the expected calibration error, beside counts by hand and true chances."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.evaluation.calibration import calibration_of


def test_the_error_is_the_mean_distance_in_bins_of_equal_size() -> None:
    scores = np.array([0.1] * 4 + [0.8] * 4)
    y = np.array([0, 0, 0, 1, 1, 1, 0, 0])

    found = calibration_of(y, np.column_stack([1 - scores, scores]), bins=2)

    assert found is not None
    assert found.error == pytest.approx((abs(0.25 - 0.1) * 4 + abs(0.5 - 0.8) * 4) / 8)
    assert [one.rows for one in found.bins] == [4, 4]
    assert [one.said for one in found.bins] == pytest.approx([0.1, 0.8])
    assert [one.came for one in found.bins] == [0.25, 0.5]


def test_of_three_classes_the_called_one_counts() -> None:
    scores = np.array([[0.6, 0.3, 0.1]] * 3 + [[0.1, 0.1, 0.8]] * 5)
    y = np.array([0, 0, 1, 2, 2, 2, 2, 1])

    found = calibration_of(y, scores)

    assert found is not None
    assert found.error == pytest.approx((abs(2 / 3 - 0.6) * 3 + 0.0 * 5) / 8)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_true_error_is_within_the_interval(power: float) -> None:
    rng = np.random.default_rng(21)
    pool = np.linspace(0.001, 0.999, 1_000)
    hits = 0
    for _ in range(100):
        said = rng.choice(pool, 400)
        y = (rng.random(400) < said**power).astype(np.int64)
        found = calibration_of(y, np.column_stack([1 - said, said]))
        assert found is not None
        edges = np.quantile(said, np.arange(1, 10) / 10)
        place = np.searchsorted(edges, said)
        true = sum(abs((said - said**power)[place == bin_].mean()) * (place == bin_).mean() for bin_ in range(10))
        hits += found.low <= true <= found.high

    assert hits >= 95


def test_without_rows_there_is_nothing_to_say() -> None:
    assert calibration_of(np.empty(0, np.int64), np.empty((0, 2))) is None
