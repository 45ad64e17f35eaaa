"""Texts that a spreadsheet would run are written with an apostrophe before them."""

from __future__ import annotations

import pytest

from tidemill.core.csv_cells import harmless, harmless_sql

CELLS = {
    "=cmd()": "'=cmd()",
    "@SUM(A1)": "'@SUM(A1)",
    "+1+cmd|' /C calc'!A0": "'+1+cmd|' /C calc'!A0",
    "-x": "'-x",
    "\tx": "'\tx",
    "-1.5": "-1.5",
    "+31 (0)20-123": "+31 (0)20-123",
    "a=b": "a=b",
    "": "",
}


@pytest.mark.parametrize(("text", "expected"), CELLS.items())
def test_formulas_are_neutralised_and_numbers_are_left(text: str, expected: str) -> None:
    assert harmless(text) == expected


def test_the_engine_writes_the_same() -> None:
    import duckdb

    rows = duckdb.execute(f"SELECT {harmless_sql('t')} FROM (SELECT unnest(?) AS t)", [list(CELLS)]).fetchall()
    assert [row[0] for row in rows] == list(CELLS.values())
