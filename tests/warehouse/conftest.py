"""Helpers of the lake's tests: children that are really killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tidemill.testing.warehouse import put
from tidemill.warehouse.duckdb.lake import open_lake

CHILD = Path(__file__).with_name("lake_child.py")
Child = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def child(tmp_path: Path) -> Child:
    """Run a verb of `lake_child` on the lake in ``tmp_path``, with a fault when one is named."""

    def run(
        *arguments: str, fault: str = "", before: Callable[[], None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "TIDEMILL_FAULT": fault}
        return subprocess.run(
            [sys.executable, str(CHILD), str(tmp_path), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture(scope="session")
def made_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose lake has table t: 5,000 rows of the word old, published by run-1."""
    root = tmp_path_factory.mktemp("made")
    with closing(open_lake(root / ".tidemill", search_path=root)) as lake:
        put(lake, "t", "SELECT 'old' AS word FROM range(5000)", run_id="run-1")
    return root


@pytest.fixture
def old_lake(made_lake: Path, tmp_path: Path) -> Path:
    """A copy of `made_lake` for one test, at ``tmp_path``."""
    shutil.copytree(made_lake / ".tidemill", tmp_path / ".tidemill")
    return tmp_path
