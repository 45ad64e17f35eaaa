"""Which decisions flip between two versions, on hand-made scores."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.model_types.base import Labels
from tidemill.registry.decisions import Flip, compare_decisions

TWO = Labels(column="left", classes=("no", "yes"))
THREE = Labels(column="kind", classes=("a", "b", "c"))
NUMBER = Labels(column="price")


def both(positive: list[float]) -> np.ndarray:
    return np.array([[1 - value, value] for value in positive])


def test_flips_are_counted_by_what_they_were_and_whether_they_are_right_now() -> None:
    y = np.array([1, 0, 1, 0, 1])
    old = both([0.4, 0.6, 0.9, 0.1, 0.7])
    new = both([0.6, 0.4, 0.4, 0.2, 0.71])

    found = compare_decisions(TWO, y, old, new, values=lambda at: {"row": at})

    assert (found.rows, found.flipped, found.share) == (5, 3, 0.6)
    assert (found.became_right, found.became_wrong) == (2, 1)
    assert found.flips == (Flip(old="yes", new="no", rows=2), Flip(old="no", new="yes", rows=1))
    assert found.moved == pytest.approx((0.2 + 0.2 + 0.5 + 0.1 + 0.01) / 5)
    assert [mover.row for mover in found.movers] == [2, 0, 1, 3, 4]
    assert (found.movers[0].label, found.movers[0].old, found.movers[0].new) == ("yes", "yes", "no")
    assert found.movers[0].values == {"row": 2}


def test_equal_scores_flip_and_move_nothing() -> None:
    scores = both([0.2, 0.5, 0.8])

    found = compare_decisions(TWO, np.array([0, 1, 1]), scores, scores)

    assert (found.flipped, found.moved, found.movers, found.flips) == (0, 0.0, (), ())


def test_with_more_classes_the_score_is_the_label_s_own() -> None:
    old = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
    new = np.array([[0.1, 0.8, 0.1], [0.2, 0.6, 0.2]])

    found = compare_decisions(THREE, np.array([0, 1]), old, new)

    assert found.flips == (Flip(old="a", new="b", rows=1),)
    assert [(mover.score_old, mover.score_new) for mover in found.movers] == [(0.6, 0.1), (0.5, 0.6)]
    assert (found.became_right, found.became_wrong) == (0, 1)


def test_a_regression_moves_but_does_not_flip() -> None:
    found = compare_decisions(NUMBER, np.array([1.0, 2.0]), np.array([1.0, 2.0]), np.array([1.5, 2.0]), most=1)

    assert (found.flipped, found.flips, found.became_wrong) == (0, (), 0)
    assert (found.moved, found.most_moved) == (0.25, 0.5)
    assert [(mover.old, mover.new, mover.label) for mover in found.movers] == [(1.0, 1.5, 1.0)]


def test_no_rows_are_no_decisions() -> None:
    found = compare_decisions(TWO, np.empty(0, np.int64), np.empty((0, 2)), np.empty((0, 2)))

    assert (found.rows, found.share, found.moved, found.movers) == (0, 0.0, 0.0, ())
