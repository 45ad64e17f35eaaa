from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tidemill.core.errors import ParseError, SettingsError, TidemillError
from tidemill.core.rows import rows_of_table
from tidemill.project import Project
from tidemill.runner.adhoc import run_each
from tidemill.runner.result import Result


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_frame_of_a_package_that_is_missing_names_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = Result(rows_of_table(pa.table({"a": [1]})))
    with pytest.raises(SettingsError, match=f"needs the package {package}") as caught:
        result.to_pandas() if package == "pandas" else result.to_polars()
    assert f"pip install {package}" in caught.value.hint


def test_each_statement_runs_when_its_result_is_asked_for(project: Project, root: Path) -> None:
    text = "CREATE TABLE one AS SELECT 1 AS a; FROM one; FROM nowhere"
    results = run_each(project.stations, text, dialect="duckdb", listen=lambda _: None)
    assert not project.warehouse.tables()
    assert [next(results).asked_for, next(results).fetchall()] == [False, [(1,)]]
    with pytest.raises(TidemillError, match="nowhere"):
        next(results)


def test_nothing_runs_when_one_statement_cannot_be_read(project: Project) -> None:
    with pytest.raises(ParseError):
        next(
            run_each(
                project.stations,
                "CREATE TABLE one AS SELECT 1; SELECT FORM x y z",
                dialect="duckdb",
                listen=lambda _: None,
            )
        )


def test_a_text_of_several_statements_hands_back_the_last_rows(project: Project) -> None:
    assert project.sql("SELECT 1; SELECT 2").fetchall() == [(2,)]
