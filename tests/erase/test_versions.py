"""Versions of models that were trained on rows which are erased: flagged, and as usable as before."""

from __future__ import annotations

import pytest
from tests.erase.world import ANN, Shop, places_of, write_people

from tidemill.cli.main import run_command
from tidemill.core.errors import CorruptError
from tidemill.runner.estimate import EstimateRequest


def flags(shop: Shop) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(one.model, one.version, one.tables) for one in shop.project.flagged()]


def test_versions_that_read_the_rows_are_flagged_and_no_others(shop: Shop) -> None:
    write_people(shop.root, ann_age=91, more=["late@example.org,9000,30,NL,true"])
    assert shop.project.run().status == "ok"
    shop.erase("email=late@example.org")
    assert flags(shop) == [("buyers", 3, ("people",))]  # those of before were trained when the person was not there

    shop.erase()
    (shop.root / "people.csv").write_text((shop.root / "people.csv").read_text().replace(",NL,", ",BE,"))
    assert shop.project.run().status == "ok"

    of_ann = [one.version for one in shop.project.flagged() if one.number == 2]
    assert of_ann == [1, 2, 3]
    assert shop.rows("SELECT DISTINCT model FROM tidemill.erased_versions") == ["buyers"]
    assert shop.project.model("buyers").version == 4


def test_a_version_that_read_a_table_made_from_theirs_is_flagged_by_that_table(shop: Shop) -> None:
    shop.project.sql(
        "CREATE MODEL pages OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['pages']) AS"
        " SELECT customer, pages FROM visits"
    )
    shop.project.sql("CREATE TABLE ages AS SELECT city, age // 10 AS decade, avg(age) AS mean FROM people GROUP BY ALL")
    shop.project.sql(
        "CREATE MODEL means OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['mean']) AS SELECT * FROM ages"
    )

    shop.erase()

    assert {model: tables for model, _, tables in flags(shop)} == {"buyers": ("people",), "pages": ("visits",)}


def test_a_flag_is_told_by_the_list_the_card_and_all_about_a_version(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.erase()

    assert run_command(["models"]) == 0
    listed = capsys.readouterr().out
    assert "buyers version 2 was trained on rows that were erased since (erasure 1)" in listed
    assert "rain version 1 was trained" not in listed
    assert run_command(["models", "buyers", "1"]) == 0
    assert "rows of people that it was trained on (erasure 1, " in capsys.readouterr().out
    assert "It was trained on rows of people that were erased since" in shop.project.card("buyers", 1)
    assert "erased since" not in shop.project.card("rain")


def test_a_version_trained_again_says_why_its_digest_differs(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["models", "buyers", "1", "--retrain"]) == 0
    assert "the same to the last bit" in capsys.readouterr().out
    shop.erase()

    assert run_command(["models", "buyers", "1", "--retrain"]) in (0, 1)
    assert "not the same: rows it read were erased since" in capsys.readouterr().out
    assert run_command(["models", "rain", "1", "--retrain"]) == 0
    assert "the same to the last bit" in capsys.readouterr().out


def test_gates_cards_and_estimates_still_open_the_held_out_rows_of_a_flagged_version(shop: Shop) -> None:
    shop.project.deploy("buyers", version=1, override="a test's world", why="a test")
    before = [shop.project.held_out("buyers", version).num_rows for version in (1, 2)]

    shop.erase()

    after = [shop.project.held_out("buyers", version).num_rows for version in (1, 2)]
    assert all(0 <= old - new <= 1 for old, new in zip(before, after, strict=True))
    shop.project.deploy("buyers", version=2, override="a test's world", why="a test")
    assert {gate.status for gate in shop.project.gates("buyers", version=2)} >= {"pass"}
    assert "held out" in shop.project.card("buyers", 2)
    assert shop.project.compare("buyers", 1, 2)


def test_what_is_learnt_of_held_out_rows_is_learnt_again_from_those_that_stay(shop: Shop) -> None:
    shop.project.sql("CREATE TABLE often AS SELECT people.*, i % 7 AS calls FROM people, range(20) AS r(i)")
    shop.project.sql(
        "CREATE MODEL callers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought'], max_iterations = 5)"
        " AS SELECT age, city, calls, bought FROM often"
    )
    asked = EstimateRequest(model="callers", on="often")
    before = shop.project.estimate(asked)
    (kept,) = (shop.keep / "expected").iterdir()
    shop.erase()
    kept.unlink(missing_ok=True)

    again = shop.project.estimate(asked)

    assert (before.state, again.state) == ("estimated", "estimated")
    assert kept.exists()
    assert places_of(shop.keep) == []


def test_fewer_rows_are_still_refused_where_nobody_was_erased(shop: Shop) -> None:
    shop.erase()
    with shop.project.db.write() as tx:
        tx.execute("DELETE FROM erased_versions")

    with pytest.raises(CorruptError, match="was trained on"):
        shop.project.held_out("buyers", 1)


def test_the_champion_answers_as_before(shop: Shop) -> None:
    sql = "SELECT predicted_bought FROM ML.PREDICT(MODEL buyers, (SELECT 30 AS age, 'NL' AS city))"
    before = shop.rows(sql)

    shop.erase()

    assert shop.rows(sql) == before
    assert ANN not in shop.mails()
