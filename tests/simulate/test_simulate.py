"""Replays through a copy of a deployment: what it answers, learns and alerts, and that the project stays as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.simulate.conftest import A_DAY, DAYS

from tidemill.cli.main import run_command
from tidemill.cli.simulate_text import describe
from tidemill.core.errors import NotFoundError, SettingsError, StateError
from tidemill.project import Project
from tidemill.simulate.page import as_page
from tidemill.simulate.plants import read_plant
from tidemill.simulate.request import Request, read_delay
from tidemill.simulate.result import Simulation
from tidemill.simulate.simulate import simulate

# One worker: the rehearsal that they all look at takes most of their time.
pytestmark = pytest.mark.xdist_group("simulate")


@pytest.fixture(scope="module")
def heard() -> list[str]:
    """What was told while `learnt` was made."""
    return []


@pytest.fixture(scope="module")
def learnt(shop: Project, heard: list[str]) -> Simulation:
    """The whole replay, trained anew every five days, labels a day late."""
    asked = Request(
        deployment="buyers",
        replay="visits",
        time="seen_at",
        delay=read_delay("1 day"),
        retrain_every=timedelta(days=5),
    )
    return simulate(shop, asked, lambda text, _share: heard.append(text))


def test_a_replay_says_how_far_it_is_and_what_takes_long(learnt: Simulation, heard: list[str]) -> None:
    rows = learnt.scores.answers
    assert heard[:2] == ["reading the rows", "training on the history"]
    assert heard[-1] == "scoring the answers"
    assert any(told.endswith(f": row {rows:,} of {rows:,}") for told in heard)
    assert sum(told.endswith("; the monitor looks") for told in heard) == learnt.windows
    assert any(told.startswith("buyers: training ") for told in heard)
    assert len(heard) > 100


def test_a_replay_answers_every_row_behind_the_history(learnt: Simulation) -> None:
    history = DAYS * A_DAY // 5
    assert learnt.scores.answers == DAYS * A_DAY - history
    assert learnt.scores.labelled == learnt.scores.answers
    assert learnt.refused == 0
    assert learnt.windows == 7  # five-day windows since 1970 cut the 32 days into seven


def test_training_anew_wins_after_the_concept_has_turned(learnt: Simulation) -> None:
    totals = learnt.scores.totals
    assert {one.outcome for one in learnt.retrained} <= {"done", "refused"}
    assert sum(one.outcome == "done" for one in learnt.retrained) >= 2
    assert totals["deployed"]["accuracy"] > totals["no retraining"]["accuracy"]
    assert learnt.scores.periods[-1].version != 1


def test_a_model_learns_only_from_labels_that_had_come(learnt: Simulation) -> None:
    first = learnt.retrained[0]
    asked_by_then = A_DAY * ((first.at - timedelta(days=1)).replace(tzinfo=None) - datetime(2026, 1, 1)).total_seconds()  # noqa: DTZ001
    assert first.rows == int(asked_by_then / 86_400) + 1


def test_the_project_itself_stays_as_it_was(shop: Project, learnt: Simulation) -> None:
    assert learnt.scores.answers
    assert shop.sql("SELECT count(*) AS answers FROM tidemill.predictions").fetchall() == [(0,)]
    assert [one.version for one in shop.models()] == [1]
    assert shop.alerts() == []
    assert not any((shop.keep / "spool").glob("*.seg"))


def test_a_planted_trouble_opens_an_alert_that_names_the_column(shop: Project) -> None:
    rows = "SELECT * FROM visits WHERE seen_at < TIMESTAMP '2026-01-20'"
    asked = Request(
        deployment="buyers",
        replay=rows,
        time="seen_at",
        plants=(read_plant("scale:pages:100:2026-01-12"),),
    )
    found = simulate(shop, asked)
    assert not found.grows
    told = [one for one in found.alerts if "pages" in one.subjects and one.severity == "page"]
    assert [one.opened_at for one in told] == [datetime(2026, 1, 17, tzinfo=UTC)]  # the end of the first such window
    assert "pages" in as_page(found)


def test_after_the_last_row_only_labels_come(shop: Project) -> None:
    asked = Request(
        deployment="buyers",
        replay="visits",
        time="seen_at",
        begin=datetime(2026, 1, 13, tzinfo=UTC),
        end=datetime(2026, 1, 22, tzinfo=UTC),
        delay=read_delay("10 days"),
        retrain_every=timedelta(days=4),
    )
    found = simulate(shop, asked)

    assert found.last == datetime(2026, 1, 21, 23, 36, tzinfo=UTC)
    assert found.labels_until == found.last + timedelta(days=10)
    assert found.scores.labelled == found.scores.answers == 9 * A_DAY
    assert found.windows == 2
    assert [one for one in found.alerts if one.cause == "traffic"] == []
    assert 1 <= len(found.retrained) <= 2
    assert all(one.at <= found.last for one in found.retrained)
    assert "2026-01-13 to 2026-01-21, 540 of them with a label; the last label came on 2026-01-31" in describe(found)
    assert "from 2026-01-13 to 2026-01-21; the last label came on 2026-01-31." in as_page(found)


def test_a_champion_that_learns_nothing_from_the_rows_is_not_trained_anew(shop: Project) -> None:
    asked = Request(deployment="buyers", replay="SELECT * FROM visits", time="seen_at", retrain_every=timedelta(days=5))
    with pytest.raises(StateError, match="learns nothing"):
        simulate(shop, asked)


@pytest.mark.parametrize(
    ("asked", "error", "told"),
    [
        (Request(deployment="buyers", replay="visits", time="seen"), NotFoundError, "no column seen"),
        (Request(deployment="buyers", replay="visits", time="pages"), SettingsError, "holds numbers, not times"),
        (Request(deployment="buyers", replay="visits", time="country"), SettingsError, "holds no times"),
        (
            Request(deployment="buyers", replay="visits", time="seen_at", begin=datetime(2027, 1, 1, tzinfo=UTC)),
            SettingsError,
            "no row",
        ),
        (Request(deployment="nobody", replay="visits", time="seen_at"), NotFoundError, "nobody"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_words(
    shop: Project, asked: Request, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        simulate(shop, asked)


def test_a_replay_of_which_the_server_refuses_every_row_ends_with_the_reason(shop: Project) -> None:
    rows = "SELECT seen_at, bought, pages AS sheets, country FROM visits"
    with pytest.raises(StateError, match="refused every one of 200 rows: .*pages") as error:
        simulate(shop, Request(deployment="buyers", replay=rows, time="seen_at"))
    assert "the query of its CREATE MODEL" in error.value.hint


def test_many_refused_rows_are_the_first_thing_that_is_said(learnt: Simulation) -> None:
    some = replace(learnt, refused=100, refusal="row 1 has no pages")
    many = replace(learnt, refused=1_000, refusal="row 1 has no pages")

    assert not some.many_refused
    assert "100 rows refused by the server; the first: row 1 has no pages" in describe(some)
    assert many.many_refused
    assert describe(many).startswith("the server refused 1,000 of 2,920 rows; the first: row 1 has no pages")


def test_the_command_prints_scores_and_writes_a_page(
    shop: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    words = ["simulate", "buyers", "--replay", "SELECT * FROM visits", "--time", "seen_at", "--until", "2026-01-12"]
    assert run_command([*words, "--from", "2026-01-08", "--html", str(page), "-C", str(shop.root), "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    told = json.loads(said.out)
    assert told["scores"]["totals"]["deployed"]["accuracy"] > 0.5
    assert "<svg" in page.read_text()
