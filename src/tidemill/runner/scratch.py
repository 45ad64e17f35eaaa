"""Copies of files, which stand while somebody reads them: a folder of this process, swept when the process is gone."""

from __future__ import annotations

import shutil
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from tidemill.warehouse.duckdb.locks import claim_new, give_up, unclaimed

SCRATCH = ".tidemill/scratch"


class Scratch:
    """A folder for copies of a project's files: made when first asked for, gone when it is closed or nobody has it.

    An error that was mended can stay with all that its frames hold until the collector comes by: who knows when it is
    done closes it.
    """

    def __init__(self, root: Path) -> None:
        self._base = root / SCRATCH
        self._path: Path | None = None
        self._give_up: Callable[[], object] | None = None

    def folder(self, name: str) -> Path:
        """A folder in it."""
        if self._path is None:
            self._path, handle = claim_new(self._base)
            self._give_up = weakref.finalize(self, give_up, self._path, handle)
        folder = self._path / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def close(self) -> None:
        """Remove it, with what is in it."""
        if self._give_up is not None:
            self._give_up()
        self._path = self._give_up = None


def left_copies(root: Path, *, older_than_s: float) -> dict[str, int]:
    """The files that `sweep_copies` would remove, and their bytes."""
    return _listed(root, unclaimed(root / SCRATCH, time.time() - older_than_s, keep_locks=True))


def sweep_copies(root: Path, *, older_than_s: float) -> list[str]:
    """Remove what processes that are gone left in their folders, after a grace period; the files' paths."""
    removed: list[str] = []
    for folder in unclaimed(root / SCRATCH, time.time() - older_than_s):
        removed += _listed(root, [folder])
        shutil.rmtree(folder, ignore_errors=True)
    return removed


def _listed(root: Path, folders: Iterator[Path] | list[Path]) -> dict[str, int]:
    return {
        file.relative_to(root).as_posix(): file.stat().st_size
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
