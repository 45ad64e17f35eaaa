"""The page of gates lists every gate as the table has it, and every setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill.core.sections import GATES as SETTINGS
from tidemill.serving.gates.table import GATES, Gate

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "gate-a-version.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_the_page_says_what_a_gate_asks_as_the_table_does(gate: Gate) -> None:
    assert f"| `{gate.name}` | {gate.doc} |" in PAGE


@pytest.mark.parametrize("setting", [entry.name for entry in SETTINGS])
def test_the_page_shows_every_setting_of_the_gates(setting: str) -> None:
    assert f"\n{setting} = " in PAGE
