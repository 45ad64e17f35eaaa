"""Passes of the monitor on real answers: what is measured, once, late, and again."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.watch.world import BEGIN, DAY, Shop

from tidemill.core.errors import BusyError
from tidemill.monitoring.families import FAMILIES
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import held
from tidemill.warehouse.control.system.watching import DRIFT_FAMILIES, PERFORMANCE_FAMILIES

HOUR = timedelta(hours=1)


def drift(shop: Shop, **wanted: Any) -> list[dict[str, Any]]:
    rows = shop.query("SELECT * FROM tidemill.drift")
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def performance(shop: Shop, **wanted: Any) -> list[dict[str, Any]]:
    rows = shop.query("SELECT * FROM tidemill.performance")
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def test_each_family_of_trouble_is_kept_in_the_table_it_says() -> None:
    assert {one.name for one in FAMILIES if one.table == "drift"} == set(DRIFT_FAMILIES)
    assert {one.name for one in FAMILIES if one.table == "performance"} == set(PERFORMANCE_FAMILIES)


def test_a_window_is_measured_when_it_is_over_and_not_before(shop: Shop) -> None:
    shop.answer(shop.visitors(200), BEGIN)

    (early,) = shop.monitor(BEGIN + 23 * HOUR)
    (waiting,) = shop.monitor(BEGIN + DAY + timedelta(minutes=5))
    (due,) = shop.monitor(BEGIN + DAY + timedelta(minutes=11))
    (again,) = shop.monitor(BEGIN + DAY + timedelta(minutes=12))

    assert [len(one.windows) for one in (early, waiting, due, again)] == [0, 0, 1, 0]
    assert due.rows == 200


def test_windows_of_too_few_answers_are_told_with_what_to_set(shop: Shop) -> None:
    for day in range(4):
        shop.answer(shop.visitors(40), BEGIN + day * DAY)

    (found,) = shop.monitor(BEGIN + 4 * DAY + HOUR)
    status = shop.project.overview()["deployments"]

    assert found.few.startswith("4 of 4 windows of 24 hours had fewer than 100 answers: their columns, predictions")
    assert 'set window = "3 days", or a smaller min_rows, in [deployments.buyers.monitor]' in found.few
    assert found.few in found.as_json()["notes"]
    assert [one["few_answers"] for one in status] == [found.few]


def test_what_is_as_in_training_is_within_its_limits_and_what_moved_is_named(shop: Shop) -> None:
    shop.answer(shop.visitors(600), BEGIN)
    shop.answer(
        shop.visitors(
            600,
            seconds=lambda values: [None if one is None or place % 3 == 0 else one * 100 for place, one in values],
            country=lambda values: ["BE" if place % 10 == 0 else one for place, one in values],
        ),
        BEGIN + DAY,
    )
    shop.monitor(BEGIN + 2 * DAY + HOUR)

    def beyond(day: int) -> set[tuple[str, str]]:
        start = (BEGIN + day * DAY).replace(tzinfo=None)
        judged = [
            row for row in drift(shop, window_start=start) if row["limit"] is not None and row["value"] is not None
        ]
        return {
            (row["family"], row["column"])
            for row in judged
            if abs(row["value"]) > row["limit"] and (row["p_value"] or 0) < 1e-6
        }

    assert beyond(0) == set()
    assert beyond(1) >= {
        ("contract", "seconds"),
        ("missing", "seconds"),
        ("new_category", "country"),
        ("feature", "seconds"),
        ("feature", "country"),
        ("prediction", "score"),
    }
    (new,) = drift(shop, family="new_category", column="country", window_start=(BEGIN + DAY).replace(tzinfo=None))
    assert new["value"] == pytest.approx(0.1, abs=0.001)
    assert new["low"] < 0.1 < new["high"]
    assert new["note"] == "such as 'BE'"


def test_no_figure_tells_a_value_of_personal_data(shop: Shop) -> None:
    settings = (shop.root / "tidemill.toml").read_text()
    hidden = "".join(f"\n[tables.visits.columns.{name}]\npii = 'other'\n" for name in ("country", "seconds"))
    (shop.root / "tidemill.toml").write_text(f"{settings}{hidden}")
    shop.reopen()
    shop.answer(shop.visitors(300, country=lambda column: ["BE" if n % 3 else old for n, old in column]), BEGIN)
    shop.monitor(BEGIN + DAY + HOUR)

    notes = {(row["family"], row["column"]): row["note"] for row in drift(shop) if row["reference"] != "previous"}

    assert notes["new_category", "country"] == ""
    assert notes["contract", "seconds"] == ""
    assert notes["contract", "pages"].startswith("training had ")


def test_features_have_the_weight_the_model_gives_them(shop: Shop) -> None:
    shop.answer(shop.visitors(200), BEGIN)
    shop.monitor(BEGIN + DAY + HOUR)

    weights = {row["column"]: row["importance"] for row in drift(shop, family="missing", reference="training")}

    assert sum(weights.values()) == pytest.approx(1)
    assert weights["pages"] > weights["seconds"] > weights["device"]


def test_the_same_period_before_is_a_reference_too(shop: Shop) -> None:
    for day in (0, 7):
        shop.answer(shop.visitors(300), BEGIN + day * DAY)
    shop.monitor(BEGIN + 8 * DAY + HOUR)

    against = drift(shop, family="feature", column="pages", reference="previous")

    assert {row["window_start"] for row in against} == {(BEGIN + 7 * DAY).replace(tzinfo=None)}
    assert all(row["reference_rows"] == 300 for row in against)
    assert [row["test"] for row in against if row["p_value"] is not None] == ["wasserstein"]


def test_predictions_too_are_held_against_the_same_period_before(shop: Shop) -> None:
    for day in (0, 7):
        shop.answer(shop.visitors(300), BEGIN + day * DAY)
    shop.monitor(BEGIN + 8 * DAY + HOUR)

    rows = drift(shop, family="prediction", reference="previous")
    judged = {(row["column"], row["test"], row["window_start"]) for row in rows if row["p_value"] is not None}

    assert judged == {("score", "wasserstein", (BEGIN + 7 * DAY).replace(tzinfo=None))}


def test_no_answers_at_all_is_a_figure_and_not_health(shop: Shop) -> None:
    shop.answer(shop.visitors(300), BEGIN)
    shop.monitor(BEGIN + 2 * DAY + HOUR)

    silent = performance(shop, family="traffic")[-1]

    assert silent["value"] == 1.0
    assert silent["p_value"] < 1e-9
    assert silent["note"] == "no answers at all"


def test_a_fall_of_traffic_in_the_first_season_is_held_against_the_days_before(shop: Shop) -> None:
    for day, count in enumerate([60, 60, 60, 3]):
        shop.answer(shop.visitors(count), BEGIN + day * DAY)
    shop.monitor(BEGIN + 4 * DAY + HOUR)

    fall, errors = performance(shop, family="traffic")[-1], performance(shop, family="errors")
    assert (fall["value"], fall["limit"], fall["reference"]) == (pytest.approx(0.95), 0.8, "recent")
    assert (fall["rows"], fall["reference_rows"]) == (3, 60)
    assert [one["rows"] for one in errors] == [60, 60, 60, 3]


def test_quality_is_that_of_the_labels_that_came_computed_independently(shop: Shop) -> None:
    ids = shop.answer(shop.visitors(500), BEGIN)
    told = {id_: shop.truth[id_] for id_ in ids[:400]}
    shop.label(told, BEGIN + DAY)
    shop.monitor(BEGIN + DAY + HOUR)

    rows = {row["id"]: row for row in shop.query("SELECT id, score, prediction FROM tidemill.predictions")}
    truth = np.array([told[id_] == "true" for id_ in told])
    area = roc_auc_score(truth, [rows[id_]["score"] for id_ in told])
    right = np.mean([rows[id_]["prediction"] == label for id_, label in told.items()])

    (auc,) = performance(shop, family="quality", metric="roc_auc", test="value")
    (accuracy,) = performance(shop, family="quality", metric="accuracy", test="value")
    assert auc["value"] == pytest.approx(area, abs=1e-12)
    assert accuracy["value"] == pytest.approx(right, abs=1e-12)
    assert auc["low"] < area < auc["high"]
    assert auc["rows"] == 400


def test_labels_that_come_late_or_change_are_measured_in_their_own_window_only(shop: Shop) -> None:
    first, second = (shop.answer(shop.visitors(150), BEGIN + day * DAY) for day in (0, 1))
    (unlabelled,) = shop.monitor(BEGIN + 2 * DAY + HOUR)
    shop.label({id_: shop.truth[id_] for id_ in second}, BEGIN + 2 * DAY + 2 * HOUR)
    (labelled,) = shop.monitor(BEGIN + 2 * DAY + 3 * HOUR)
    (quiet,) = shop.monitor(BEGIN + 2 * DAY + 4 * HOUR)
    wrong = {id_: ("false" if shop.truth[id_] == "true" else "true") for id_ in second[:30]}
    before = performance(shop, family="quality", metric="accuracy", test="value")[-1]["value"]
    shop.label(wrong, BEGIN + 2 * DAY + 5 * HOUR)
    (revised,) = shop.monitor(BEGIN + 2 * DAY + 6 * HOUR)
    after = performance(shop, family="quality", metric="accuracy", test="value")[-1]["value"]

    assert (len(unlabelled.windows), unlabelled.labelled) == (2, ())
    assert [window.start for window in labelled.labelled] == [BEGIN + DAY]
    assert quiet.labelled == ()
    assert [window.start for window in revised.labelled] == [BEGIN + DAY]
    assert before != after
    assert first


def test_labels_that_come_before_their_window_is_over_are_measured_with_it(shop: Shop) -> None:
    shop.answer(shop.visitors(120), BEGIN - DAY)
    ids = shop.answer(shop.visitors(120), BEGIN)
    shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + 2 * HOUR)
    shop.monitor(BEGIN + 3 * HOUR)  # the labels are seen now, when their window is not over

    shop.monitor(BEGIN + DAY + HOUR)

    measured = performance(shop, family="quality", metric="accuracy", window_start=BEGIN.replace(tzinfo=None))
    assert {row["rows"] for row in measured} == {120}


def test_slices_have_a_quality_of_their_own(shop: Shop) -> None:
    path = shop.root / "tidemill.toml"
    path.write_text(path.read_text().replace('max_age = ""', 'slices = ["country"]\nslice_min_rows = 50'))
    shop.reopen()
    ids = shop.answer(shop.visitors(400), BEGIN)
    shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + DAY)
    shop.monitor(BEGIN + DAY + HOUR)

    sliced = performance(shop, family="quality", metric="accuracy", test="value")
    expected = shop.query(
        "SELECT inputs->>'country' AS country, avg((prediction = label)::INT) AS share"
        " FROM tidemill.outcomes GROUP BY 1"
    )

    found = {row["slice"]: row["value"] for row in sliced if row["slice"]}
    assert found == {f"country = {row['country']}": pytest.approx(row["share"]) for row in expected}


def test_a_few_answers_are_shown_and_not_judged(shop: Shop) -> None:
    ids = shop.answer(shop.visitors(5), BEGIN)
    shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + DAY)
    shop.monitor(BEGIN + DAY + HOUR)

    (judged,) = performance(shop, family="quality", test="loss")
    assert judged["value"] is None
    assert "fewer than 100" in judged["note"]
    moved = [row for row in drift(shop) if row["family"] != "contract"]
    assert {row["limit"] for row in moved} == {None}
    assert all("fewer than 100" in row["note"] for row in moved)


def test_one_monitor_works_at_a_time(shop: Shop) -> None:
    with held(shop.project.db, "monitor", this_process()), pytest.raises(BusyError, match="monitor"):
        shop.project.monitor()


def test_a_window_that_was_measured_twice_has_its_figures_once(shop: Shop) -> None:
    ids = shop.answer(shop.visitors(150), BEGIN)
    shop.monitor(BEGIN + DAY + HOUR)
    count = len(drift(shop))
    shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + DAY + HOUR)
    shop.monitor(BEGIN + DAY + 2 * HOUR)

    assert len(drift(shop)) == count
    assert len(performance(shop, family="quality", metric="accuracy", test="value")) == 1


def test_trouble_opens_an_alert_in_the_window_it_comes_in_and_good_days_end_it(shop: Shop) -> None:
    hundredfold = {"seconds": lambda values: [None if one is None else one * 100 for _, one in values]}
    happened = []
    for day in range(6):
        shop.answer(shop.visitors(400, **(hundredfold if day == 2 else {})), BEGIN + day * DAY)
        (found,) = shop.monitor(BEGIN + (day + 1) * DAY + HOUR)
        happened.append([(one.happening, one.alert.severity) for one in found.happened])

    assert happened[:2] == [[], []]
    assert ("opened", "page") in happened[2]
    assert happened[3:5] == [[], []]
    assert ("resolved", "page") in happened[5]
    (alert,) = [row for row in shop.query("SELECT * FROM tidemill.alerts") if row["severity"] == "page"]
    assert "seconds" in alert["headline"]


def test_a_monitor_that_comes_late_says_of_each_window_what_it_would_have_said(shop: Shop) -> None:
    for day in range(3):
        shop.answer(shop.visitors(200), BEGIN + day * DAY)
    (found,) = shop.monitor(BEGIN + 3 * DAY + HOUR)

    assert [window.start for window in found.windows] == [BEGIN + day * DAY for day in range(3)]
    assert found.happened == ()


def test_one_label_of_a_class_opens_no_alert_asks_for_no_version_and_leaves_estimates_on(shop: Shop) -> None:
    path = shop.root / "tidemill.toml"
    path.write_text(path.read_text() + '\n[deployments.buyers.retrain]\non = ["quality"]\n')
    shop.reopen()
    for day in range(3):
        ids = shop.answer(shop.visitors(300), BEGIN + day * DAY)
        shop.label({id_: "true" if id_ == ids[7] else "false" for id_ in ids}, BEGIN + (day + 1) * DAY)
        shop.monitor(BEGIN + (day + 1) * DAY + HOUR)

    losses = performance(shop, family="quality", test="loss")
    assert {(row["value"], row["note"]) for row in losses} == {
        (None, "not enough data: 1 row labelled true, 10 are needed")
    }
    assert [row for row in shop.project.alerts() if row.severity == "page"] == []
    assert shop.query("SELECT * FROM tidemill.retrain_requests") == []
    estimated = performance(shop, family="estimate", test="loss")
    assert len(estimated) == 3
    assert all(row["value"] is not None for row in estimated)


def test_quality_that_fell_asks_for_a_new_version(shop: Shop) -> None:
    path = shop.root / "tidemill.toml"
    path.write_text(path.read_text() + '\n[deployments.buyers.retrain]\non = ["quality"]\n')
    shop.reopen()
    for day in range(3):
        ids = shop.answer(shop.visitors(400), BEGIN + day * DAY)
        shop.label({id_: {"true": "false", "false": "true"}[shop.truth[id_]] for id_ in ids}, BEGIN + (day + 1) * DAY)
        shop.monitor(BEGIN + (day + 1) * DAY + HOUR)

    (request,) = shop.query("SELECT * FROM tidemill.retrain_requests")

    asked = json.loads(request["asks"])[0]
    (alert,) = [row for row in shop.project.alerts() if row.cause == "quality"]
    assert (request["status"], asked["cause"], asked["who"]) == ("waiting", "quality", "monitor")
    assert asked["evidence"]["alert"] == str(alert.number)
    (rests_on,) = {one["note"] for one in alert.evidence if one["family"] == "quality"}
    assert re.fullmatch(r"labelled \d+ (true|false), \d+ (true|false)", rests_on)
