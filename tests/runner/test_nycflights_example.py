"""The example project examples/nycflights13, on the real tables where they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tidemill
from tidemill.column_lineage.graph import ColumnRef
from tidemill.column_lineage.select import select

EXAMPLE = Path(__file__).parents[2] / "examples" / "nycflights13"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for part in ("sql", "tests"):
        shutil.copytree(EXAMPLE / part, tmp_path / part)
    shutil.copy(EXAMPLE / "tidemill.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_unit_tests_pass_without_the_data(folder: Path) -> None:
    with tidemill.open(folder) as project:
        results = project.test()

    assert [(one.test.name, one.error) for one in results if one.status != "passed"] == []
    assert len(results) == 6


def test_it_runs_on_the_real_tables_and_its_model_is_honest(folder: Path, shared_data: Path) -> None:
    (folder / "data").symlink_to(shared_data / "nycflights13")

    with tidemill.open(folder) as project:
        report = project.run()
        warned = {step.asset: len(step.warnings) for step in report.steps if step.warnings}
        rows = project.sql("SELECT count(*), count(*) FILTER (WHERE late) FROM flight_features").fetchall()
        (metrics,) = project.sql("SELECT roc_auc FROM ML.EVALUATE(MODEL late_arrival)").fetchall()
        graph, ref = project.lineage_of("december_risk.risk")

    assert report.status == "ok"
    assert {"weather": 1, "flights": 2}.items() <= warned.items()
    assert rows == [(327_346, 52_802)]  # as counted in the file itself
    assert 0.74 < metrics[0] < 0.764  # the published model knows the time of departure and the time in the air
    above = select(graph, ref, down=False)
    assert ColumnRef("file:data/weather.csv", "temp") in above.out_of
    assert ColumnRef("flights", "arr_delay") in above.out_of
    made_of = {graph.name(edge.source) for edge in select(graph, ColumnRef("late_arrival"), down=False, depth=1).edges}
    assert not {"flight_features.dep_delay", "flight_features.air_time", "flights.dep_delay"} & made_of
