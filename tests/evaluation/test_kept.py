"""What was learnt, written as arrays and read again: the same estimates to the last digit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tidemill.evaluation.estimate import learn_estimator
from tidemill.evaluation.kept import estimator_from_arrays, estimator_to_arrays, sides_from_arrays, sides_to_arrays
from tidemill.evaluation.sides import learn_sides
from tidemill.model_types._arrays import read_arrays, write_arrays
from tidemill.model_types.base import Labels


def rows(random: np.random.Generator, n: int) -> pa.Table:
    return pa.table(
        {
            "size": random.normal(3, 1, n),
            "few": random.integers(0, 3, n),
            "kind": random.choice(["a", "bé", ""], n),
            "there": random.random(n) < 0.4,
        }
    )


@pytest.mark.parametrize("classes", [(), ("no", "yes"), ("a", "b", "c")])
def test_what_was_learnt_estimates_the_same_after_it_was_kept(classes: tuple[str, ...]) -> None:
    random = np.random.default_rng(len(classes))
    labels, held, new = Labels(column="y", classes=classes), rows(random, 400), rows(random, 150)
    scores, more = random.normal(5, 1, 400), random.normal(5, 1, 150)
    y: np.ndarray = random.normal(5, 1, 400)
    if classes:
        scores, more = (random.dirichlet(np.ones(len(classes)), n) for n in (400, 150))
        y = random.integers(0, len(classes), 400)
    sides = learn_sides(held)
    assert sides is not None
    estimator = learn_estimator(labels, y, scores, sides=sides.columns(held))

    arrays = read_arrays(write_arrays({**estimator_to_arrays(estimator), **sides_to_arrays(sides)}))
    again, read = estimator_from_arrays(arrays), sides_from_arrays(arrays)

    assert read.names == ["size", "few", "kind", "there"]
    assert np.array_equal(read.columns(new), sides.columns(new))
    columns = sides.columns(new)
    assert again.estimate(more, sides=columns) == estimator.estimate(more, sides=columns)
    assert len(again.metrics()) >= 2
