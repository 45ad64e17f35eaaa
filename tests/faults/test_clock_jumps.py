"""Clocks that jump under real processes, forwards and backwards (fault 15)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.api.conftest import token, until
from tests.conftest import Jumps
from tests.faults.conftest import ROWS, Servers, Shop
from tests.schedule.conftest import make_due, slots, write_project
from tests.schedule.test_processes import scheduler
from tests.serving.log.conftest import prediction, write

from tidemill.project import open_project

YEARLY = '[schedules.yearly]\ncron = "@yearly"\ndo = "collect"\n'


def test_fault_15_a_scheduler_whose_clock_is_a_year_ahead_and_put_back_does_each_slot_once(
    tmp_path: Path, jumps: Jumps, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_project(tmp_path / "shop", YEARLY)
    make_due(root)
    for name, value in jumps.environment.items():
        monkeypatch.setenv(name, value)
    with scheduler(root) as it:
        until(lambda: len(it.words("ended")) == 1)
        jumps.to("+366d")
        until(lambda: len(it.words("ended")) == 2)
        jumps.to("-1h")
        for look in (1, 2):  # what it says of new settings tells that it has looked again
            (root / "tidemill.toml").write_text(YEARLY + f"# edit {look}\n")
            until(lambda: len(it.words("settings")) == look)  # noqa: B023 - called at once
        assert it.end() == 0

    assert len(it.words("begun")) == 2
    assert [(row.status, row.attempt) for row in slots(root)] == [("ok", 1), ("ok", 1)]


TAKE = """
import os, pathlib
from tidemill.project import open_project
from tidemill.runner.label_columns import LabelRequest

hands, here = pathlib.Path(os.environ["FAKETIME_TIMESTAMP_FILE"]), pathlib.Path()
with open_project(here) as project:
    told = (("+0", "left"), ("+365d", "stayed"), ("-1h", "left"), ("+0", "stayed"), ("+0", "left"))
    for number, (when, label) in enumerate(told):
        hands.write_text(when)
        (here / "labels.csv").write_text(f"prediction_id,label\\nr1,{label}\\nr2,left\\nr{number + 10},left\\n")
        project.label(LabelRequest(deployment="churn", input="labels.csv", here=here.resolve()))
        project.collect()
"""


def test_fault_15_labels_and_their_collector_go_on_whatever_the_clock_says(tmp_path: Path, jumps: Jumps) -> None:
    (tmp_path / "tidemill.toml").write_text('[deployments.churn]\nkey = "customer"\n')
    write(tmp_path / ".tidemill" / "spool", *(prediction(number) for number in range(4)))

    subprocess.run(
        [sys.executable, "-c", TAKE], cwd=tmp_path, env=os.environ | jumps.environment, check=True, timeout=300
    )

    with open_project(tmp_path) as project:
        found = project.sql("SELECT prediction_id, label FROM tidemill.labels WHERE prediction_id IN ('r1', 'r2')")
        assert sorted(found.fetchall()) == [("r1", "left"), ("r2", "left")]
        assert project.sql("SELECT count(DISTINCT id) FROM tidemill.predictions").fetchall() == [(4,)]
        assert project.verify() == []


def test_fault_15_a_token_ends_by_the_clock_and_a_server_answers_on_while_it_jumps(
    shop: Shop, serve: Servers, jumps: Jumps
) -> None:
    bearer = {"Authorization": f"Bearer {token(shop.root, 'predict', days=1)}"}
    settings = shop.root / "tidemill.toml"
    settings.write_text(settings.read_text().replace("[server]", '[server]\nauth = "always"'))
    server = serve(shop, "--workers", "1", **jumps.environment)

    def ask() -> int:
        return server.ask("POST", "/models/shop/predict", {"rows": ROWS[:2]}, headers=bearer).status

    said = [ask()]
    for when in ("+2d", "-1h", "+0"):
        jumps.to(when)
        said.append(ask())
    assert server.end() == 0

    assert said == [200, 401, 200, 200]
    with open_project(shop.root) as project:
        project.collect()
        found = project.sql("SELECT count(*), count(DISTINCT id) FROM tidemill.predictions").fetchall()
    assert found == [(6, 6)]
