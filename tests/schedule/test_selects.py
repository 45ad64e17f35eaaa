"""What a schedule names is looked up before its time comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.schedule.conftest import slots, write_project

from tidemill import doctor_project
from tidemill.cli.main import run_command
from tidemill.core.errors import NotFoundError
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


def test_a_local_time_that_comes_twice_is_shown_with_its_offset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_project(tmp_path / "p", '[schedules.a]\ncron = "30 2 * 4 *"\nzone = "Australia/Melbourne"\n')

    assert run_command(["schedule", "--next=30", "--project", str(root)]) == 0

    lines = [line for line in capsys.readouterr().out.splitlines() if "Australia/Melbourne" in line]
    assert any("02:30 (+11:00) Australia/Melbourne" in line for line in lines)
    assert sum("02:30 Australia/Melbourne" in line for line in lines) >= 28


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("AEST", "such as Australia/Brisbane or Australia/Sydney; or UTC"),
        ("ZZZZ", "names are as in Europe/Amsterdam"),
        ("Europe/Amsterdm", "did you mean Europe/Amsterdam"),
    ],
)
def test_an_abbreviation_of_a_zone_is_not_taken_for_another_that_looks_like_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], zone: str, hint: str
) -> None:
    root = write_project(tmp_path / "p", f'[schedules.a]\ncron = "@daily"\nzone = "{zone}"\n')

    assert run_command(["schedule", "--next=1", "--project", str(root)]) == 2

    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(("settings", "hint"), [(TYPO, "did you mean nightly?"), ("", "as [schedules.NAME]")])
@pytest.mark.parametrize("asked", ["--next=1", "--once", "--drain=1"])
def test_a_schedule_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: str, settings: str, hint: str
) -> None:
    root = write_project(tmp_path / "p", settings)

    assert run_command(["schedule", "nigthly", asked, "--project", str(root)]) == NotFoundError.exit_status

    err = capsys.readouterr().err
    assert "there is no schedule nigthly" in err
    assert hint in err


def test_the_doctor_names_both(tmp_path: Path) -> None:
    with open_project(write_project(tmp_path / "p", TYPO)) as project:
        found = [one.detail for one in doctor_project.selects(project)]
        (project.root / "sql" / "numbers.sql").write_text("CREATE TABEL")
        assert list(doctor_project.selects(project)) == []

    assert found == [
        "schedules.nightly.select: no asset is named numbrs (tidemill.toml:4:1)",
        "schedules.watch.select: no deployment is named chrun (tidemill.toml:11:1)",
    ]


def test_deployments_and_models_are_named_whole_and_may_be_declared_nowhere_but_made(tmp_path: Path) -> None:
    root = write_project(
        tmp_path / "p",
        """
[schedules.a]
cron = "@yearly"
do = "monitor"
select = ["Taste", "tast"]
[schedules.b]
cron = "@yearly"
do = "backtest"
select = ["taste", "num*"]
""",
    )
    (root / "sql" / "taste.sql").write_text(
        "CREATE MODEL taste OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['y'],"
        " data_split_method = 'NO_SPLIT', train_time_col = 'day')"
        " AS SELECT DATE '2026-01-01' + range::INT AS day, range AS x, range * 2 AS y FROM range(60)"
    )
    with open_project(root) as project:
        project.run()
        project.deploy("taste", override="it is a test")
        (root / "sql" / "taste.sql").unlink()
        found = [(one.detail, one.hint) for one in doctor_project.selects(project)]

    assert found == [
        ("schedules.a.select: no deployment is named tast (tidemill.toml:5:1)", "did you mean taste?"),
        ("schedules.b.select: no model is named num* (tidemill.toml:9:1)", "known: taste"),
    ]


BACKTEST = """
[schedules.worth]
cron = "@yearly"
do = "backtest"
select = ["taste"]
"""
TASTE = "CREATE MODEL taste OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['y'], {}) AS SELECT * FROM rows"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("data_split_method = 'NO_SPLIT'", True),
        ("data_split_method = 'SEQ', data_split_col = 'day'", False),
        ("train_time_col = 'day'", False),
        ("train_time = 'day'", False),  # is for a plan to tell
    ],
)
def test_a_backtest_of_a_model_whose_rows_have_no_time_is_told_before_its_slot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: str, told: bool
) -> None:
    root = write_project(tmp_path / "p", BACKTEST)
    (root / "sql" / "taste.sql").write_text(TASTE.format(options))

    assert (run_command(["schedule", "--next=1", "--project", str(root)]) != 0) is told

    said = "schedules.worth.select: nothing says which column of model taste is the time of a row"
    err = capsys.readouterr().err
    assert (said in err) is told
    assert ("tidemill.toml:5:1" in err and "add TRAIN_TIME_COL" in err) is told
    with open_project(root) as project:
        assert any(said in one.detail for one in doctor_project.selects(project)) is told


def test_a_deployment_that_lets_no_schedule_ask_is_told_before_its_slot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_project(
        tmp_path / "p",
        """
[deployments.taste.retrain]
on = ["staleness"]
max_age = "1 day"
[schedules.s]
cron = "@yearly"
do = "retrain"
select = ["Taste"]
""",
    )

    assert run_command(["schedule", "--next=1", "--project", str(root)]) != 0

    said = "schedules.s.select: deployments.taste.retrain.on does not have schedule"
    err = capsys.readouterr().err
    assert said in err
    assert "tidemill.toml:8:1" in err
    assert 'set on = ["staleness", "schedule"] in [deployments.taste.retrain]' in err
    with open_project(root) as project:
        assert any(said in one.detail for one in doctor_project.selects(project))
        settings = root / "tidemill.toml"
        settings.write_text(settings.read_text().replace('"staleness"', '"staleness", "schedule"'))
        project.read_again()
        assert list(doctor_project.selects(project)) == []
