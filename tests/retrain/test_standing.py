"""The page of the whole system says what was asked for, by whom, and what came of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.retrain.conftest import DAY, Shop

from tidemill.cli.main import run_command
from tidemill.cli.status_command import describe
from tidemill.cli.status_page import retraining
from tidemill.warehouse.control.monitoring import WindowRow, save_window
from tidemill.warehouse.control.retrain import open_requests


def rows(shop: Shop) -> list[dict[str, Any]]:
    return shop.project.overview()["retraining"]


def test_a_request_shows_who_asked_for_what_and_since_when(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.ask("quality", alert="7", about="realised quality")
    shop.project.request_retraining("churn", who="mara", why="new tariffs")

    assert run_command(["status", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["retraining"]
    assert run_command(["status"]) == 0
    page = capsys.readouterr().out

    assert row["asked_by"] == ["test", "mara"]
    assert row["reasons"] == [
        {"cause": "quality", "why": "alert 7, realised quality"},
        {"cause": "person", "why": "new tariffs"},
    ]
    assert (row["status"], row["asked"], row["asked_at"]) == ("waiting", 2, shop.now.isoformat())
    assert "RETRAINING\nrequest  deployment  asked by" in page
    assert "quality: alert 7, realised quality; person: new tariffs" in page


def test_a_request_says_what_it_waits_for(shop: Shop) -> None:
    shop.ask()
    shop.due()
    shop.ask()
    shop.due()

    (row,) = rows(shop)

    assert (row["status"], row["outcome"]) == ("waiting", "there was nothing new to learn from")
    assert "nothing new to learn from until 2026-03-02 13:00" in retraining([row])


def test_what_became_of_a_version_is_told_as_it_goes_on(shop: Shop) -> None:
    shop.batch()
    shop.ask()
    shop.due()
    told, listed = [rows(shop)[0]["outcome"]], [shop.project.retrain_requests()[0].said]
    shop.settle()
    told.append(rows(shop)[0]["outcome"])
    listed.append(shop.project.retrain_requests()[0].said)
    shop.project.rollback("churn", why="it calls everybody")
    told.append(rows(shop)[0]["outcome"])
    listed.append(shop.project.retrain_requests()[0].said)

    assert told == [
        "version 2 is on trial in the shadow",
        "version 2 is champion",
        "version 2 was rolled back: it calls everybody",
    ]
    assert listed == told


def test_what_ended_long_ago_is_left_to_the_list_of_requests(shop: Shop) -> None:
    shop.ask()
    shop.due()
    assert [one["status"] for one in rows(shop)] == ["unchanged"]

    shop.now += 8 * DAY

    assert rows(shop) == []


def test_a_stage_that_takes_long_at_the_pace_of_the_last_days_is_told(shop: Shop) -> None:
    shop.batch()
    shop.ask()
    assert shop.due()[0].request.status == "done"
    assert not shop.project.status()[0].slow  # no window was measured yet
    midnight = shop.now.replace(hour=0)
    with shop.project.db.write() as tx:
        for day in range(1, 20):  # long ago there was more
            begin, answers = midnight - day * DAY, 10 if day < 8 else 9_000
            save_window(tx, "churn", WindowRow(start=begin, end=begin + DAY, version=1, answers=answers))
    shop.ask()
    shop.due()

    slow = "at 10 answers a day the 500 of shadow_requests take 50 days"
    assert shop.project.status()[0].slow == slow
    assert open_requests(shop.project.db)[0].said == f"version 2 is on trial: {slow}"
    assert f"{slow}: tidemill promote churn ends it" in describe(shop.project.status()[0])
