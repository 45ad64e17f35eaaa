"""Fixtures: the shop, built once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.erase.world import Shop, make_shop

from tidemill.project import open_project


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("erase") / "shop"
    make_shop(root)
    return root


@pytest.fixture
def shop(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    root = tmp_path / "shop"
    shutil.copytree(built, root)
    monkeypatch.chdir(root)
    with open_project(root) as project:
        yield Shop(root=root, project=project)
