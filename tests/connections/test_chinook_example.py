"""examples/chinook runs as its page says, on the real database."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tidemill.project import open_project

EXAMPLE = Path(__file__).parents[2] / "examples" / "chinook"


def test_the_example_builds_checked_tables_from_the_real_shop(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHINOOK", str(shared_data / "chinook" / "Chinook_Sqlite.sqlite"))
    shutil.copytree(EXAMPLE, tmp_path / "chinook")
    with open_project(tmp_path / "chinook") as project:
        report = project.run()
        assert report.status == "ok"
        # The figures that the SQLite shell gives on the same file.
        assert project.sql("SELECT count(*), sum(total)::VARCHAR FROM invoices").fetchall() == [(412, "2328.60")]
        assert project.sql("SELECT sum(amount)::VARCHAR FROM revenue WHERE genre = 'Rock'").fetchall() == [("826.65",)]
        assert not project.plan().changed
