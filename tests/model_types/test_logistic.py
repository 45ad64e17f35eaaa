"""Logistic regression against scikit-learn and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tidemill.core.errors import UnsupportedError
from tidemill.model_types._logistic import Logistic, LogLoss, SoftmaxLoss, fit_logistic, load_logistic
from tidemill.model_types.base import FitData, FitRequest, Labels
from tidemill.model_types.logistic_reg import LOGISTIC_REG


def request(
    x: np.ndarray, y: np.ndarray, classes: int, *, weight: np.ndarray | None = None, **options: Any
) -> FitRequest:
    values = {option.name.lower(): option.default for option in LOGISTIC_REG.options} | options
    data = FitData(
        x=x,
        y=y,
        x_eval=x[:0],
        y_eval=y[:0],
        labels=Labels(column="y", classes=tuple(range(classes))),
        names=[],
        groups=[],
        weight=weight,
    )
    return FitRequest(data=data, options=values, seed=0, threads=1)


def sample(classes: int, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    x = random.normal(size=(rows, 3))
    margin = x @ random.normal(size=(3, classes)) + random.gumbel(size=(rows, classes))
    return x, margin.argmax(axis=1)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_converged_fit_equals_scikit_learn(classes: int) -> None:
    x, y = sample(classes)
    fitted, _ = fit_logistic(request(x, y, classes, l2_reg=0.01, max_iterations=5000, min_rel_progress=1e-12))
    # Ours is a mean with l2 * w^2, theirs a sum with w^2 / (2 C). Two classes are one margin in both.
    other = LogisticRegression(C=1 / (2 * 0.01 * len(x)), tol=1e-10, max_iter=5000).fit(x, y)
    np.testing.assert_allclose(fitted.scores(x), other.predict_proba(x), atol=1e-4)


def test_class_weights_move_the_fit_as_in_scikit_learn() -> None:
    x, y = sample(2)
    weight = np.where(y == 1, 5.0, 1.0)
    fitted, _ = fit_logistic(request(x, y, 2, weight=weight, max_iterations=5000, min_rel_progress=1e-12))
    other = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(x, y, sample_weight=weight)
    np.testing.assert_allclose(fitted.scores(x), other.predict_proba(x), atol=1e-4)


@pytest.mark.parametrize(("loss", "outputs"), [(LogLoss(), 1), (SoftmaxLoss(), 4)])
def test_slopes_equal_finite_differences(loss: Any, outputs: int) -> None:
    random = np.random.default_rng(2)
    margin = random.normal(size=(5, outputs)) * 3
    y = random.integers(0, max(outputs, 2), size=5)
    slope = loss.slope(margin, y)
    for row in range(5):
        for column in range(outputs):
            step = np.zeros_like(margin)
            step[row, column] = 1e-6
            share = np.eye(5)[row]
            change = (loss.mean(margin + step, y, share) - loss.mean(margin - step, y, share)) / 2e-6
            assert slope[row, column] == pytest.approx(change, abs=1e-7)


def test_extreme_margins_stay_finite() -> None:
    fitted = Logistic(weights=np.array([[1.0]]), intercepts=np.array([0.0]))
    with np.errstate(all="raise", under="ignore"):
        scores = fitted.scores(np.array([[-800.0], [0.0], [800.0]]))
    np.testing.assert_allclose(scores, np.array([[1, 0], [0.5, 0.5], [0, 1]]))


def test_standard_errors_come_from_the_curvature_of_the_likelihood() -> None:
    x, y = sample(2, rows=2000)
    fitted, _ = fit_logistic(request(x, y, 2, calculate_p_values=True, max_iterations=2000, min_rel_progress=1e-12))
    loss = LogLoss()

    def total(at: np.ndarray) -> float:
        return loss.mean((x @ at[:3] + at[3])[:, None], y, None) * len(x)

    at = np.append(fitted.weights[:, 0], fitted.intercepts)
    step = 1e-3 * np.eye(4)
    hessian = np.array(
        [
            [(total(at + a + b) - total(at + a - b) - total(at - a + b) + total(at - a - b)) / 4e-6 for b in step]
            for a in step
        ]
    )
    errors = np.sqrt(np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose(fitted.info()["standard_errors"], errors, rtol=1e-3)


def test_p_values_of_three_classes_are_refused() -> None:
    x, y = sample(3)
    with pytest.raises(UnsupportedError, match="two classes"):
        fit_logistic(request(x, y, 3, calculate_p_values=True))


@pytest.mark.parametrize("classes", [2, 3])
def test_files_read_back_and_contributions_add_up_to_margins(classes: int) -> None:
    x, y = sample(classes)
    fitted, _ = fit_logistic(request(x, y, classes))
    again = load_logistic(fitted.files(), fitted.info())
    assert (again.scores(x) == fitted.scores(x)).all()
    sums = fitted.contributions(x).sum(axis=-1).reshape(len(x), -1)
    np.testing.assert_allclose(sums, fitted.margins(x))
