"""Rules of the house that no tool knows, one sentence each."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tidemill

PACKAGE = Path(tidemill.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
BANNED = {"pickle", "cPickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}
HEAVY = {"duckdb", "sklearn", "xgboost", "pandas", "pyarrow", "numpy", "scipy", "onnx", "onnxruntime", "sqlglot"}
HEAVY |= {"rich", "prompt_toolkit", "psycopg"}


def loaded_after(code: str) -> set[str]:
    """Top-level packages in a fresh process after some code."""
    script = f"{code}\nimport sys, json; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(json.loads(output.splitlines()[-1]))


@pytest.mark.parametrize(
    "module",
    ["tidemill", "tidemill.project", "tidemill.planner.make", "tidemill.model_types.table", "tidemill.sql.functions"],
)
def test_planning_and_the_tables_load_no_heavy_package(module: str) -> None:
    assert not HEAVY & loaded_after(f"import {module}")


def test_the_help_of_the_command_loads_no_heavy_package() -> None:
    code = "import sys\nsys.argv = ['tidemill', '--help']\nfrom tidemill.cli.main import main\n"
    code += "try:\n    main()\nexcept SystemExit:\n    pass"

    assert not (HEAVY - {"rich"}) & loaded_after(code)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_reads_or_writes_pickles_or_evaluates_text(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    keywords = {
        keyword.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
    }

    assert not imported & BANNED
    assert not called & {"eval", "exec"}
    assert "allow_pickle" not in keywords


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_importing_every_module_writes_no_file(tmp_path: Path) -> None:
    names = [".".join(("tidemill", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in MODULES]
    names = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]

    subprocess.run([sys.executable, "-B", "-c", f"import importlib\nfor n in {names!r}: importlib.import_module(n)"],
                   cwd=tmp_path, check=True)  # fmt: skip

    assert list(tmp_path.iterdir()) == []


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """A handler that takes any error and does not hand it on."""
    named = handler.type
    wide = named is None or (isinstance(named, ast.Name) and named.id in {"Exception", "BaseException"})
    last = handler.body[-1]
    return wide and not (isinstance(last, ast.Raise) and last.exc is None)


def test_only_the_boundaries_catch_everything() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    }

    commands, requests = {"cli/main.py"}, {"api/app.py"}
    # A piece of a monitor's pass and a source of labels are steps too: the others are done.
    watch = {"runner/watch/deployment.py", "runner/watch/monitor.py"}
    steps = {"runner/run.py", "serving/live.py", "runner/labels.py", *watch}
    # A version on trial may raise anything: another one answers in its place.
    versions = {"api/answering.py", "serving/shadow.py"}
    assert found <= commands | steps | requests | versions


def test_the_public_names_are_those_in_all() -> None:
    assert sorted(tidemill.__all__) == ["Project", "__version__", "open"]
    assert tidemill.open.__name__ == "open_project"
