"""The page of promises names tests that exist, and has a row for each fault that serving and watching have to bear."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ([\d, ]+) \|.*$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FAULTS = {3, 4, 5, 6, 12, 14, 15, 16, 18, 19, 20, 22, 27, *range(39, 43), *range(48, 73)}
NAMED = sorted(set(TEST.findall(PAGE)))


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_every_test_that_the_page_names_exists(file: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}

    assert {test for of, test in NAMED if of == file} <= there


ROWS = {int(number): match[0] for match in ROW.finditer(PAGE) for number in match[1].split(",")}


def test_every_fault_of_serving_and_of_the_watch_has_a_row_that_names_a_test() -> None:
    assert ROWS.keys() >= FAULTS
    assert [number for number, row in ROWS.items() if not TEST.search(row)] == []


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("test_*.py")), ids=lambda path: path.stem)
def test_every_test_here_that_is_named_after_a_fault_stands_in_its_row(path: Path) -> None:
    for name in re.findall(r"^def (test_faults?_\d\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
        for number in re.findall(r"(?:faults?|and)_(\d+)", name):
            assert f"::{name}`" in ROWS[int(number)]
