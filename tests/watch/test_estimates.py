"""Quality before labels come, in the monitor: beside the truth, switched off when that says so, and back again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.watch.world import BEGIN, DAY, Shop

from tidemill.runner.estimate import EstimateRequest
from tidemill.serving.log.tables import PREDICTIONS_TABLE, Taken, write_taken

HOUR = timedelta(hours=1)


def estimates(shop: Shop, day: int, **wanted: Any) -> list[dict[str, Any]]:
    start = (BEGIN + day * DAY).replace(tzinfo=None)
    rows = shop.query("SELECT * FROM tidemill.performance WHERE family = 'estimate'")
    return [row for row in rows if row["window_start"] == start and all(row[k] == v for k, v in wanted.items())]


def answer_and_look(shop: Shop, day: int, visitors: Sequence[dict[str, Any]]) -> list[str]:
    ids = shop.answer(visitors, BEGIN + day * DAY)
    shop.monitor(BEGIN + (day + 1) * DAY + HOUR)
    return ids


def label(shop: Shop, day: int, ids: Sequence[str], *, wrong: int = 0) -> None:
    """Labels of a day, two days later; every so many is the other one."""
    told = {id_: shop.truth[id_] for id_ in ids}
    if wrong:
        other = {"true": "false", "false": "true"}
        told |= {id_: other[told[id_]] for id_ in ids[::wrong]}
    shop.label(told, BEGIN + (day + 1) * DAY + 2 * HOUR)
    shop.monitor(BEGIN + (day + 1) * DAY + 3 * HOUR)


def answer_many(shop: Shop, rows: pa.Table) -> None:
    """Put the answers to some rows into the lake in the first hour, as a collector would."""
    pq.write_table(rows, shop.root / "many.parquet")
    scored = shop.project.sql(
        "SELECT *, list_extract(list_filter(predicted_bought_probs, p -> p.label), 1).prob AS score"
        f" FROM ML.PREDICT(MODEL buyers, (SELECT * FROM '{shop.root / 'many.parquet'}'))"
    ).to_arrow()
    sent = ", ".join(f"'{name}', {name}" for name in rows.column_names)
    sql = f"""
        SELECT 'm' || id AS id, TIMESTAMP '{BEGIN:%Y-%m-%d}' + to_milliseconds(id) AS "at", 'buyers' AS model,
               1::BIGINT AS version, '' AS digest, 'buyers' AS deployment, 'champion' AS route, 0.0::DOUBLE AS share,
               id::VARCHAR AS "key", json_object({sent})::VARCHAR AS inputs,
               (score >= 0.5)::VARCHAR AS prediction, score::DOUBLE AS score,
               json_object('false', 1 - score, 'true', score)::VARCHAR AS probabilities, 1.0::DOUBLE AS latency_ms,
               '' AS trace, '' AS principal, 1::BIGINT AS batch
        FROM tm_scored"""
    warehouse = shop.project.warehouse
    with warehouse.session() as session:
        staged = warehouse.stage(
            session, sql, {"tm_scored": scored}, table=PREDICTIONS_TABLE, attempt="many", system=True
        )
    message = write_taken(Taken(predictions={}, labels={}, batch=1))
    warehouse.append(staged, run_id="many", step="collect", guard=lambda: None, message=message)


def test_quality_is_estimated_before_a_label_is_there_and_is_what_labels_then_show(shop: Shop) -> None:
    many_pages = shop.visitors(800, pages=lambda values: [one + place % 2 for place, one in values])
    ids = answer_and_look(shop, 0, many_pages)
    before = {row["metric"]: row for row in estimates(shop, 0, test="value")}
    label(shop, 0, ids)

    shown = shop.query("SELECT * FROM tidemill.performance WHERE family = 'quality' AND test = 'value'")
    truth = {row["metric"]: row["value"] for row in shown}
    assert set(before) == {*truth, "brier_score"}
    for metric in ("accuracy", "roc_auc", "log_loss", "recall"):
        assert before[metric]["low"] < truth[metric] < before[metric]["high"], metric
        assert before[metric]["note"] == "not checked: no window before has enough labels"
    (loss,) = estimates(shop, 0, test="loss")
    assert (loss["metric"], loss["rows"], loss["limit"]) == ("roc_auc", 800, 0.03)
    assert 0 < loss["p_value"] < 1


def test_an_estimate_goes_off_as_soon_as_labels_contradict_it_and_comes_back_when_they_agree(shop: Shop) -> None:
    first = answer_and_look(shop, 0, shop.visitors(600))
    label(shop, 0, first, wrong=4)
    second = answer_and_look(shop, 1, shop.visitors(600))
    label(shop, 1, second)
    answer_and_look(shop, 2, shop.visitors(600))

    (check,) = estimates(shop, 0, test="check")
    assert check["p_value"] < 1e-4
    assert check["value"] == pytest.approx(-0.2, abs=0.1)
    (off,) = estimates(shop, 1, test="loss")
    assert off["value"] is None
    assert off["note"].startswith("off: window of 2026-03-02 00:00: roc_auc estimated 0.")
    assert off["note"].endswith("labels do not follow the scores as they did")
    (back,) = estimates(shop, 2, test="loss")
    assert back["value"] is not None
    assert back["note"].endswith("they agree")


def test_a_window_without_enough_answers_says_so(shop: Shop) -> None:
    answer_and_look(shop, 0, shop.visitors(20))

    (few,) = estimates(shop, 0)
    assert (few["value"], few["note"]) == (None, "not enough data: fewer than 100 answers")


def test_columns_that_the_log_does_not_show_leave_the_scores_alone_and_that_is_said(shop: Shop) -> None:
    settings = shop.root / "tidemill.toml"
    hidden = 'omit_columns = ["pages", "seconds"]\nhash_columns = ["country", "device", "id"]\n'
    settings.write_text(settings.read_text().replace('key = "id"\n', f'key = "id"\n{hidden}'))
    shop.reopen()

    answer_and_look(shop, 0, shop.visitors(400))

    (loss,) = estimates(shop, 0, test="loss")
    assert loss["value"] is not None
    assert loss["note"].endswith("; from scores alone: no column is read beside them")


def test_a_window_of_many_answers_is_estimated_from_a_sample_of_them(shop: Shop) -> None:
    many = shop.project.sql(
        "SELECT i AS id, hash(i) % 8 AS pages, CASE WHEN i % 9 > 0 THEN 90 + hash(i + 1) % 20 END AS seconds,"
        " 'NL' AS country, 'desk' AS device FROM range(50000) t(i)"
    ).to_arrow()
    answer_many(shop, many)
    shop.monitor(BEGIN + DAY + HOUR)

    (loss,) = estimates(shop, 0, test="loss")
    (accuracy,) = estimates(shop, 0, test="value", metric="accuracy")
    report = shop.project.estimate(EstimateRequest(model="buyers", on=str(shop.root / "many.parquet")))
    whole = report.metrics["accuracy"]
    assert (loss["rows"], accuracy["rows"], report.rows) == (50_000, 50_000, 50_000)
    assert accuracy["value"] != whole["value"]
    assert accuracy["value"] == pytest.approx(whole["value"], abs=0.01)


def test_probabilities_are_held_against_what_came_true(shop: Shop) -> None:
    label(shop, 0, answer_and_look(shop, 0, shop.visitors(600)))
    label(shop, 1, answer_and_look(shop, 1, shop.visitors(600)), wrong=4)

    rows = shop.query("SELECT * FROM tidemill.performance WHERE family = 'calibration' ORDER BY window_start")
    found = {name: [row for row in rows if row["metric"] == name] for name in {row["metric"] for row in rows}}
    assert [one["value"] < 0.06 for one in found["expected_calibration_error"]] == [True, False]
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
    same, moved = found["probability"]
    assert same["p_value"] > 0.001
    assert moved["p_value"] < 1e-6
    assert moved["low"] > moved["limit"]
    answers = shop.query('SELECT score, label FROM tidemill.outcomes ORDER BY "at" LIMIT 600')
    square = [(row["score"] - (row["label"] == "true")) ** 2 for row in answers]
    assert found["brier_score"][0]["value"] == pytest.approx(np.mean(square))
