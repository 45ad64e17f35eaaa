"""The place of an error, as the terminal shows it."""

from __future__ import annotations

import pytest

from tidemill.core.errors import WINDOW, Where


def shown(text: str, column: int, length: int) -> list[str]:
    where = Where(file="a.sql", line=7, column=column, length=length, text=text)
    return [line.partition("| ")[2] for line in where.lines()[1:]]


def test_a_line_that_is_not_long_is_whole() -> None:
    assert shown("SELECT a FROM t", 8, 1) == ["SELECT a FROM t", "       ^"]


@pytest.mark.parametrize("column", [1, 30, 300, 900, 995])
def test_of_a_long_line_a_window_around_the_carets_is_shown(column: int) -> None:
    text = "".join(f"{number:<10}" for number in range(100))
    line, carets = shown(text, column, 5)

    assert len(line) == WINDOW
    assert carets.strip() == "^" * 5
    assert line[carets.index("^") :][:5].rstrip("…") in text[column - 1 :][:5]
    assert (line[0] == "…", line[-1] == "…") == (column > 41, column < 931)


def test_carets_end_with_what_is_shown() -> None:
    line, carets = shown("x" * 5000, 2000, 3000)
    assert len(carets) == len(line) == WINDOW
    assert carets.lstrip(" ") == "^" * 70


def test_a_tab_before_the_carets_stays_one() -> None:
    assert shown("\tSELECT a", 9, 1) == ["\tSELECT a", "\t       ^"]
