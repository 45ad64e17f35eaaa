"""Whoever looks at a project whose settings are wrong sees what there is, and what is wrong first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidemill.cli.main import run_command
from tidemill.core.errors import SettingsError
from tidemill.project import open_project, open_to_look

SQL = """
CREATE MODEL taste OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['y'], data_split_method = 'NO_SPLIT') AS
SELECT range AS x, range * 2 AS y FROM range(60);
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a deployment."""
    (tmp_path / "tidemill.toml").write_text("threads = 1\n")
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "taste.sql").write_text(SQL)
    with open_project(tmp_path) as project:
        project.run()
        project.deploy("taste", override="it is a test")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("threads = 1\n[schedules.s]\ncorn = '@daily'\n", "unknown setting schedules.s.corn"),
        ("threads = 1\n[schedules.s\n", "is not valid TOML"),
    ],
)
def test_the_error_stands_on_top_and_what_can_be_shown_below(
    root: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (root / "tidemill.toml").write_text(text)

    assert run_command(["status", "--project", str(root)]) == 0
    page = capsys.readouterr().out
    assert run_command(["status", "taste", "--project", str(root)]) == 0
    one = capsys.readouterr().out
    assert run_command(["status", "--json", "--project", str(root)]) == 0
    plain = json.loads(capsys.readouterr().out)

    assert said in page.splitlines()[0]
    assert page.splitlines()[0].startswith("error[TM-SETTINGS]: ")
    assert "\nDEPLOYMENTS\n" in page
    assert said in one.splitlines()[0]
    assert [row["deployment"] for row in plain["deployments"]] == ["taste"]
    assert [row["part"] for row in plain["troubles"]] == ["settings"]
    assert said in plain["troubles"][0]["said"]
    assert not {"sinks", "schedules"} & plain.keys()


def test_no_control_database_is_made_up_for_a_project_whose_own_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "tidemill.toml").write_text("control_url = 'postgresql://user@host/db\n")

    with pytest.raises(SettingsError, match="is not valid TOML"):
        open_to_look(tmp_path)

    assert not (tmp_path / ".tidemill").exists()


def test_the_control_database_is_the_one_that_the_head_of_the_file_names(tmp_path: Path) -> None:
    (tmp_path / "tidemill.toml").write_text("control_url = 'postgresql://user@host/db'\n[server]\nauth = always\n")

    project = open_to_look(tmp_path)

    assert project.settings.control_url == "postgresql://user@host/db"
    assert project.wrong is not None
