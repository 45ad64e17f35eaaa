"""A version that stays on trial keeps all later ones waiting: a simulation says so, and how it goes on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.simulate.conftest import SETTINGS, write_shop

from tidemill.cli.simulate_text import describe
from tidemill.project import open_project
from tidemill.simulate.page import as_page
from tidemill.simulate.request import Request, read_delay
from tidemill.simulate.simulate import simulate


def test_a_version_that_stays_on_trial_is_told_with_the_sum_and_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_shop(tmp_path)
    (tmp_path / "tidemill.toml").write_text(SETTINGS.replace("shares = []", "shares = [0.01]"))
    asked = Request(
        deployment="buyers",
        replay="visits",
        time="seen_at",
        label="bought",
        delay=read_delay("1 day"),
        retrain_every=timedelta(days=4),
    )
    with open_project(tmp_path) as project:
        assert project.run(["visits"]).status == "ok"
        found = simulate(project, asked)

    (waited,) = found.waited
    assert waited.still
    slow = "at 60 answers a day, 1 % of them, the 200 of requests_per_share take 333 days"
    assert waited.why == f"version {waited.version} is on trial: {slow}"
    assert sum(one.asked for one in found.retrained) + waited.asked == 7  # every four of 32 days
    (note,) = found.notes
    assert note == waited.told
    assert f"{waited.asked} asks for a new version waited for version {waited.version}" in note
    assert "--at-once" in note
    assert f"{waited.asked:,} waited for a version on trial" in describe(found)
    assert slow in as_page(found)
