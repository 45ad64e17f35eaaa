"""A shop that is watched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.watch.world import Shop, make_shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.chdir(tmp_path)
    made = make_shop(tmp_path)
    yield made
    made.project.close()
