"""A deployment whose settings name what is not there is refused before it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill.cli.main import run_command
from tidemill.core.errors import SettingsError
from tidemill.doctor import examine
from tidemill.project import open_project

SQL = """
CREATE TABLE verdicts AS SELECT range AS id, range * 2 AS label, now() AS known_at FROM range(3);
CREATE VIEW told AS SELECT * FROM verdicts;
CREATE MODEL taste OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['y'], data_split_method = 'NO_SPLIT') AS
SELECT range AS x, range % 7 AS w, range * 2 AS y FROM range(60);
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "all.sql").write_text(SQL)
    (tmp_path / "tidemill.toml").write_text("threads = 1\n")
    return tmp_path


def planned(root: Path, settings: str) -> SettingsError | None:
    """What a plan says of the settings of the deployment `liking` of the model `taste`."""
    (root / "tidemill.toml").write_text(f'[deployments.liking]\nmodel = "taste"\n{settings}\n')
    with open_project(root) as project:
        try:
            project.plan()
        except SettingsError as error:
            return error
    return None


def test_a_plan_a_run_and_the_doctor_name_the_line_and_what_was_meant(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "tidemill.toml").write_text("[deployments.liking]\nmodel = 'tast'\n")

    assert run_command(["plan", "--project", str(root)]) == SettingsError.exit_status
    assert run_command(["run", "--project", str(root)]) == SettingsError.exit_status

    err = capsys.readouterr().err
    assert err.count("deployments.liking.model: no model is named tast") == 2
    assert err.count("tidemill.toml:2:1") == 2
    assert err.count("did you mean taste?") == 2
    (bad,) = [one for one in examine(root) if one.status == "bad"]
    assert (bad.check, bad.hint) == ("settings", "did you mean taste?")


def test_a_section_of_its_own_name_is_told_at_its_head(root: Path) -> None:
    (root / "tidemill.toml").write_text("\n[deployments.tastes]\n")
    with open_project(root) as project, pytest.raises(SettingsError) as caught:
        project.plan()

    assert caught.value.message == "deployments.tastes.model: no model is named tastes"
    assert str(caught.value.where) == "tidemill.toml:2:2"
    assert caught.value.hint == "did you mean taste?"


WRONG = [
    ("labels.input = 'verdict'", "labels.input: no table or view is named verdict", "verdicts"),
    ("labels = {input = 'verdicts', known = 'known'}", "labels.known: verdicts has no column known", "known_at"),
    ("[deployments.liking.labels]\ninput = 'Verdicts'\nid = 'idd'", "labels.id: verdicts has no column idd", "id"),
    ("monitor.columns = ['x', 'ww']", "monitor.columns: model taste reads no column ww", "w"),
    ("hash_columns = ['xx']", "hash_columns: no column xx is ever in the log", "x"),
    ("omit_columns = ['w', 'ww']", "omit_columns: no column ww is ever in the log", "w"),
    ("[deployments.liking.monitor]\nignore = ['yx']", "monitor.ignore: model taste reads no column yx", "x"),
]


@pytest.mark.parametrize(("settings", "said", "meant"), WRONG)
def test_what_is_not_there_once_the_project_is_built_is_told(root: Path, settings: str, said: str, meant: str) -> None:
    with open_project(root) as project:
        assert project.run().status == "ok"

    error = planned(root, settings)

    assert error is not None
    assert error.message == f"deployments.liking.{said}"
    assert error.hint == f"did you mean {meant}?"
    assert error.where is not None
    assert error.where.text == settings.splitlines()[-1]


@pytest.mark.parametrize("settings", [settings for settings, *_ in WRONG[1:]])
def test_of_what_is_not_built_yet_no_column_is_missed(root: Path, settings: str) -> None:
    assert planned(root, settings) is None


@pytest.mark.parametrize(
    "settings",
    [
        "labels.input = 'told'",
        "labels.input = 'labels_*.csv'",
        "labels.input = 'tidemill.labels'",
        "labels.input = 'by_hand'",
        "labels = {input = 'VERDICTS', known = 'Known_At'}",
        "monitor = {columns = ['X'], ignore = ['W']}",
        "key = 'who'\nmonitor.slices = ['site']\nhash_columns = ['WHO', 'x']\nomit_columns = ['Site']",
    ],
)
def test_what_is_there_or_may_come_is_let_be(root: Path, settings: str) -> None:
    with open_project(root) as project:
        project.run()
        project.sql("CREATE TABLE by_hand AS SELECT 1 AS id, 2 AS label")

    assert planned(root, settings) is None


def test_a_column_that_the_champion_reads_may_be_watched_until_another_takes_over(root: Path) -> None:
    with open_project(root) as project:
        project.run()
        project.deploy("taste", override="it is a test")
    (root / "sql" / "all.sql").write_text(SQL.replace("range % 7 AS w, ", ""))
    (root / "tidemill.toml").write_text("[deployments.taste.monitor]\ncolumns = ['w']\n")

    with open_project(root) as project:
        assert project.run().status == "ok"
        project.plan()
