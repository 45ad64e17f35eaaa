"""Answers with the labels that came for them, as the rows that train the next version."""

from __future__ import annotations

from pathlib import Path

from tests.watch.world import BEGIN, DAY, Shop

from tidemill.project import open_project

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


def test_answers_without_labels_leave_what_is_built_from_labelled_ones_as_it_is(shop: Shop) -> None:
    (shop.root / "sql" / "answered.sql").write_text(TABLE)

    def answers(day: int, *, labelled: bool) -> None:
        ids = shop.answer(shop.visitors(60), BEGIN + day * DAY)
        if labelled:
            shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + (day + 1) * DAY)

    def run() -> list[tuple[str, str]]:
        report = shop.project.run()
        assert report.status in ("ok", "nothing")
        return [(step.asset, step.status) for step in report.steps]

    answers(0, labelled=True)
    assert dict(run()) == {"answered": "done", "again": "done"}
    shop.project.collect()  # what was seen in the spool is in the lake now: the same rows
    assert dict(run()) == {"answered": "unchanged", "again": "unchanged"}
    assert not shop.project.plan().changed

    answers(1, labelled=False)
    shop.project.collect()
    assert dict(run()) == {"answered": "unchanged", "again": "unchanged"}
    assert not shop.project.plan().changed
    assert shop.query("SELECT count(*) AS n FROM answered") == [{"n": 60}]

    shop.project.run(full_refresh=True)
    assert not shop.project.plan().changed

    answers(2, labelled=True)
    shop.project.collect()
    assert dict(run()) == {"answered": "done", "again": "done"}
    assert shop.query("SELECT count(*) AS n FROM answered") == [{"n": 120}]
    assert not shop.project.plan().changed


def test_a_second_run_is_idle_where_a_table_reads_a_log_that_nothing_was_written_to(tmp_path: Path) -> None:
    sql = "CREATE TABLE answered AS SELECT id, label FROM tidemill.outcomes;"
    (tmp_path / "sql").mkdir()
    (tmp_path / "tidemill.toml").touch()
    (tmp_path / "sql" / "answered.sql").write_text(sql, encoding="utf-8")
    with open_project(tmp_path) as project:
        assert project.run().status == "ok"
        assert not project.plan().changed
