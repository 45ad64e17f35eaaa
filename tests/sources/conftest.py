"""A real session to look at files with, and small files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tidemill.sources.files import Reader
from tidemill.warehouse.duckdb.lake import open_lake

WriteFile = Callable[[str, str], Path]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A session of a lake of its own."""
    lake = open_lake(tmp_path / "lake", search_path=tmp_path)
    with lake.session() as session:
        yield session
    lake.close()


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    """Write a small file; returns its path."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write
