"""Raw columns beside the score: which are read, how, and that estimates hold for other kinds of rows with them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tidemill.evaluation.class_estimate import realised_metrics
from tidemill.evaluation.estimate import learn_estimator
from tidemill.evaluation.sides import MOST_COLUMNS, learn_sides
from tidemill.model_types.base import Labels

TWO = Labels(column="y", classes=("no", "yes"))


def people(rng: np.random.Generator, n: int, old: float) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """A model that does not know that the old are otherwise: honest on average of both, of neither by itself."""
    is_old = rng.random(n) < old
    line = rng.normal(-0.5, 1.2, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-line - np.where(is_old, 0.8, -0.8)))).astype(np.int64)
    score = 1 / (1 + np.exp(-line))
    age = np.where(is_old, 60.0, 30.0) + rng.normal(0, 4, n)
    rows = pa.table({"age": age, "town": np.where(rng.random(n) < 0.5, "A", "B"), "at": pa.array([0] * n, pa.date32())})
    return rows, y, np.column_stack([1 - score, score])


def test_numbers_and_frequent_texts_are_read_and_missing_ones_are_no_trouble() -> None:
    rows = pa.table(
        {
            "price": pa.array([None, *range(99)], pa.int64()),
            "constant": pa.array([1.5] * 100),
            "kind": pa.array(["a"] * 60 + ["b"] * 38 + [None, "rare"]),
            "unique": pa.array([str(one) for one in range(100)]),
            "day": pa.array([1] * 100, pa.date32()),
        }
    )

    sides = learn_sides(rows)

    assert sides is not None
    assert sides.names == ["price", "kind"]
    found = sides.columns(rows)
    assert found.shape == (100, 4)  # a spline of three knots, and two texts
    assert np.isfinite(found).all()
    assert found.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-9)
    far = sides.columns(pa.table({"price": [10.0**9], "kind": ["new"]}))
    assert np.abs(far).max() <= 5


def test_truth_values_are_read_alike_from_training_and_from_the_log() -> None:
    told = [True] * 60 + [False] * 39 + [None]
    sides = learn_sides(pa.table({"there": told}))
    assert sides is not None

    logged = pa.table({"there": [None if one is None else str(one).lower() for one in told]})

    assert np.array_equal(sides.columns(logged), sides.columns(pa.table({"there": told})))
    assert sides.columns(logged).std() > 0


def test_without_anything_to_read_there_are_no_sides() -> None:
    many = pa.table({f"c{n}": [1.0, 2.0] for n in range(MOST_COLUMNS + 1)})

    assert learn_sides(pa.table({"day": pa.array([1] * 100, pa.date32())})) is None
    assert learn_sides(many) is None


def test_estimates_hold_when_more_of_one_kind_come_only_with_the_columns() -> None:
    rng = np.random.default_rng(31)
    hits = {"with": 0, "without": 0}
    for _ in range(60):
        held, y, scores = people(rng, 3_000, old=0.5)
        sides = learn_sides(held)
        assert sides is not None
        rows, truth, new = people(rng, 800, old=0.9)
        real = realised_metrics(TWO, truth, new)["accuracy"]
        knows = learn_estimator(TWO, y, scores, sides=sides.columns(held))
        estimates = {
            "with": knows.estimate(new, sides=sides.columns(rows)),
            "without": learn_estimator(TWO, y, scores).estimate(new),
        }
        for name, found in estimates.items():
            hits[name] += found["accuracy"].low <= real <= found["accuracy"].high

    assert hits["with"] >= 51  # at 95 %, fewer of 60 come in one of a thousand runs
    assert hits["without"] < 45
