"""Where a lake keeps things, and how a file is made to stay there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders and files of one lake.

    Parameters
    ----------
    root
        The project's ``.tidemill`` folder, absolute.
    search
        Where relative file names in queries are looked up: the project's root.
    """

    root: Path
    search: Path

    @property
    def lake(self) -> Path:
        """Everything of the lake."""
        return self.root / "lake"

    @property
    def catalogue(self) -> Path:
        """DuckLake's catalogue. It exists only when it is complete."""
        return self.lake / "catalog.sqlite"

    @property
    def data(self) -> Path:
        """Published Parquet files."""
        return self.lake / "data"

    @property
    def staging(self) -> Path:
        """Computed, not yet published."""
        return self.lake / "staging"

    @property
    def spill(self) -> Path:
        """What queries put aside when memory is short."""
        return self.lake / "spill"

    @property
    def lock(self) -> Path:
        """Held while writing."""
        return self.lake / "write.lock"

    def relative(self, path: Path) -> str:
        """A path as it is shown and recorded: relative to the lake, with forward slashes."""
        return path.relative_to(self.lake).as_posix()


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents, so that they survive a power loss."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's entries, durable. A failure is final: a second fsync would prove nothing."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(source: Path, target: Path) -> None:
    """Rename within the lake and make the new entry durable."""
    make_folder(target.parent)
    source.rename(target)
    sync(target.parent)
