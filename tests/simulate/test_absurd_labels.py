"""A label that is a number and absurd is data: a replay goes on, and what overflows says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tidemill.cli.simulate_text import describe
from tidemill.project import Project, open_project
from tidemill.simulate.page import as_page
from tidemill.simulate.request import Request
from tidemill.simulate.simulate import simulate

BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001 - as the file has it
DAYS, A_DAY = 30, 24

SQL = """
CREATE TABLE hours AS SELECT * FROM 'hours.csv';
CREATE OR REPLACE MODEL load OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['load']) AS
SELECT * EXCLUDE (at) FROM hours;
"""
SETTINGS = """
name = "grid"

[deployments.load.monitor]
window = "5 days"
min_rows = 20
max_age = ""
"""
ABSURD = {20 * A_DAY: "1e308", 22 * A_DAY: "inf", 24 * A_DAY: "-1.7e308", 24 * A_DAY + 1: "1.7e308"}


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    random = np.random.default_rng(5)
    lines = ["at,warm,load"]
    for number in range(DAYS * A_DAY):
        at = BEGIN + timedelta(days=number / A_DAY)
        warm = random.normal()
        lines.append(f"{at:%Y-%m-%d %H:%M:%S},{warm:.4f},{ABSURD.get(number, 50 + 5 * warm + random.normal())}")
    (tmp_path / "hours.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "tidemill.toml").write_text(SETTINGS)
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "all.sql").write_text(SQL)
    monkeypatch.chdir(tmp_path)
    with open_project(tmp_path) as project:
        assert project.run(["hours"]).status == "ok"
        yield project


def test_absurd_labels_are_survived_and_told(grid: Project) -> None:
    asked = Request(deployment="load", replay="hours", time="at", label="load", retrain_every=timedelta(days=8))

    found = simulate(grid, asked)

    assert (found.scores.answers, found.scores.labelled) == (576, 575)  # what is no finite number is no label
    assert found.windows == 5
    assert [one.version for one in found.trail if one.action == "refuse"] == [found.retrained[0].version] == [2]
    assert {one.outcome for one in found.retrained[1:]} == {"failed"}
    assert "LINEAR_REG learns numbers up to 1e+60" in found.retrained[1].why
    assert any("scores overflow" in note for note in found.notes)
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["scores"]["totals"]["deployed"] == {
        "mean_absolute_error": None,
        "root_mean_squared_error": None,
    }
    assert "inf" not in describe(found).split()
    assert as_page(found).startswith("<!doctype html>")
