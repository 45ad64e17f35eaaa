"""Projects that read databases and files elsewhere, on real servers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tidemill.project import Project, open_project
from tidemill.testing.control import postgresql
from tidemill.testing.sources import mariadb, s3, web

__all__ = ["mariadb", "open_with", "postgresql", "s3", "schema", "web"]

_numbers = itertools.count(1)

OpenWith = Callable[..., Project]


@pytest.fixture
def schema() -> str:
    """A name that no other test of this process has."""
    return f"test_{next(_numbers)}"


@pytest.fixture
def open_with(tmp_path: Path) -> Iterator[OpenWith]:
    """Open a project with these settings and these statements; again and again in one test, if need be."""
    root = tmp_path / "project"
    with ExitStack() as stack:

        def open_(settings: str = "", **files: str) -> Project:
            (root / "sql").mkdir(parents=True, exist_ok=True)
            if settings:
                (root / "tidemill.toml").write_text(settings)
            for name, text in files.items():
                (root / "sql" / f"{name}.sql").write_text(text)
            return stack.enter_context(open_project(root))

        yield open_
