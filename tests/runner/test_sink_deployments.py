"""A sink for a deployment that is not there is refused: no alert would ever reach it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill.cli.main import run_command
from tidemill.core.errors import SettingsError
from tidemill.doctor import examine
from tidemill.project import open_project

SQL = """
CREATE MODEL taste OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['y'], data_split_method = 'NO_SPLIT') AS
SELECT range AS x, range * 2 AS y FROM range(60);
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "taste.sql").write_text(SQL)
    return tmp_path


def write(root: Path, deployments: str) -> None:
    sink = f"[alerts.team]\nkind = 'log'\ndeployments = {deployments}\n"
    (root / "tidemill.toml").write_text(f"[deployments.liking]\nmodel = 'taste'\n{sink}")


def test_a_plan_a_run_and_the_doctor_name_the_line_and_what_was_meant(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(root, "['liking', 'likking']")

    assert run_command(["plan", "--project", str(root)]) == SettingsError.exit_status
    assert run_command(["run", "--project", str(root)]) == SettingsError.exit_status

    err = capsys.readouterr().err
    assert err.count("alerts.team.deployments: no deployment is named likking") == 2
    assert err.count("tidemill.toml:5:1") == 2
    assert err.count("did you mean liking?") == 2
    (bad,) = [one for one in examine(root) if one.status == "bad"]
    assert (bad.check, bad.hint) == ("settings", "did you mean liking?")


def test_a_model_and_what_is_deployed_without_a_section_may_be_named(root: Path) -> None:
    write(root, "['Liking', 'Taste']")
    with open_project(root) as project:
        assert project.run().status == "ok"
        project.deploy("taste", override="it is a test")

    (root / "sql" / "taste.sql").unlink()

    with open_project(root) as project:
        project.plan()
