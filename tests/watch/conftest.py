"""A shop that is watched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.watch.world import Shop, build_shop, open_shop


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with a trained and deployed model, to be copied."""
    root, before = tmp_path_factory.mktemp("watched"), Path.cwd()
    os.chdir(root)
    try:
        build_shop(root)
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def shop(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    root = tmp_path / "shop"
    shutil.copytree(built, root)
    monkeypatch.chdir(root)
    made = open_shop(root)
    yield made
    made.project.close()
