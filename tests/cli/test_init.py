from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from tests.cli.conftest import RunCommand

from tidemill.core.settings import SETTINGS, read_settings


def _write_people(folder: Path, *, rows: int = 120) -> Path:
    lines = [
        f"p{number},{number % 9},{'yes' if number % 9 > 4 or number % 13 == 0 else 'no'}" for number in range(rows)
    ]
    path = folder / "people.csv"
    path.write_text("\n".join(["person_id,visits,bought", *lines]) + "\n")
    return path


def test_an_empty_project_explains_itself_and_has_nothing_to_do(command: RunCommand, tmp_path: Path) -> None:
    made = command("init", tmp_path / "shop")
    assert made.status == 0
    assert "tidemill run" in made.out
    assert (tmp_path / "shop" / "sql" / "start.sql").read_text().startswith("-- A project is")
    planned = command("plan", "-C", tmp_path / "shop")
    assert (planned.status, planned.out.split(":")[0]) == (0, "no statements")


def test_a_project_made_where_one_stands_needs_no_step_into_it(
    command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("init", ".").out.endswith("next:\n  tidemill run\n")
    assert "  cd shop\n" in command("init", "shop").out


def test_the_settings_file_shows_every_setting_with_its_default(command: RunCommand, tmp_path: Path) -> None:
    command("init", tmp_path / "shop")
    text = (tmp_path / "shop" / "tidemill.toml").read_text()
    shown = "\n".join(line.removeprefix("# ") for line in text.split("\n") if " = " in line)
    assert tomllib.loads(shown) == {setting.name: setting.default for setting in SETTINGS}
    assert read_settings(tmp_path / "shop", {}).name == "shop"


def test_a_project_from_a_file_runs_at_once(
    command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = _write_people(tmp_path)
    made = command("init", "shop", "--from", file.name, "--predict", "bought")
    assert made.status == 0
    assert "person_id  identifies the row: every row has its own" in made.out
    assert "FROM '../people.csv'" in (tmp_path / "shop" / "sql" / "people.sql").read_text()
    monkeypatch.chdir(tmp_path / "shop")
    ran = command("run")
    assert (ran.status, ran.out.count("\n")) == (0, 3)
    judged = command("sql", "-f", "json", "-e", "SELECT roc_auc FROM ML.EVALUATE(MODEL bought)")
    assert judged.json()[0]["roc_auc"] > 0.5


DRAFTED = {
    "dots.csv": "id,d\n1,13.04.2024\n2,01.05.2024\n",
    "semicolons.csv": "id;d;x\n1;13/04/2024 10:00;1,5\n2;01/05/2024 11:30;2,5\n",
    "two_forms.csv": "id,d,e\n1,13.04.2024,2024-04-13\n2,01.05.2024,2024-05-01\n",
    "ambiguous.csv": "id,d,e\n1,13/04/2024,01/02/2024\n2,14/04/2024,02/03/2024\n",
    "words.csv": "id,flag,at,zoned\n1,yes,10:00:00,2024-01-02T10:00:00Z\n2,no,11:00:00,2024-01-02T11:00:00Z\n",
    "long.csv": "id,x,y\n1,12345678901234.56789,9007199254740993\n2,1,18446744073709551615\n",
}


@pytest.mark.parametrize("name", DRAFTED)
def test_what_is_written_for_a_file_loads_it_as_it_would_load_with_nothing_declared(
    command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(DRAFTED[name].encode("latin-1"))
    monkeypatch.chdir(tmp_path)
    assert command("init", "shop", "--from", name).status == 0
    (tmp_path / "shop" / "sql" / "plain.sql").write_text(f"CREATE TABLE plain AS SELECT * FROM '../{name}';")
    monkeypatch.chdir(tmp_path / "shop")
    ran = command("run")
    assert ran.status == 0, ran.out
    drafted, plain = (
        command("sql", "-f", "json", "-e", f"SELECT * FROM {table}") for table in (name.split(".")[0], "plain")
    )
    if name == "semicolons.csv":  # the draft says that commas stand before fractions
        assert [row["x"] for row in drafted.json()] == [1.5, 2.5]
        assert [row["d"] for row in drafted.json()] == [row["d"] for row in plain.json()]
    else:
        assert drafted.json() == plain.json()


def test_a_table_alone_is_written_when_nothing_is_predicted(command: RunCommand, tmp_path: Path) -> None:
    command("init", tmp_path / "shop", "--from", _write_people(tmp_path))
    assert [path.name for path in (tmp_path / "shop" / "sql").iterdir()] == ["people.sql"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--predict", "bought"], 2, "--predict needs a file"),
        (["--from", "people.csv", "--predict", "bougth"], 3, "did you mean bought?"),
        (["--from", "nowhere.csv", "--predict", "bought"], 4, "nowhere.csv does not exist"),
    ],
)
def test_nothing_is_written_when_something_is_wrong(
    command: RunCommand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    _write_people(tmp_path)
    ran = command("init", "shop", *arguments)
    assert ran.status == status
    assert message in ran.err
    assert not (tmp_path / "shop").exists()


def test_a_project_is_never_written_over(command: RunCommand, tmp_path: Path) -> None:
    command("init", tmp_path / "shop")
    ran = command("init", tmp_path / "shop")
    assert ran.status == 5
    assert "is a project already" in ran.err


def test_files_of_a_folder_are_never_written_over(command: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "start.sql").write_text("SELECT 1;")
    ran = command("init", tmp_path)
    assert ran.status == 5
    assert (tmp_path / "sql" / "start.sql").read_text() == "SELECT 1;"


def test_a_gitignore_of_the_user_keeps_its_lines(command: RunCommand, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n")
    command("init", tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "*.log\n.tidemill/\nerasures.jsonl\n"


def test_the_telco_table_gives_a_good_model_in_one_go(
    command: RunCommand, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shared_data / "telco_churn" / "Telco-Customer-Churn.csv"
    monkeypatch.chdir(tmp_path)
    assert command("init", "churn", "--from", file, "--predict", "Churn").status == 0
    monkeypatch.chdir(tmp_path / "churn")
    assert command("run").status == 0
    judged = command("sql", "--format", "json", "-e", "SELECT roc_auc FROM ML.EVALUATE(MODEL churn)")
    assert judged.json()[0]["roc_auc"] >= 0.83
