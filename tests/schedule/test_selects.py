"""What a schedule names is looked up before its time comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.schedule.conftest import slots, write_project

from tidemill import doctor_project
from tidemill.cli.main import run_command
from tidemill.project import open_project

TYPO = """
[schedules.nightly]
cron = "0 3 * * *"
select = ["numbrs"]
[schedules.good]
cron = "@yearly"
select = ["num*", "+numbers"]
[schedules.watch]
cron = "@yearly"
do = "retrain"
select = ["chrun"]
"""


@pytest.mark.parametrize("asked", ["--next=1", "--once"])
def test_a_name_that_is_nothing_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: str
) -> None:
    root = write_project(tmp_path / "p", TYPO)

    assert run_command(["schedule", asked, "--project", str(root)]) != 0

    err = capsys.readouterr().err
    assert "schedules.nightly.select: no asset is named numbrs" in err
    assert "did you mean numbers" in err
    assert "tidemill.toml:4" in err
    assert slots(root, "good") == []
    assert run_command(["schedule", asked, "good", "--project", str(root)]) == 0


def test_the_doctor_names_both(tmp_path: Path) -> None:
    with open_project(write_project(tmp_path / "p", TYPO)) as project:
        found = [one.detail for one in doctor_project.selects(project)]
        (project.root / "sql" / "numbers.sql").write_text("CREATE TABEL")
        assert list(doctor_project.selects(project)) == []

    assert found == [
        "schedules.nightly.select: no asset is named numbrs",
        "schedules.watch.select: no deployment is named chrun",
    ]
