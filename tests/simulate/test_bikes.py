"""The example of a year: real rows that drift, the alert, the request, the trial, the new champion, the recovery."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.docs.pages import ROOT

from tidemill.project import open_project
from tidemill.simulate.request import Request, read_delay
from tidemill.simulate.result import Simulation
from tidemill.simulate.simulate import simulate

# One worker: the rehearsal that they all look at takes most of their time.
pytestmark = pytest.mark.xdist_group("bikes")


@pytest.fixture(scope="module")
def year(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    root = tmp_path_factory.mktemp("bikes") / "bikes"
    shutil.copytree(ROOT / "examples" / "bikes", root)
    shutil.copy(shared_data / "bike_sharing" / "hour.csv", root)
    before = Path.cwd()
    os.chdir(root)
    try:
        with open_project(root) as project:
            assert project.run(["hours"]).status == "ok"
            begin = datetime(2012, 1, 1, tzinfo=UTC)
            return simulate(
                project,
                Request(
                    deployment="demand",
                    replay="hours",
                    time="at",
                    label="rides",
                    begin=begin,
                    delay=read_delay("1 day"),
                ),
            )
    finally:
        os.chdir(before)


def test_quality_falls_in_spring_and_an_alert_says_so(year: Simulation) -> None:
    fell = [one for one in year.alerts if one.subjects == ("mean_absolute_error",)]
    assert fell[0].severity == "page"
    assert datetime(2012, 3, 1, tzinfo=UTC) < fell[0].opened_at < datetime(2012, 6, 1, tzinfo=UTC)
    assert fell[0].chart["windows"]


def test_the_alert_asks_for_a_version_that_goes_through_shadow_and_canary(year: Simulation) -> None:
    fell = next(one for one in year.alerts if one.subjects == ("mean_absolute_error",))
    assert {cause for one in year.retrained for cause in one.causes} == {"quality"}
    acts = [one.action for one in year.trail if one.version == 2]
    assert acts[:3] == ["shadow", "canary", "promote"]
    champion = next(one.at for one in year.trail if one.version == 2 and one.action == "promote")
    assert fell.opened_at < champion < fell.opened_at + timedelta(days=40)


def test_the_new_champions_answers_are_as_good_as_before_again(year: Simulation) -> None:
    summer = [one for one in year.scores.periods if datetime(2012, 7, 1, tzinfo=UTC) < one.start and one.end.month < 11]
    with_it = sum(one.scores["deployed"] for one in summer) / len(summer)
    without = sum(one.scores["no retraining"] for one in summer) / len(summer)
    worst = max(one.scores["deployed"] for one in year.scores.periods[:6])
    assert with_it < 0.6 * without
    assert with_it < 0.7 * worst
