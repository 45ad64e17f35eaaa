"""Small real projects, and the command line as a user calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tidemill.cli.main import run_command


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


RunCommand = Callable[..., Ran]

TABLE = "CREATE TABLE orders (id BIGINT PRIMARY KEY) AS\nSELECT * FROM 'orders.csv';\n"
MODEL = """\
CREATE OR REPLACE MODEL price_model
OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['price']) AS
SELECT items, price FROM orders;
"""


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> RunCommand:
    """Run a command in this process."""

    def run(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        status = run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one table and one linear model, not run yet; it is the current folder."""
    folder = _write_shop(tmp_path)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has been run once: for tests that only read."""
    folder = _write_shop(tmp_path_factory.mktemp("built"))
    assert run_command(["run", "-C", str(folder)]) == 0
    return folder


@pytest.fixture
def built(_built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project that has been run, as the current folder."""
    monkeypatch.chdir(_built)
    return _built


def _write_shop(parent: Path) -> Path:
    folder = parent / "shop"
    (folder / "sql").mkdir(parents=True)
    (folder / "tidemill.toml").write_text("threads = 1\n")
    rows = "\n".join(f"{number},{number % 5},{3 * (number % 5) + number % 2}" for number in range(60))
    (folder / "orders.csv").write_text(f"id,items,price\n{rows}\n")
    (folder / "sql" / "orders.sql").write_text(TABLE)
    (folder / "sql" / "price.sql").write_text(MODEL)
    return folder
