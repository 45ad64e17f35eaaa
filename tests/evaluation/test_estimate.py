"""Quality without labels: beside labels drawn many times, beside refits, and where it must not be believed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_score,
    recall_score,
    roc_auc_score,
)

from tidemill.evaluation.class_estimate import ClassifierEstimator, realised_metrics
from tidemill.evaluation.estimate import learn_estimator
from tidemill.evaluation.expected import Rows, expected_metric
from tidemill.evaluation.smooth import learn_size
from tidemill.model_types.base import Labels

TWO = Labels(column="y", classes=("no", "yes"))
THREE = Labels(column="y", classes=("a", "b", "c"))
NUMBER = Labels(column="y", classes=())


def drawn(rng: np.random.Generator, n: int, *, sharper: float = 1.5, centre: float = -0.8) -> tuple[np.ndarray, ...]:
    """Scores that are too sure of themselves, and labels of the true chances."""
    line = rng.normal(centre, 1.2, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-line))).astype(np.int64)
    score = 1 / (1 + np.exp(-sharper * line))
    return y, np.column_stack([1 - score, score])


def by_sklearn(y: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    called = (scores[:, 1] >= 0.5).astype(int)
    return {
        "precision": precision_score(y, called),
        "recall": recall_score(y, called),
        "accuracy": accuracy_score(y, called),
        "f1_score": f1_score(y, called),
        "log_loss": log_loss(y, scores),
        "roc_auc": roc_auc_score(y, scores[:, 1]),
        "brier_score": brier_score_loss(y, scores[:, 1]),
    }


def spread(rows: Rows, metric: str) -> float:
    influence = expected_metric(metric, rows).influence
    middle = (rows.probabilities * influence).sum(axis=1)
    variance = (rows.probabilities * np.square(influence)).sum(axis=1) - np.square(middle)
    return float(np.sqrt(variance.sum()) / rows.count)


def test_expected_metrics_are_those_of_labels_drawn_many_times() -> None:
    rng = np.random.default_rng(3)
    _, scores = drawn(rng, 400)
    chances = np.column_stack([1 - scores[:, 1] ** 1.3, scores[:, 1] ** 1.3])
    rows = Rows(probabilities=chances, scores=scores, weights=np.ones(400))

    labels = [(rng.random(400) < chances[:, 1]).astype(np.int64) for _ in range(1_500)]
    found = [realised_metrics(TWO, y, scores) for y in labels]

    assert found[0] == pytest.approx(by_sklearn(labels[0], scores))
    for metric in found[0]:
        seen = np.array([one[metric] for one in found])
        deviation = seen.std()
        # The mean of 1,500 draws is known to 3 in a hundred deviations; terms of order 1/n come on top.
        assert expected_metric(metric, rows).value == pytest.approx(seen.mean(), abs=0.15 * deviation), metric
        assert spread(rows, metric) == pytest.approx(deviation, rel=0.12), metric


def test_expected_metrics_of_three_classes_are_those_of_labels_drawn_many_times() -> None:
    rng = np.random.default_rng(4)
    scores = rng.dirichlet([1, 1, 2], 600)
    chances = 0.8 * scores + 0.2 / 3
    rows = Rows(probabilities=chances, scores=scores, weights=np.ones(600))
    cumulated = chances.cumsum(axis=1)

    found = [
        realised_metrics(THREE, (rng.random((600, 1)) > cumulated[:, :2]).sum(axis=1), scores) for _ in range(1_500)
    ]

    assert len(found[0]) == 7
    for metric in found[0]:
        seen = np.array([one[metric] for one in found])
        assert expected_metric(metric, rows).value == pytest.approx(seen.mean(), abs=0.15 * seen.std()), metric
        assert spread(rows, metric) == pytest.approx(seen.std(), rel=0.12), metric


def test_the_variance_of_accuracy_is_that_of_the_poisson_binomial_distribution() -> None:
    chance = np.array([0.9, 0.6, 0.2, 0.45, 0.99])
    probabilities = np.column_stack([1 - chance, chance])
    rows = Rows(probabilities=probabilities, scores=probabilities, weights=np.ones(5))

    assert expected_metric("accuracy", rows).value == pytest.approx((0.9 + 0.6 + 0.8 + 0.55 + 0.99) / 5)
    assert spread(rows, "accuracy") ** 2 == pytest.approx((0.09 + 0.24 + 0.16 + 0.2475 + 0.0099) / 25)


def test_rows_that_were_counted_by_score_give_what_the_rows_give() -> None:
    rng = np.random.default_rng(5)
    estimator = learn_estimator(TWO, *drawn(rng, 2_000))
    scores = np.round(drawn(rng, 900)[1], 2)
    kinds, counts = np.unique(scores, axis=0, return_counts=True)

    one_by_one, counted = estimator.estimate(scores), estimator.estimate(kinds, weights=counts)

    for metric, one in one_by_one.items():
        # A row is not paired with itself; of rows that were counted together that is known only on average.
        assert counted[metric].value == pytest.approx(one.value, abs=2e-3 if metric == "roc_auc" else 1e-9)
        assert counted[metric].error == pytest.approx(one.error, rel=1e-2)


@pytest.mark.parametrize("held", [250, 4_000])
def test_what_labels_show_is_within_the_interval_as_often_as_is_said(held: int) -> None:
    rng = np.random.default_rng(held)
    hits: dict[str, list[bool]] = {}
    for _ in range(200):
        estimator = learn_estimator(TWO, *drawn(rng, held))
        y, scores = drawn(rng, 600, centre=0.3)  # other scores than held out, the same labels given a score
        truth = realised_metrics(TWO, y, scores)
        for metric, one in estimator.estimate(scores).items():
            hits.setdefault(metric, []).append(one.low <= truth[metric] <= one.high)

    assert len(hits) == 7
    for metric, found in hits.items():
        # Of 200 windows at 95 %, fewer than 181 come in one of a thousand runs.
        assert sum(found) >= 181, (metric, sum(found))


def test_a_sample_of_a_window_has_its_own_chance_in_the_interval() -> None:
    rng = np.random.default_rng(21)
    hits: dict[str, list[bool]] = {}
    for _ in range(150):
        estimator = learn_estimator(TWO, *drawn(rng, 6_000))
        y, scores = drawn(rng, 10_000, centre=0.3)
        truth = realised_metrics(TWO, y, scores)
        for metric, one in estimator.estimate(scores[:400], total=10_000).items():
            hits.setdefault(metric, []).append(one.low <= truth[metric] <= one.high)
    whole, sampled = (estimator.estimate(scores, total=total)["accuracy"] for total in (10_000, 1_000_000))

    for metric, found in hits.items():
        # Of 150 windows at 95 %, fewer than 134 come in one of a thousand runs.
        assert sum(found) >= 134, (metric, sum(found))
    assert whole == estimator.estimate(scores)["accuracy"]
    assert sampled.error < whole.error  # nearly all of so many labels' chance is averaged out


def test_three_classes_and_numbers_are_within_their_intervals_too() -> None:
    rng = np.random.default_rng(11)
    hits: dict[str, list[bool]] = {}
    for _ in range(120):
        samples = []
        for n in (800, 500):
            scores = rng.dirichlet([1, 1, 2], n)
            chances = 0.7 * scores + 0.1
            samples.append(((rng.random((n, 1)) > chances.cumsum(axis=1)[:, :2]).sum(axis=1), scores))
        truth = realised_metrics(THREE, *samples[1])
        for metric, one in learn_estimator(THREE, *samples[0]).estimate(samples[1][1]).items():
            hits.setdefault(metric, []).append(one.low <= truth[metric] <= one.high)
        numbers = []
        for n, low in ((800, 1.0), (500, 3.0)):
            predicted = rng.uniform(low, 6.0, n)
            numbers.append((predicted + rng.normal(0, 0.3 * predicted), predicted))
        losses = learn_estimator(NUMBER, *numbers[0]).estimate(numbers[1][1])
        truth = {
            "mean_absolute_error": mean_absolute_error(*numbers[1]),
            "mean_squared_error": mean_squared_error(*numbers[1]),
        }
        for metric, real in truth.items():
            hits.setdefault(metric, []).append(losses[metric].low <= real <= losses[metric].high)

    assert len(hits) == 9
    for metric, found in hits.items():
        assert sum(found) >= 106, (metric, sum(found))  # at 95 %, fewer come in one of a thousand runs


def test_a_check_fails_as_seldom_as_its_level_says_where_nothing_changed() -> None:
    rng = np.random.default_rng(12)
    found = []
    for _ in range(300):
        estimator = learn_estimator(TWO, *drawn(rng, 500))
        y, scores = drawn(rng, 500, centre=0.2)
        check = estimator.check(y, scores, metric="roc_auc")
        assert check is not None
        found.append(check.p_value < 0.01)

    assert sum(found) <= 10  # at one in a hundred, more come in one of a thousand runs


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy"])
def test_a_check_fails_where_labels_follow_the_scores_otherwise(metric: str) -> None:
    rng = np.random.default_rng(13)
    estimator = learn_estimator(TWO, *drawn(rng, 2_000))
    found = []
    for _ in range(40):
        y, scores = drawn(rng, 1_000)
        flipped = np.where(rng.random(1_000) < 0.1, 1 - y, y)
        check = estimator.check(flipped, scores, metric=metric)
        assert check is not None
        found.append(check.p_value < 0.01)

    assert np.mean(found) >= 0.9


def test_a_check_of_numbers_seldom_fails_where_the_curve_bends_as_its_prior_lets_it() -> None:
    rng = np.random.default_rng(16)

    def some(rows: int) -> tuple[np.ndarray, np.ndarray]:
        predicted = rng.gamma(1.2, 150.0, rows)
        size = 6.0 + 0.2 * predicted + 25.0 * np.sin(predicted / 60.0) ** 2
        return predicted + rng.laplace(0.0, size), predicted

    found: list[bool] = []
    grown: list[bool] = []
    for _ in range(60):
        estimator = learn_estimator(NUMBER, *some(1_500))
        y, scores = some(1_000)
        for truth, said in ((y, found), (scores + 1.3 * (y - scores), grown)):
            check = estimator.check(truth, scores, metric="mean_absolute_error")
            assert check is not None
            said.append(check.p_value < 0.01)

    assert sum(found) <= 4  # at one in a hundred, more come in one of two thousand runs
    assert np.mean(grown) >= 0.9


def test_a_check_of_numbers_fails_where_errors_grew_by_a_third() -> None:
    rng = np.random.default_rng(14)
    predicted = rng.uniform(1, 6, 1_500)
    estimator = learn_estimator(NUMBER, predicted + rng.normal(0, 0.3 * predicted), predicted)

    def chance(grown: float) -> float:
        here = rng.uniform(1, 6, 800)
        check = estimator.check(here + rng.normal(0, grown * 0.3 * here), here, metric="mean_absolute_error")
        assert check is not None
        return check.p_value

    assert sum(chance(1.0) < 0.01 for _ in range(100)) <= 6
    assert all(chance(1.33) < 0.01 for _ in range(20))


def test_calibrated_probabilities_are_close_to_the_true_ones() -> None:
    rng = np.random.default_rng(15)
    estimator = learn_estimator(TWO, *drawn(rng, 20_000))
    assert isinstance(estimator, ClassifierEstimator)
    line = np.linspace(-3, 2, 50)
    score = 1 / (1 + np.exp(-1.5 * line))

    found = estimator.calibrated(np.column_stack([1 - score, score]))[:, 1]

    assert np.abs(found - 1 / (1 + np.exp(-line))).max() < 0.02


@pytest.mark.parametrize("scores", [np.full(300, 0.3), np.repeat([0.0, 1.0], 150), np.repeat([0.2, 0.7], [299, 1])])
def test_scores_of_few_values_do_not_break_it(scores: np.ndarray) -> None:
    rng = np.random.default_rng(16)
    both = np.column_stack([1 - scores, scores])
    y = (rng.random(300) < 0.4).astype(np.int64)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = learn_estimator(TWO, y, both).estimate(both)

    assert all(one.low <= one.value <= one.high for one in found.values())
    assert found["accuracy"].value == pytest.approx(realised_metrics(TWO, y, both)["accuracy"], abs=0.05)


def test_a_few_losses_far_larger_than_the_others_do_not_break_it() -> None:
    random = np.random.default_rng(1)
    scores = random.normal(4_500.0, 700.0, 10_000)
    losses = np.exp(-((scores - 4_500.0) ** 2) / 1e5) * random.lognormal(0.0, 1.0, 10_000)
    losses[np.argmax(scores)] = 2_000.0

    curve = learn_size(scores, losses)

    columns = curve.basis.columns(scores)
    theirs = PoissonRegressor(alpha=0.5 / len(scores), tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    theirs.fit(columns[:, 1:], losses / losses.mean())
    np.testing.assert_allclose(curve.mean(scores, columns), theirs.predict(columns[:, 1:]) * losses.mean(), rtol=1e-5)
