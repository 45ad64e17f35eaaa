from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from tidemill.runner.result import Result


@pytest.fixture
def shell(built: Path) -> Iterator[Any]:
    """An IPython shell in the folder of a project, with the extension loaded."""
    made: Any = InteractiveShell()  # type: ignore[no-untyped-call]
    made.run_line_magic("load_ext", "tidemill")
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


def test_a_cell_of_sql_shows_its_rows(shell: Any) -> None:
    result = shell.run_cell_magic("tidemill", "", "SELECT count(*) AS n FROM orders")
    assert isinstance(result, Result)
    assert result.fetchall() == [(60,)]
    assert "<td>60</td>" in result._repr_html_()


def test_rows_are_kept_under_a_name(shell: Any) -> None:
    assert shell.run_cell_magic("tidemill", "--out found", "SELECT 7 AS seven") is None
    assert shell.user_ns["found"].fetchall() == [(7,)]


def test_a_line_plans_the_project(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_line_magic("tidemill", "plan")
    assert capsys.readouterr().out.startswith("nothing to do")


@pytest.mark.parametrize(
    ("line", "cell", "message"),
    [
        ("", "SELECT * FROM ordres", "ordres"),
        ("--out", "SELECT 1", "--out needs a name"),
        ("a b", "SELECT 1", "one folder"),
    ],
)
def test_an_error_is_one_message_without_a_traceback(shell: Any, line: str, cell: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        shell.run_cell_magic("tidemill", line, cell)


def test_an_unknown_magic_word_names_the_nearest(shell: Any) -> None:
    with pytest.raises(UsageError, match="did you mean plan"):
        shell.run_line_magic("tidemill", "pln")
