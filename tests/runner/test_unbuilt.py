"""A table that a statement makes, and that is asked for before its first run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill.cli.main import run_command


@pytest.mark.parametrize("asked", [["sql", "-e", "SELECT * FROM Ratings"], ["profile", "ratings"]])
def test_a_table_that_has_not_been_built_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str]
) -> None:
    (tmp_path / "sql").mkdir()
    (tmp_path / "tidemill.toml").write_text('name = "p"\n')
    (tmp_path / "sql" / "ratings.sql").write_text("CREATE TABLE ratings AS SELECT 1 AS a;")

    assert run_command([*asked, "--project", str(tmp_path)]) != 0

    err = capsys.readouterr().err
    assert "sql/ratings.sql makes it, and it is not built yet: tidemill run ratings" in err
    assert run_command(["sql", "-e", "SELECT * FROM rating", "--project", str(tmp_path)]) != 0
    assert "not built yet" not in capsys.readouterr().err
