"""Answers with the labels that came for them, as the rows that train the next version."""

from __future__ import annotations

from tests.watch.world import BEGIN, DAY, Shop

TABLE = """
CREATE TABLE answered AS
SELECT CAST(inputs->>'pages' AS DOUBLE) AS pages, inputs->>'country' AS country, label = 'true' AS bought
FROM tidemill.outcomes WHERE label IS NOT NULL;

CREATE OR REPLACE MODEL again OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought']) AS
SELECT * FROM answered;
"""


def test_new_labels_make_what_is_built_from_them_stale_and_nothing_else_does(shop: Shop) -> None:
    (shop.root / "sql" / "answered.sql").write_text(TABLE)

    def answers(day: int) -> None:
        ids = shop.answer(shop.visitors(60), BEGIN + day * DAY)
        shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + (day + 1) * DAY)
        shop.project.collect()

    answers(0)
    assert shop.project.run().status == "ok"
    assert shop.query("SELECT count(*) AS n FROM answered") == [{"n": 60}]
    assert not shop.project.plan().changed
    answers(1)

    work = {step.asset: step.reason for step in shop.project.plan().work}

    assert work == {"answered": "tidemill.outcomes changed", "again": "answered changed"}
    assert shop.project.run().status == "ok"
    assert shop.query("SELECT count(*) AS n FROM answered") == [{"n": 120}]
    assert not shop.project.plan().changed
