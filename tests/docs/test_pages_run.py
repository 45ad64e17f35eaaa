"""Every page that shows commands, SQL or Python is followed by a reader in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.pages import ROOT, agrees, follow, read_blocks, read_commands

PAGES = [ROOT / "README.md", ROOT / "docs/tutorial.md", ROOT / "docs/roles.md", *sorted(ROOT.glob("docs/how-to/*.md"))]
RUNNABLE = {"console", "sql", "python"}


def runs(page: Path) -> bool:
    return any(block.language in RUNNABLE for block in read_blocks(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", [page for page in PAGES if runs(page)], ids=lambda page: page.stem)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    reader = follow(page, tmp_path)
    assert not reader.differences, "\n".join(reader.differences)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_page_shows_a_bug(page: Path) -> None:
    assert "TM-INTERNAL" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("built t 3 rows, 0.4 s\n", "built  t   3 rows, 12.0 s\n", True),
        ("built t 3 rows\n", "built t 4 rows\n", False),
        ("0.8463\n", "0.8464\n", True),
        ("0.8463\n", "0.8563\n", False),
        ("run 01m80gg34bsmayareywe4nj681\n", "run 01m80hav22qakas98tbyar4qf2\n", True),
        ("2026-11-22 02:14:02\n", "2027-01-02 10:00:01\n", True),
        ("wrote\n...\nnext\n", "wrote\na\nb\nnext\n", True),
        ("wrote\n...\nnext\n", "wrote\na\nb\n", False),
        ("...\n", "anything\n", True),
        ("", "something\n", False),
    ],
)
def test_outputs_agree_but_for_times_ids_and_last_digits(shown: str, printed: str, same: bool) -> None:
    assert agrees(shown, printed) is same


def test_commands_of_several_lines_keep_their_lines() -> None:
    assert list(read_commands('$ a "b\n> c"\nout\n$ d\n')) == [('a "b\nc"', "out\n"), ("d", "")]
