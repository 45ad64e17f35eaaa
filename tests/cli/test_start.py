from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import RunCommand

from tidemill.cli import main
from tidemill.cli.main import COMMANDS

HEAVY = (
    "numpy",
    "pyarrow",
    "duckdb",
    "sqlglot",
    "xgboost",
    "onnx",
    "onnxruntime",
    "rich",
    "pandas",
    "sklearn",
    "IPython",
)


def _modules_after(code: str, folder: Path) -> set[str]:
    """Top-level modules loaded in a fresh process by some code."""
    text = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_a_command_runs_as_if_pandas_were_not_installed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,a\n2,b\n,c\n")
    (tmp_path / "tidemill.toml").write_text("")
    (tmp_path / "model.sql").write_text(
        "CREATE TABLE t AS SELECT range AS x, 2.0 * range AS y FROM range(100);\n"
        "CREATE MODEL m OPTIONS (model_type = 'BOOSTED_TREE_REGRESSOR', input_label_cols = ['y'], max_iterations = 2)"
        " AS SELECT * FROM t;\nSELECT * FROM ML.PREDICT(MODEL m, (SELECT 1.0 AS x));\n"
    )
    for command in (["profile", "a.csv", "--json"], ["drift", "a.csv", "a.csv", "--json"], ["sql", "model.sql"]):
        run = f"from tidemill.cli.main import main\ntry: main({command!r})\n"
        code = f"{run}except SystemExit as left: assert not left.code"
        assert "pandas" not in _modules_after(code, tmp_path)


def test_help_lists_every_command_and_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "from tidemill.cli.main import run_command\nassert run_command(['--help']) == 0"
    assert not _modules_after(code, tmp_path) & set(HEAVY)


def test_help_is_there_in_a_fifth_of_a_second_of_work() -> None:
    times = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-m", "tidemill.cli.main", "--help"], check=True, capture_output=True)
        after = os.times()
        # Processor time: what other processes do beside us is not ours.
        times.append(after.children_user - before.children_user + after.children_system - before.children_system)
    assert min(times) < 0.2


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(command: RunCommand, name: str) -> None:
    ran = command(name, "--help")
    assert ran.status == 0
    assert COMMANDS[name].rstrip(".").split(",")[0] in ran.out


@pytest.mark.parametrize("name", COMMANDS)
def test_importing_a_command_loads_nothing_heavy(tmp_path: Path, name: str) -> None:
    loaded = _modules_after(f"import tidemill.cli.{name}_command", tmp_path)
    allowed = {"sqlglot"} if name in ("lint",) else set()
    assert not loaded & (set(HEAVY) - allowed)


def test_a_run_with_nothing_to_do_loads_nothing_heavy(built: Path) -> None:
    code = "from tidemill.cli.main import run_command\nassert run_command(['run']) == 0"
    assert not _modules_after(code, built) & set(HEAVY)


def test_an_unknown_command_names_the_nearest(command: RunCommand) -> None:
    ran = command("pln")
    assert ran.status == 2
    assert "Did you mean 'plan'" in ran.err


def test_the_version_is_the_package_s_own(command: RunCommand) -> None:
    assert command("--version").out.startswith("tidemill 0.")


def test_a_folder_that_is_no_project_is_said_with_what_to_do(command: RunCommand, tmp_path: Path) -> None:
    ran = command("plan", "-C", tmp_path)
    assert ran.status == 2
    assert ran.err.startswith("error[TM-SETTINGS]")
    assert "tidemill init" in ran.err
    assert ran.out == ""


def test_an_error_is_json_when_json_was_asked_for(command: RunCommand, tmp_path: Path) -> None:
    ran = command("plan", "--json", "-C", tmp_path)
    assert json.loads(ran.err)["error"]["code"] == "TM-SETTINGS"


def test_a_bug_of_ours_is_one_message_and_a_file(
    command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = importlib.import_module("tidemill.cli.plan_command")

    def broken(*_: object, **__: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(module, "entered", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ran = command("plan")
    assert ran.status == 70
    assert ran.err.startswith("error[TM-INTERNAL]: KeyError: 'lost'")
    assert "Traceback" not in ran.err
    (report,) = tmp_path.glob("tidemill-error-*.txt")
    assert "Traceback" in report.read_text()


def test_an_interrupt_leaves_with_the_shell_s_own_status(command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "command_line", interrupted)
    assert command("plan").status == 130


def test_a_reader_that_leaves_early_is_no_error(built: Path) -> None:
    sql = "SELECT * FROM range(200000)"
    text = f"{sys.executable} -m tidemill.cli.main sql -f csv -e '{sql}' | head -n 1"
    done = subprocess.run(["bash", "-c", text], cwd=built, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("range\n", "")
