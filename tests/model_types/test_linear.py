"""Linear regression against scikit-learn, numpy and the textbook."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, Ridge

from tidemill.core.errors import DataError, OptionError
from tidemill.model_types._linear import Linear, fit_linear, load_linear
from tidemill.model_types.base import FitData, FitRequest, Labels
from tidemill.model_types.linear_reg import LINEAR_REG


def request(x: np.ndarray, y: np.ndarray, *, weight: np.ndarray | None = None, **options: Any) -> FitRequest:
    values = {option.name.lower(): option.default for option in LINEAR_REG.options} | options
    data = FitData(
        x=x,
        y=y,
        x_eval=x[:0],
        y_eval=y[:0],
        labels=Labels(column="y"),
        names=[f"f{i}" for i in range(x.shape[1])],
        groups=list(range(x.shape[1])),
        weight=weight,
    )
    return FitRequest(data=data, options=values, seed=0, threads=1)


def sample(rows: int = 300, width: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, width))
    return x, x @ random.normal(size=width) + 3.0 + random.normal(size=rows) * 0.1


def test_the_normal_equation_equals_least_squares_of_least_norm() -> None:
    x, y = sample()
    x = np.column_stack([x, x[:, 0] + x[:, 1], np.ones(len(x))])  # collinear, and constant
    fitted, iterations = fit_linear(request(x, y))
    centred = x - x.mean(axis=0)
    expected = np.linalg.lstsq(centred, y - y.mean(), rcond=1e-12)[0]
    np.testing.assert_allclose(fitted.weights, expected, atol=1e-10)
    np.testing.assert_allclose(fitted.intercept, y.mean() - x.mean(axis=0) @ expected, atol=1e-10)
    assert [row.iteration for row in iterations] == [0]
    assert iterations[0].loss == pytest.approx(np.mean((fitted.scores(x) - y) ** 2))


def test_l2_reg_equals_ridge_with_the_penalty_of_all_rows() -> None:
    x, y = sample()
    fitted, _ = fit_linear(request(x, y, l2_reg=0.5))
    ridge = Ridge(alpha=0.5 * len(x)).fit(x, y)
    np.testing.assert_allclose(fitted.weights, ridge.coef_, rtol=1e-9)
    assert fitted.intercept == pytest.approx(ridge.intercept_)


def test_descent_reaches_the_normal_equation_with_and_without_penalty() -> None:
    x, y = sample()
    for penalty in (0.0, 0.3):
        exact, _ = fit_linear(request(x, y, l2_reg=penalty))
        slow, _ = fit_linear(
            request(
                x,
                y,
                l2_reg=penalty,
                optimize_strategy="BATCH_GRADIENT_DESCENT",
                max_iterations=500,
                min_rel_progress=1e-13,
            )
        )
        np.testing.assert_allclose(slow.weights, exact.weights, atol=1e-5)


def test_l1_reg_equals_the_lasso_and_sets_weights_to_zero() -> None:
    x, y = sample(width=6)
    y = x[:, 0] * 2 + 0.01 * x[:, 1]
    fitted, _ = fit_linear(request(x, y, l1_reg=0.4, max_iterations=2000, min_rel_progress=0.0, early_stop=False))
    lasso = Lasso(alpha=0.2, tol=1e-10).fit(x, y)  # scikit-learn halves the squared error
    np.testing.assert_allclose(fitted.weights, lasso.coef_, atol=1e-6)
    assert fitted.strategy == "BATCH_GRADIENT_DESCENT"
    assert (fitted.weights[2:] == 0).all()


def test_row_weights_act_like_repeated_rows() -> None:
    x, y = sample(60)
    times = np.arange(60) % 3 + 1
    repeated, _ = fit_linear(request(np.repeat(x, times, axis=0), np.repeat(y, times)))
    weighted, _ = fit_linear(request(x, y, weight=times.astype(float)))
    np.testing.assert_allclose(weighted.weights, repeated.weights, atol=1e-12)


def test_a_model_without_intercept_goes_through_the_origin() -> None:
    x, y = sample()
    for strategy in ("NORMAL_EQUATION", "BATCH_GRADIENT_DESCENT"):
        fitted, _ = fit_linear(request(x, y, fit_intercept=False, optimize_strategy=strategy))
        assert fitted.scores(np.zeros((1, 4)))[0] == 0.0


def test_few_rows_per_column_choose_gradient_descent() -> None:
    x, y = sample(rows=39, width=4)
    assert fit_linear(request(x, y))[0].strategy == "BATCH_GRADIENT_DESCENT"
    x, y = sample(rows=40, width=4)
    assert fit_linear(request(x, y))[0].strategy == "NORMAL_EQUATION"


def test_the_normal_equation_refuses_more_than_ten_thousand_columns() -> None:
    with pytest.raises(OptionError, match="at most 10,000"):
        fit_linear(request(np.zeros((3, 10_001)), np.arange(3.0), optimize_strategy="NORMAL_EQUATION"))


def test_p_values_equal_the_textbook_formula() -> None:
    from scipy import stats

    x, y = sample(100)
    fitted, _ = fit_linear(request(x, y, calculate_p_values=True))
    for column in range(4):
        # Frisch-Waugh: regress on what the other columns leave.
        others = np.column_stack([np.delete(x, column, axis=1), np.ones(100)])
        left = x[:, column] - others @ np.linalg.lstsq(others, x[:, column])[0]
        rest = y - others @ np.linalg.lstsq(others, y)[0]
        residual = rest - left * fitted.weights[column]
        error = np.sqrt((residual @ residual) / (100 - 5) / (left @ left))
        info = fitted.info()
        assert info["standard_errors"][column] == pytest.approx(error)
        p = 2 * stats.t.sf(abs(fitted.weights[column] / error), 95)
        assert info["p_values"][column] == pytest.approx(p, abs=1e-12)


def test_a_constant_rate_that_is_too_large_says_so() -> None:
    x, y = sample()
    with pytest.raises(DataError, match="learning rate of 1000"):
        fit_linear(
            request(
                x,
                y,
                optimize_strategy="BATCH_GRADIENT_DESCENT",
                learn_rate_strategy="CONSTANT",
                learn_rate=1000.0,
                max_iterations=500,
                early_stop=False,
            )
        )


def test_the_line_search_tries_multiples_of_the_last_best_rate() -> None:
    x, y = sample()
    _, rows = fit_linear(request(x, y, optimize_strategy="BATCH_GRADIENT_DESCENT", early_stop=False))
    rates = [0.1, *(row.learning_rate for row in rows)]
    for before, after in itertools.pairwise(rates):
        assert after is not None
        assert before is not None
        assert min(abs(after / before - multiple) for multiple in (2.0, 1.0, 0.5, 0.25)) < 1e-12
    losses = [row.loss for row in rows]
    assert losses == sorted(losses, reverse=True)  # type: ignore[type-var]


def test_training_stops_after_the_first_iteration_below_the_least_progress() -> None:
    x, y = sample()
    _, rows = fit_linear(
        request(x, y, optimize_strategy="BATCH_GRADIENT_DESCENT", max_iterations=100, min_rel_progress=0.3)
    )
    gains = [(a.loss - b.loss) / a.loss for a, b in itertools.pairwise(rows)]  # type: ignore[operator]
    assert gains[-1] < 0.3
    assert all(gain >= 0.3 for gain in gains[:-1])


def test_files_read_back_as_the_same_model() -> None:
    x, y = sample()
    fitted, _ = fit_linear(request(x, y, calculate_p_values=True))
    again = load_linear(fitted.files(), fitted.info())
    assert (again.scores(x) == fitted.scores(x)).all()
    assert again.files() == fitted.files()


@given(st.integers(1, 6), st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_contributions_add_up_to_the_prediction(width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    fitted = Linear(weights=random.normal(size=width), intercept=1.5, strategy="NORMAL_EQUATION")
    x = random.normal(size=(7, width))
    np.testing.assert_allclose(fitted.contributions(x).sum(axis=1), fitted.scores(x))
