from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.cli.shell import Shell, Words, is_entry, run_shell, suggest
from tidemill.project import open_project

WORDS = Words(tables={"orders": ["id", "price"], "customers": ["id", "age"]}, models=["price_model"])


@pytest.mark.parametrize(
    ("text", "first", "typed"),
    [
        ("SELECT pri", "price_model", 3),
        ("SELECT * FROM ", "orders", 0),
        ("SELECT * FROM ML.PRED", "ML.PREDICT", 7),
        ("select * from ml.evaluate(model ", "price_model", 0),
        ("sel", "SELECT", 3),
        ("FROM orders JOIN cu", "customers", 2),
    ],
)
def test_completion_knows_what_may_come(text: str, first: str, typed: int) -> None:
    found, replaced = suggest(text, WORDS)
    assert (found[0], replaced) == (first, typed)


def test_after_model_only_models_are_offered() -> None:
    assert suggest("ML.PREDICT(MODEL ", WORDS)[0] == ["price_model"]


@given(st.text(max_size=30))
def test_completion_never_fails_and_keeps_what_was_typed(text: str) -> None:
    found, typed = suggest(text, WORDS)
    assert 0 <= typed <= len(text)
    assert all(word.upper().startswith(text[len(text) - typed :].upper()) for word in found)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("SELECT 1", False),
        ("SELECT 1;", True),
        ("", True),
        (".tables", True),
        ("quit", True),
        ("help", True),
        ("SELECT ';'\n", False),
    ],
)
def test_an_entry_ends_with_a_semicolon_or_is_a_command(text: str, whole: bool) -> None:
    assert is_entry(text) is whole


def test_the_shell_answers_and_goes_on_after_an_error(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_project(built) as project:
        shell = Shell(project)
        assert shell.answer("SELECT count(*) AS n FROM orders;")
        assert shell.answer("SELECT nothing FROM orders;")
        assert shell.answer(".tables")
        assert shell.answer(".models")
        assert shell.answer(".format csv")
        assert shell.answer("SELECT 1 AS one;")
        assert shell.answer(".tabels")
        assert not shell.answer("quit;")
    said = capsys.readouterr()
    assert " n\n--\n60\n" in said.out
    assert "orders(id, items, price)\nprice_model\n" in said.out
    assert said.out.endswith("one\n1\n")
    assert "error[TM-BIND]" in said.err
    assert "did you mean .tables?" in said.err


def test_the_shell_answers_each_statement_and_says_what_it_can(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_project(built) as project:
        shell = Shell(project)
        assert shell.answer("SELECT 1 AS one; SELECT 2 AS two;")
        assert shell.answer("help")
        assert shell.answer(".format vertical")
        assert shell.answer("SELECT 3 AS three;")
        assert shell.answer(".format xlsx")
    said = capsys.readouterr()
    assert said.out.startswith("one\n---\n  1\n\ntwo\n---\n  2\n")
    assert ".tables " in said.out
    assert said.out.endswith("three: 3\n")
    assert "no format xlsx" in said.err


def test_a_session_runs_from_the_first_prompt_to_the_end_of_input(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("CREATE TABLE t AS\rSELECT 42 AS answer;\rSELECT * FROM t;\r.quit\r")
        run_shell(project)
    said = capsys.readouterr()
    assert "answer\n------\n    42\n" in said.out
    assert (project / ".tidemill" / "shell_history").is_file()
