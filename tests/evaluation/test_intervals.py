"""Intervals of metrics: values are those of `judge`, variances those of independent methods, coverage as promised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize

from tidemill.core.chance import wilson
from tidemill.evaluation.influence import influence
from tidemill.evaluation.intervals import metric_intervals
from tidemill.evaluation.judge import judge, metric_names
from tidemill.evaluation.paired import paired_difference, score_interval
from tidemill.model_types.base import Labels

Rows = tuple[Labels, np.ndarray, np.ndarray]


def binary(rng: np.random.Generator, n: int, skill: float = 1.0) -> Rows:
    y = rng.integers(0, 2, n)
    p = 1 / (1 + np.exp(-(skill * (2 * y - 1) + rng.normal(0, 1.5, n))))
    return Labels(column="label", classes=("no", "yes")), y, np.column_stack([1 - p, p])


def several(rng: np.random.Generator, n: int, skill: float = 1.0) -> Rows:
    y = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    logits = rng.normal(0, 1, (n, 3)) + skill * np.eye(3)[y]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Labels(column="label", classes=("a", "b", "c")), y, scores


def numbers(rng: np.random.Generator, n: int, skill: float = 1.0) -> Rows:
    y = rng.gamma(2.0, 2.0, n)
    return Labels(column="label", classes=()), y, y + rng.normal(0, 1 / skill, n).clip(-1, None)


TASKS: dict[str, Callable[..., Rows]] = {"binary": binary, "several": several, "numbers": numbers}
CASES = [
    (task, metric) for task, make in TASKS.items() for metric in metric_names(make(np.random.default_rng(0), 9)[0])
]


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_the_value_is_the_one_that_judge_gives(task: str, metric: str) -> None:
    labels, y, scores = TASKS[task](np.random.default_rng(1), 500)

    assert influence(metric, labels, y, scores).value == pytest.approx(judge(labels, y, scores)[metric], rel=1e-12)


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_the_variance_is_the_one_of_metrics_over_many_samples(task: str, metric: str) -> None:
    rng = np.random.default_rng(2)
    values, variances = [], []
    for _ in range(300):
        found = influence(metric, *TASKS[task](rng, 400))
        values.append(found.value)
        variances.append(found.variance)

    # 300 samples know a standard deviation to about 4 %; the median's density estimate is the roughest.
    assert np.sqrt(np.mean(variances)) == pytest.approx(np.std(values), rel=0.2)


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_a_95_percent_interval_holds_the_truth_about_that_often(task: str, metric: str) -> None:
    truth = influence(metric, *TASKS[task](np.random.default_rng(3), 400_000)).value
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(200):
        (found,) = [one for one in metric_intervals(*TASKS[task](rng, 400), confidence=0.95) if one.metric == metric]
        held += found.low <= truth <= found.high

    # At a coverage of 0.95, 200 intervals hold it at least 179 times with a chance of 0.999.
    assert held >= 179


def test_the_area_has_delongs_variance_as_worked_out_pair_by_pair() -> None:
    _, y, scores = binary(np.random.default_rng(5), 120)
    x, z = scores[y == 1, 1], scores[y == 0, 1]
    psi = (x[:, None] > z[None, :]) + 0.5 * (x[:, None] == z[None, :])
    by_hand = psi.mean(axis=1).var(ddof=1) / len(x) + psi.mean(axis=0).var(ddof=1) / len(z)

    found = influence("roc_auc", *binary(np.random.default_rng(5), 120))

    assert found.value == pytest.approx(psi.mean())
    # DeLong divides by m - 1 and n - 1 apart, the influence by n - 1 of all rows: they meet in large samples.
    assert found.variance == pytest.approx(by_hand, rel=0.03)


def test_wilsons_interval_is_the_published_one() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20.
    assert wilson(81 / 263, 263, confidence=0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148, confidence=0.95) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0.0, 20, confidence=0.95) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_a_perfect_score_on_few_rows_still_has_an_interval() -> None:
    labels = Labels(column="label", classes=("no", "yes"))
    y = np.array([0, 1] * 5)
    found = {one.metric: one for one in metric_intervals(labels, y, np.eye(2)[y], confidence=0.95)}

    assert found["accuracy"].value == 1.0
    assert 0.6 < found["accuracy"].low < 0.8
    assert found["roc_auc"].low < 0.8


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_a_paired_difference_is_narrower_than_the_two_intervals(task: str, metric: str) -> None:
    rng = np.random.default_rng(6)
    labels, y, old = TASKS[task](rng, 2_000)
    new = old.copy()
    moved = rng.random(len(y)) < 0.1
    new[moved] = TASKS[task](rng, 2_000)[2][moved]

    found = paired_difference(metric, labels, y, new, old, confidence=0.95)

    assert found.low <= found.difference <= found.high
    apart = influence(metric, labels, y, new).variance + influence(metric, labels, y, old).variance
    assert (found.high - found.low) / 2 < 1.96 * np.sqrt(apart)


def test_a_paired_interval_holds_no_difference_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(300):
        labels, y, scores = binary(rng, 300)
        one, other = (1 / (1 + np.exp(-(np.log(scores[:, 1] / scores[:, 0]) + rng.normal(0, 1, 300)))) for _ in "ab")
        found = paired_difference(
            "roc_auc", labels, y, np.column_stack([1 - one, one]), np.column_stack([1 - other, other]), confidence=0.9
        )
        held += found.low <= 0 <= found.high

    assert 0.84 < held / 300 < 0.96


def test_the_same_scores_differ_by_nothing_and_flip_nothing() -> None:
    labels, y, scores = binary(np.random.default_rng(8), 50)

    found = paired_difference("roc_auc", labels, y, scores, scores, confidence=0.95)

    assert (found.difference, found.low, found.high, found.flips) == (0.0, 0.0, 0.0, 0.0)


def test_flips_are_the_share_of_decisions_that_differ() -> None:
    labels, y, scores = binary(np.random.default_rng(9), 50)

    assert paired_difference("accuracy", labels, y, scores[:, ::-1], scores, confidence=0.95).flips == 1.0


def test_rows_of_one_class_have_no_area_and_no_interval_of_it() -> None:
    labels, _, scores = binary(np.random.default_rng(10), 50)
    y = np.ones(50, dtype=np.int64)

    assert "roc_auc" not in {one.metric for one in metric_intervals(labels, y, scores, confidence=0.95)}
    assert not np.isfinite(paired_difference("roc_auc", labels, y, scores, scores, confidence=0.95).low)


@pytest.mark.parametrize(("gained", "lost", "n"), [(12, 2, 50), (0, 0, 50), (3, 0, 100), (0, 1, 200), (7, 9, 40)])
def test_the_ends_of_a_paired_interval_of_accuracy_are_where_the_score_test_rejects(
    gained: int, lost: int, n: int
) -> None:
    for gap, z in zip(score_interval(gained, lost, n, confidence=0.95), (1.959964, -1.959964), strict=True):

        def unlikely(q: float, gap: float = gap) -> float:
            parts = ((gained, q + gap), (lost, q), (n - gained - lost, 1 - 2 * q - gap))
            return float(-sum(count * np.log(max(p, 1e-300)) for count, p in parts if count))

        bounds = (max(0.0, -gap), (1 - gap) / 2)
        q = optimize.minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        assert (gained - lost - n * gap) / np.sqrt(n * (2 * q + gap * (1 - gap))) == pytest.approx(z, abs=1e-4)


def test_a_paired_interval_of_accuracy_has_ends_where_all_rows_agree_and_where_none_do() -> None:
    assert score_interval(0, 0, 200, confidence=0.95) == pytest.approx((-0.01885, 0.01885), abs=1e-5)
    low, high = score_interval(0, 5, 5, confidence=0.95)
    assert (low, high) == pytest.approx((-1.0, -0.13104), abs=1e-5)


@pytest.mark.parametrize(
    ("n", "gained", "lost"), [(50, 0.0, 0.01), (50, 0.01, 0.03), (200, 0.0, 0.01), (200, 0.1, 0.12)]
)
def test_a_version_worse_by_the_margin_seldom_seems_better_on_few_rows(n: int, gained: float, lost: float) -> None:
    rng = np.random.default_rng(11)
    labels, y = Labels(column="label", classes=("no", "yes")), np.ones(n, dtype=np.int64)
    passed = 0
    for _ in range(400):
        u = rng.random(n)
        new = np.where(u < lost, 0.3, 0.7 + 0.01 * u)
        old = np.where((u >= lost) & (u < lost + gained), 0.3, 0.7)
        found = paired_difference(
            "accuracy", labels, y, np.column_stack([1 - new, new]), np.column_stack([1 - old, old]), confidence=0.95
        )
        passed += found.low > gained - lost + 1e-12

    # At a chance of 0.025, more than 20 of 400 have one of 0.002.
    assert passed <= 20


def test_three_right_calls_of_three_are_few_among_however_many_rows() -> None:
    labels, y = Labels(column="label", classes=("no", "yes")), np.repeat([1, 0], [30, 970])
    p = np.where(np.arange(1_000) < 3, 0.9, 0.1)
    found = {one.metric: one for one in metric_intervals(labels, y, np.column_stack([1 - p, p]), confidence=0.95)}

    assert found["precision"].value == 1.0
    assert (found["precision"].low, found["precision"].high) == wilson(1.0, 3, confidence=0.95)


def test_two_rows_found_of_two_say_little_of_recall_and_of_the_area() -> None:
    labels, y = Labels(column="label", classes=("no", "yes")), np.repeat([1, 0], [2, 998])
    found = {one.metric: one for one in metric_intervals(labels, y, np.eye(2)[y], confidence=0.95)}

    for metric in ("precision", "recall", "f1_score", "roc_auc"):
        assert found[metric].low == wilson(1.0, 2, confidence=0.95)[0]
    assert found["accuracy"].low == wilson(1.0, 1_000, confidence=0.95)[0]


def test_a_class_that_is_never_called_leaves_precision_open() -> None:
    labels, y = Labels(column="label", classes=("no", "yes")), np.repeat([1, 0], [30, 970])
    found = {one.metric: one for one in metric_intervals(labels, y, np.eye(2)[0 * y], confidence=0.95)}

    assert (found["precision"].low, found["precision"].high) == (0.0, 1.0)
    assert (found["recall"].low, found["recall"].high) == wilson(0.0, 30, confidence=0.95)


def test_several_classes_all_right_are_known_as_well_as_their_rows_allow() -> None:
    labels, y = Labels(column="label", classes=("a", "b", "c")), np.repeat([0, 1, 2], [900, 90, 10])
    found = {one.metric: one for one in metric_intervals(labels, y, np.eye(3)[y], confidence=0.95)}

    assert found["recall"].low == wilson(1.0, 9 / (1 / 900 + 1 / 90 + 1 / 10), confidence=0.95)[0]
