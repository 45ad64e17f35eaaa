"""How a trial's answers came out: losses by version, by id or by key, held to values computed by hand."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serving.log.conftest import BEGIN, SECOND, collector, label, prediction, write

from tidemill.core.clock import Clock
from tidemill.serving.log.follow import LogPlaces, count_outcomes
from tidemill.serving.log.outcomes import evaluate_outcomes
from tidemill.serving.log.records import LabelRow
from tidemill.serving.log.tables import log_views
from tidemill.warehouse.control.database import open_database, sqlite_url
from tidemill.warehouse.control.outcomes import Outcomes, load_outcomes
from tidemill.warehouse.duckdb.lake import Lake

SINCE = datetime.fromtimestamp(BEGIN // SECOND, tz=UTC)


def outcomes(lake: Lake, spool: Path, **given: Any) -> dict[int, Outcomes]:
    with lake.session(system=log_views(spool)) as session:
        return evaluate_outcomes(session, "churn", **{"since": SINCE} | given)


def test_a_classifier_loses_one_for_each_wrong_class(lake: Lake, spool: Path) -> None:
    write(spool, *(prediction(n, version=3 + n % 2) for n in range(8)))
    collector(lake, spool).collect()
    rows = [LabelRow(id=f"r{n}", label="no" if n in {1, 2, 3} else "yes") for n in range(7)]
    write(spool, label(10, *rows), worker="w1")

    assert outcomes(lake, spool) == {
        3: Outcomes(answers=4, loss_sum=1.0, loss_squares=1.0),
        4: Outcomes(answers=3, loss_sum=2.0, loss_squares=2.0),
    }


def test_the_newest_revision_counts(lake: Lake, spool: Path) -> None:
    write(spool, prediction(1), label(2, LabelRow(id="r1", label="no")), label(3, LabelRow(id="r1", label="yes")))

    assert outcomes(lake, spool)[3].loss_sum == 0


def test_a_regression_loses_its_error_in_units_of_the_scale_and_one_at_most(lake: Lake, spool: Path) -> None:
    values = {"probabilities": None, "classes": ()}
    write(spool, *(prediction(n, predictions=[float(n)], **values) for n in range(4)))
    write(spool, label(9, *(LabelRow(id=f"r{n}", label=n + 0.5 * n * n) for n in range(4))), worker="w1")

    expected = np.minimum(1, np.array([0, 0.5, 2.0, 4.5]) / 4)
    found = outcomes(lake, spool, scale=4.0)[3]

    assert found.answers == 4
    assert found.loss_sum == pytest.approx(expected.sum())
    assert found.loss_squares == pytest.approx((expected**2).sum())


def test_without_a_scale_it_is_twice_the_deviation_of_the_labels(lake: Lake, spool: Path) -> None:
    values = {"probabilities": None, "classes": (), "predictions": [1.0]}
    labels = np.array([1.0, 2.0, 4.0, 9.0])
    write(spool, *(prediction(n, version=3 + n % 2, **values) for n in range(4)))
    write(spool, label(9, *(LabelRow(id=f"r{n}", label=value) for n, value in enumerate(labels.tolist()))), worker="w1")

    losses = np.minimum(1, np.abs(labels - 1) / (2 * labels.std()))
    found = outcomes(lake, spool)

    assert found[3].loss_sum == pytest.approx(losses[[0, 2]].sum())
    assert found[4].loss_sum == pytest.approx(losses[[1, 3]].sum())


def test_an_absurd_label_is_a_loss_of_one_and_one_without_end_is_none(lake: Lake, spool: Path) -> None:
    values = {"probabilities": None, "classes": (), "predictions": [1.0]}
    write(spool, *(prediction(n, **values) for n in range(5)))
    told = [2.0, 3.0, -1.7e308, 1.7e308, "inf"]
    write(spool, label(9, *(LabelRow(id=f"r{n}", label=value) for n, value in enumerate(told))), worker="w1")

    own, given = outcomes(lake, spool)[3], outcomes(lake, spool, scale=4.0)[3]

    assert (own.answers, given.answers) == (4, 4)
    assert own.loss_sum == pytest.approx(0, abs=1e-300)  # beside the deviation of such labels all errors are small
    assert given.loss_sum == pytest.approx(0.25 + 0.5 + 1 + 1)


def test_a_label_by_key_belongs_to_the_newest_answer_before_it(lake: Lake, spool: Path) -> None:
    write(
        spool,
        prediction(1, keys=["k"], predictions=["yes"]),
        prediction(5, keys=["k"], predictions=["no"]),
        prediction(9, keys=["k"], predictions=["yes"]),
        label(20, LabelRow(key="k", time=(SINCE + timedelta(seconds=6)).isoformat(), label="yes")),
    )

    assert outcomes(lake, spool) == {3: Outcomes(answers=1, loss_sum=1.0, loss_squares=1.0)}


def test_a_shadow_answers_the_same_request_and_is_judged_by_the_same_label(lake: Lake, spool: Path) -> None:
    write(
        spool,
        prediction(1, keys=["k"]),
        prediction(1, keys=["k"], version=4, route="shadow", predictions=["no"]),
        prediction(2, keys=["j"]),
        prediction(2, keys=["j"], version=4, route="shadow", predictions=["no"]),
        label(3, LabelRow(id="r1", label="yes"), LabelRow(key="j", label="no")),
    )

    assert outcomes(lake, spool) == {
        3: Outcomes(answers=2, loss_sum=1.0, loss_squares=1.0),
        4: Outcomes(answers=2, loss_sum=1.0, loss_squares=1.0),
    }


def test_only_answers_of_this_trial_count(lake: Lake, spool: Path) -> None:
    write(
        spool,
        prediction(-5),
        prediction(1, deployment="other"),
        prediction(2, route="fallback"),
        prediction(3),
        label(9, *(LabelRow(id=f"r{n}", label="no") for n in (-5, 1, 2, 3)), LabelRow(id="r4", label="no")),
    )

    assert outcomes(lake, spool) == {3: Outcomes(answers=1, loss_sum=1.0, loss_squares=1.0)}


def test_labels_that_are_no_numbers_say_nothing_of_a_regression(lake: Lake, spool: Path) -> None:
    write(
        spool,
        prediction(1, predictions=[1.0], probabilities=None, classes=()),
        prediction(2, predictions=[1.0], probabilities=None, classes=()),
        label(9, LabelRow(id="r1", label="many"), LabelRow(id="r2", label=None)),
    )

    assert outcomes(lake, spool) == {}


def test_the_collector_writes_down_the_outcomes_of_trials(tmp_path: Path, lake: Lake, spool: Path) -> None:
    write(spool, prediction(1, version=4), label(2, LabelRow(id="r1", label="no")))
    with closing(open_database(sqlite_url(tmp_path / "control.sqlite"), clock=Clock())) as db:
        with db.write() as tx:
            tx.execute(
                "INSERT INTO deployments (deployment_key, name, model, champion, challenger, stage, share_number,"
                " share, held, stopped, generation, stage_since, created_at, updated_at) VALUES ('churn', 'churn',"
                " 'churn', 3, 4, 'canary', 0, 0.1, 0, 0, 1, :since, :since, :since)",
                since="2026-09-21T14:13:20.000000Z",
            )
        count_outcomes(LogPlaces(db=db, warehouse=lake, spool=spool, clock=Clock()))

        assert load_outcomes(db, "churn", SINCE) == {4: Outcomes(answers=1, loss_sum=1.0, loss_squares=1.0)}
