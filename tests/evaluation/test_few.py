"""Few rows of a class: which metrics need them, what is said of it, and that the test of a loss errs as it says."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.evaluation.class_estimate import ClassifierEstimator
from tidemill.evaluation.few import LEAST_OF_CLASS, support_of, too_few
from tidemill.model_types.base import Labels
from tidemill.monitoring.estimate import Believed, learn_expectation, measure_check, measure_estimate
from tidemill.monitoring.measurement import Measurement
from tidemill.monitoring.quality import Scored, held_out, measure_quality

TWO = Labels(column="y", classes=("no", "yes"))
THREE = Labels(column="y", classes=("a", "b", "c"))
BASE = Measurement(family="quality", subject="", test="", value=None)
METRICS = ("precision", "recall", "accuracy", "f1_score", "log_loss", "roc_auc")


def rows(rng: np.random.Generator, yes: int, no: int, *, apart: float = 2.0) -> Scored:
    """Scores of so many labels, nearly separated, by the model that is right about them."""
    y = np.repeat([1, 0], [yes, no])
    line = apart * (rng.normal(0, 1, len(y)) + apart * y) - apart**2 / 2
    p = 1 / (1 + np.exp(-line))
    return Scored(y=y, scores=np.column_stack([1 - p, p]))


def one_wrong(rng: np.random.Generator, yes: int, no: int, *, apart: float = 2.0) -> Scored:
    """The same with one more label "yes", of the row that looks like it least."""
    found = rows(rng, yes, no + 1, apart=apart)
    y = found.y.copy()
    y[np.argmin(found.scores[:, 1])] = 1
    return Scored(y=y, scores=found.scores)


def loss(metric: str, held: Scored, window: Scored) -> Measurement:
    (found,) = [
        one
        for one in measure_quality(TWO, held_out(metric, TWO, held), window, margin=0.03, least=100, base=BASE)
        if one.test == "loss"
    ]
    return found


def breach(one: Measurement) -> bool:
    return one.p_value is not None and one.p_value < 0.05 and one.low is not None and one.low >= 0.03


def test_one_label_of_a_class_is_shown_with_a_wide_interval_and_not_judged() -> None:
    rng = np.random.default_rng(1)
    window = one_wrong(rng, 0, 279)
    held = held_out("roc_auc", TWO, rows(rng, 200, 800))

    figures = list(measure_quality(TWO, held, window, margin=0.03, least=100, base=BASE))

    (shown,) = [one for one in figures if (one.subject, one.test) == ("roc_auc", "value")]
    assert shown.value is not None
    assert shown.value < 0.1
    assert shown.low is not None
    assert shown.high is not None
    assert shown.high - shown.low > 0.5
    (judged,) = [one for one in figures if one.test == "loss"]
    assert (judged.value, judged.p_value) == (None, None)
    assert judged.note == "not enough data: 1 row labelled yes, 10 are needed"


def test_a_loss_says_on_how_many_rows_of_each_class_it_rests() -> None:
    rng = np.random.default_rng(2)
    held, window = rows(rng, 200, 800), rows(rng, 12, 268)

    assert loss("roc_auc", held, window).note == "labelled 12 yes, 268 no"
    assert loss("precision", held, window).note.startswith("called ")


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        ("roc_auc", "2 rows labelled yes"),
        ("recall", "2 rows labelled yes"),
        ("f1_score", "2 rows labelled yes"),
        ("precision", "3 rows called yes"),
        ("accuracy", ""),
        ("log_loss", ""),
    ],
)
def test_each_metric_needs_the_rows_it_rests_on(metric: str, why: str) -> None:
    y = np.repeat([1, 0], [2, 298])
    p = np.where(np.arange(300) < 3, 0.9, 0.1)

    found = too_few(metric, TWO, y, np.column_stack([1 - p, p]))

    assert found == (f"not enough data: {why}, 10 are needed" if why else "")


def test_the_area_needs_rows_of_either_class_and_recall_only_of_the_one_it_finds() -> None:
    y = np.repeat([1, 0], [298, 2])
    scores = np.eye(2)[y]

    assert "2 rows labelled no" in too_few("roc_auc", TWO, y, scores)
    assert too_few("recall", TWO, y, scores) == ""


def test_a_mean_over_classes_needs_rows_of_each_that_there_is() -> None:
    y = np.repeat([0, 1, 2], [200, 90, 4])
    scores = np.eye(3)[y]

    for metric in ("roc_auc", "recall", "f1_score", "log_loss"):
        assert "4 rows labelled c" in too_few(metric, THREE, y, scores)
    assert too_few("accuracy", THREE, y, scores) == ""
    assert too_few("recall", THREE, y[y < 2], scores[y < 2]) == ""


def test_of_many_classes_the_smallest_are_named() -> None:
    labels = Labels(column="y", classes=tuple("abcdef"))
    y = np.repeat(np.arange(6), [60, 50, 40, 30, 20, 11])
    found = support_of("recall", labels, y, np.eye(6)[y])

    assert found is not None
    assert found.told(labels.classes) == "labelled 11 f, 20 e, 30 d and 3 classes more"


def test_numbers_have_no_classes_to_be_few_of() -> None:
    labels = Labels(column="y", classes=())

    assert too_few("mean_absolute_error", labels, np.arange(5.0), np.arange(5.0)) == ""


def test_held_out_rows_with_few_of_a_class_are_no_measure_for_others() -> None:
    rng = np.random.default_rng(3)

    found = loss("roc_auc", rows(rng, 4, 400), rows(rng, 60, 240))

    assert (found.value, found.note) == (None, "not enough data: 4 held-out rows labelled yes, 10 are needed")


@pytest.mark.parametrize("metric", METRICS)
def test_one_wrong_label_among_the_least_rows_of_a_class_is_no_loss(metric: str) -> None:
    rng = np.random.default_rng(4)
    breaches = 0
    for apart in (1.0, 2.0, 3.5):
        held = rows(rng, 10 * LEAST_OF_CLASS, 2_700, apart=apart)
        windows = [one_wrong(rng, LEAST_OF_CLASS - 1, 270, apart=apart) for _ in range(40)]
        breaches += sum(breach(loss(metric, held, window)) for window in windows)

    # At a level of 0.05, more than 14 of 120 come in one of a thousand runs.
    assert breaches <= 14


@pytest.mark.parametrize("apart", [1.0, 1.5, 2.5])
def test_the_area_of_the_least_rows_of_a_class_falls_by_chance_as_seldom_as_its_level_says(apart: float) -> None:
    rng = np.random.default_rng(5)
    held = rows(rng, 400, 3_600, apart=apart)
    found = [loss("roc_auc", held, rows(rng, LEAST_OF_CLASS, 270, apart=apart)) for _ in range(400)]

    # At a level of 0.01, more than 12 of 400 come in one of a thousand runs.
    assert sum(one.p_value is not None and one.p_value < 0.01 for one in found) <= 12
    assert all(one.p_value is not None for one in found)


def test_an_area_that_fell_is_a_loss_on_the_least_rows_too() -> None:
    rng = np.random.default_rng(6)

    assert breach(loss("roc_auc", rows(rng, 400, 3_600, apart=2.5), rows(rng, LEAST_OF_CLASS, 270, apart=0.2)))


def test_one_wrong_label_seldom_makes_a_check_fail_and_one_in_ten_wrong_ones_do() -> None:
    rng = np.random.default_rng(7)
    held = rows(rng, 600, 2_400, apart=1.5)
    estimator = ClassifierEstimator.learn(held.y, held.scores)

    def fails(window: Scored, metric: str) -> bool:
        found = estimator.check(window.y, window.scores, metric=metric)
        assert found is not None
        return found.p_value < 0.01

    by_one, by_many = 0, 0
    for _ in range(40):
        yes = int(rng.binomial(300, 0.2))
        by_one += fails(one_wrong(rng, yes, 300 - yes, apart=1.5), "roc_auc")
        window = rows(rng, yes, 300 - yes, apart=1.5)
        by_many += fails(
            Scored(y=np.where(rng.random(300) < 0.1, 1 - window.y, window.y), scores=window.scores), "accuracy"
        )
    assert by_one <= 6
    assert by_many >= 30


def test_labels_of_a_class_that_nobody_expects_make_a_check_fail_only_once_they_are_some() -> None:
    rng = np.random.default_rng(8)
    held = rows(rng, 600, 2_400)
    estimator = ClassifierEstimator.learn(held.y, held.scores)
    scores = rows(rng, 0, 300).scores
    scores = np.column_stack([1 - scores[:, 1] / 50, scores[:, 1] / 50])

    def chance(wrong: int) -> float:
        return estimator.chance(np.repeat([1, 0], [wrong, 300 - wrong]), scores)

    assert chance(1) == 1.0
    assert chance(LEAST_OF_CLASS) < 1e-6


def test_an_estimate_is_not_judged_where_too_few_rows_of_a_class_are_to_be_expected() -> None:
    rng = np.random.default_rng(9)
    held = rows(rng, 300, 2_700)
    expected = learn_expectation(TWO, held.y, held.scores, metric="roc_auc")
    young = np.column_stack([np.full(280, 0.995), np.full(280, 0.005)]) + rng.uniform(0, 0.004, (280, 1)) * [-1, 1]

    figures = measure_estimate(expected, young, believed=Believed(), margin=0.03, least=100, base=BASE)

    found = {(one.subject, one.test): one for one in figures}
    judged = found["roc_auc", "loss"]
    assert (judged.value, judged.p_value) == (None, None)
    assert judged.note.startswith("not enough data: roc_auc rests on a class with ")
    assert judged.note.endswith(" rows to be expected, 10 are needed")
    assert found["roc_auc", "value"].value is not None


def test_a_check_on_one_label_of_a_class_says_that_there_is_not_enough_data() -> None:
    rng = np.random.default_rng(10)
    held = rows(rng, 300, 2_700)
    expected = learn_expectation(TWO, held.y, held.scores, metric="roc_auc")
    window = one_wrong(rng, 0, 299)

    (check,) = measure_check(expected, window.y, window.scores, least=100, base=BASE)

    assert (check.value, check.p_value) == (None, None)
    assert check.note == "not enough data: 300 labelled answers; roc_auc rests on a class with 1 of them, 10 are needed"
