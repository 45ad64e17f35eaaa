"""Versions that gave fewer of a window's answers have a quality of their own: shown, kept, and judged by nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.watch.world import BEGIN, DAY, Shop, columns_of, truth_of

from tidemill.cli.main import run_command


@pytest.fixture
def two(shop: Shop) -> Shop:
    """A shop with a second version, which is on trial in tests."""
    columns = columns_of(shop.random, 500)
    with (shop.root / "visits.csv").open("a") as file:
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(columns, values, strict=True))
            told = ["" if value is None else str(value) for value in values]
            file.write(",".join([*told, str(truth_of(row)).lower()]) + "\n")
    assert shop.project.run().status == "ok"
    return shop


def quality(shop: Shop) -> dict[tuple[int, str, str], dict[str, Any]]:
    rows = shop.query("SELECT * FROM tidemill.performance WHERE family = 'quality' AND slice = ''")
    return {(row["version"], row["metric"], row["test"]): row for row in rows}


def test_a_canary_has_rows_of_its_own_that_agree_with_its_answers_and_open_no_alert(two: Shop) -> None:
    mine, its = two.answer(two.visitors(500), BEGIN), []
    its = two.answer(two.visitors(150), BEGIN, version=2, route="challenger", share=0.1)
    turned = {"true": "false", "false": "true"}
    two.label({id_: two.truth[id_] for id_ in mine} | {id_: turned[two.truth[id_]] for id_ in its}, BEGIN + DAY / 2)

    (found,) = two.monitor(BEGIN + 2 * DAY)

    known = quality(two)
    right = two.query(
        "SELECT version, count(*) AS rows, avg((prediction = label)::DOUBLE) AS accuracy FROM tidemill.outcomes"
        " GROUP BY ALL"
    )
    assert {(row["version"], row["rows"]) for row in right} == {(1, 500), (2, 150)}
    for row in right:
        assert known[row["version"], "accuracy", "value"]["value"] == pytest.approx(row["accuracy"])
        assert known[row["version"], "accuracy", "value"]["rows"] == row["rows"]
    assert known[2, "roc_auc", "loss"]["value"] > 0.3
    note = known[2, "roc_auc", "loss"]["note"]
    assert note.startswith("beside the version that answered most; seen by those who asked; labelled ")
    assert known[1, "roc_auc", "loss"]["note"].startswith("labelled ")
    assert two.project.alerts() == []
    (other,) = found.as_json()["versions"]
    assert (other["version"], other["labelled"], other["shadow"], other["metric"]) == (2, 150, 0, "roc_auc")
    assert other["value"] == known[2, "roc_auc", "value"]["value"] < 0.4


def test_what_the_shadow_said_is_measured_by_the_labels_of_the_requests(two: Shop) -> None:
    rows = two.visitors(300)
    ids = two.answer(rows, BEGIN)
    two.shadow(ids, rows, BEGIN, version=2)
    two.label({id_: two.truth[id_] for id_ in ids}, BEGIN + DAY / 2)

    two.monitor(BEGIN + 2 * DAY)

    known = quality(two)
    # Nobody answers otherwise than version 2 here: the shop logs the newest version's scores for both.
    assert known[2, "roc_auc", "value"]["value"] == known[1, "roc_auc", "value"]["value"]
    note = known[2, "roc_auc", "loss"]["note"]
    assert note.startswith("beside the version that answered most; in the shadow; labelled ")


def test_the_command_shows_other_versions_line_by_line(two: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    ids = two.answer(two.visitors(300), BEGIN)
    more = two.answer(two.visitors(120), BEGIN, version=2, route="challenger", share=0.1)
    two.label({id_: two.truth[id_] for id_ in [*ids, *more]}, BEGIN + DAY / 2)
    two.project.collect()
    two.project.close()

    assert run_command(["monitor", "--once"]) == 0
    said = capsys.readouterr().out
    assert "2026-03-02 00:00, version 2 beside the main one: roc_auc 0." in said
    assert "on 120 labelled answers" in said


def test_few_labelled_answers_and_a_version_that_is_gone_leave_no_rows(two: Shop) -> None:
    ids = two.answer(two.visitors(300), BEGIN)
    few = two.answer(two.visitors(150), BEGIN, version=2, route="challenger", share=0.1)
    gone = two.answer(two.visitors(150), BEGIN, version=7, route="challenger", share=0.1)
    two.label({id_: two.truth[id_] for id_ in [*ids, *few[:99], *gone]}, BEGIN + DAY / 2)

    (found,) = two.monitor(BEGIN + 2 * DAY)

    assert {version for version, *_ in quality(two)} == {1}
    assert found.error is None
    assert [note for note in found.notes if note.startswith("the answers of version 7 are not measured")]
    assert json.loads(json.dumps(found.as_json(), default=str))["versions"] == []


def test_drift_that_lasts_is_an_alert_and_a_promotion_by_itself_is_none(two: Shop) -> None:
    toml = two.root / "tidemill.toml"
    toml.write_text(toml.read_text() + 'season = "1 day"\n')
    two.reopen()

    def shifted(count: int) -> list[dict[str, Any]]:
        return two.visitors(count, pages=lambda values: [value + 2 for _, value in values])

    def pages() -> list[Any]:
        return [one for one in two.project.alerts() if one.severity == "page"]

    def told(day: int) -> list[tuple[str, Any]]:
        two.monitor(BEGIN + (day + 1) * DAY + DAY / 24)
        return [(one.state, one.since) for one in pages()]

    # The second version gives most answers of the third day: no day before is its own, and two were beyond the limit.
    seen = []
    for day, answers in enumerate([{1: 300}, {1: 300}, {1: 120, 2: 300}, {2: 300}, {2: 300}]):
        for version, count in answers.items():
            two.answer(shifted(count), BEGIN + day * DAY, version=version)
        seen.append(told(day))

    assert seen == [[], [], [], [], [("open", BEGIN + 2 * DAY)]]
    scores = two.query(
        'SELECT reference, version, rows, value > "limit" AS beyond FROM tidemill.drift WHERE "column" = \'score\''
        ' AND "limit" IS NOT NULL ORDER BY window_start, reference DESC'
    )
    mine, its = (1, 300), (2, 300)
    assert [(row["reference"], row["version"], row["rows"], row["beyond"]) for row in scores] == [
        ("training", *mine, True),
        ("training", *mine, True),
        ("previous", *mine, False),
        ("training", *its, True),
        ("training", *its, True),
        ("previous", *its, False),
        ("training", *its, True),
        ("previous", *its, False),
    ]
    (alert,) = pages()
    assert alert.figures[0][:2] == ("prediction", "score")
    assert [one["version"] for one in alert.chart["windows"]] == [1, 1, 2, 2, 2]
