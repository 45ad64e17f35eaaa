"""Estimates of a model of the census beside the labels of people it never saw: other people, and changed labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tidemill.evaluation.class_estimate import realised_metrics
from tidemill.evaluation.estimate import learn_estimator
from tidemill.evaluation.estimated import Estimator
from tidemill.project import open_project
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.judging import judged_table

Census = tuple[Estimator, ModelFacts, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def census(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Census:
    folder = tmp_path_factory.mktemp("census")
    (folder / "tidemill.toml").write_text("")
    with open_project(folder) as project:
        project.sql(f"CREATE TABLE seen AS SELECT * FROM '{shared_data}/adult/adult_train.csv'")
        project.sql(f"CREATE TABLE unseen AS SELECT * FROM '{shared_data}/adult/adult_test.csv'")
        project.sql(
            "CREATE MODEL m OPTIONS (model_type = 'BOOSTED_TREE_CLASSIFIER', input_label_cols = ['income']) AS"
            " SELECT * FROM seen"
        )
        table = project.sql("SELECT * FROM unseen").to_arrow()
        model = project.stations.load_model("m")
        facts = ModelFacts(model)
        y, scores = judged_table(project.stations, model, table)
        return learn_estimator(facts.labels, *facts.evaluation()), facts, y, scores, table.column("age").to_numpy()


def test_other_people_come_and_estimates_hold(census: Census) -> None:
    estimator, facts, y, scores, age = census
    rng = np.random.default_rng(1)
    far = (age - age.mean()) / age.std()
    hits: dict[str, int] = {"roc_auc": 0, "accuracy": 0}
    off = 0
    for tilt in (-1.5, 0.0, 1.0):
        weights = np.exp(tilt * far)
        for _ in range(30):
            places = rng.choice(len(y), 1_000, replace=False, p=weights / weights.sum())
            truth = realised_metrics(facts.labels, y[places], scores[places])
            found = estimator.estimate(scores[places])
            for metric in hits:
                hits[metric] += found[metric].low <= truth[metric] <= found[metric].high
            check = estimator.check(y[places], scores[places], metric="roc_auc")
            assert check is not None
            off += check.p_value < 0.01

    # If 90 % of windows were within, fewer than 72 of 90 would be in one of a thousand runs.
    assert min(hits.values()) >= 72, hits
    assert off <= 9, off  # and if a check failed by chance in 3 of 100, more than 9 would


def test_labels_change_and_the_first_window_that_shows_it_turns_estimates_off(census: Census) -> None:
    estimator, _, y, scores, _ = census
    rng = np.random.default_rng(2)
    off = 0
    for _ in range(30):
        places = rng.choice(len(y), 1_000, replace=False)
        changed = np.where(rng.random(1_000) < 0.1, 1 - y[places], y[places])
        check = estimator.check(changed, scores[places], metric="roc_auc")
        assert check is not None
        off += check.p_value < 0.01

    assert off >= 28
