"""Removing what a killed process left: files no snapshot names and no living process claims."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tidemill.core.faults import fault
from tidemill.warehouse.duckdb.commits import Commits
from tidemill.warehouse.duckdb.engine import Engine
from tidemill.warehouse.duckdb.locks import claim
from tidemill.warehouse.duckdb.verify import FILES, file_name, named_files


def sweep(engine: Engine, commits: Commits, *, older_than_s: float) -> list[str]:
    """Remove orphans older than the grace period (the caller holds the writer's lock); their paths."""
    places = engine.places
    oldest = time.time() - older_than_s
    removed = []
    for path in _old_files(engine, commits, oldest):
        fault("sweep.before_unlink")
        path.unlink()
        removed.append(places.relative(path))
    for folder in (places.staging, places.spill):
        for path in _unclaimed(folder, oldest):
            removed += [places.relative(file) for file in sorted(path.rglob("*")) if file.is_file()]
            shutil.rmtree(path, ignore_errors=True)
    return removed


def orphans(engine: Engine, commits: Commits, *, older_than_s: float) -> dict[str, int]:
    """The files that a sweep would remove, and their bytes."""
    places, oldest = engine.places, time.time() - older_than_s
    found = list(_old_files(engine, commits, oldest))
    for folder in (places.staging, places.spill):
        for path in _unclaimed(folder, oldest, keep_locks=True):
            found += [file for file in sorted(path.rglob("*")) if file.is_file()]
    return {places.relative(path): path.stat().st_size for path in found}


def _old_files(engine: Engine, commits: Commits, oldest: float) -> Iterator[Path]:
    for path in _unnamed_files(engine, commits):
        if path.stat().st_mtime <= oldest:
            yield path


def _unnamed_files(engine: Engine, commits: Commits) -> Iterator[Path]:
    named = {file_name(file.path) for commit in commits.all() for file in commit.added}
    for kept in (*FILES, "ducklake_files_scheduled_for_deletion"):
        named |= {file_name(path) for path in named_files(engine, kept)}
    for path in sorted(engine.places.data.rglob("*")):
        if path.is_file() and path.name not in named:
            yield path


def _unclaimed(folder: Path, oldest: float, *, keep_locks: bool = False) -> Iterator[Path]:
    """Folders whose process has ended, when everything in them is old. Their lock files go with them."""
    names = {path.stem for path in folder.glob("*.lock")} | {path.name for path in folder.glob("*") if path.is_dir()}
    for name in sorted(names):
        path, lock = folder / name, folder / f"{name}.lock"
        ages = [entry.stat().st_mtime for entry in (path, lock, *path.rglob("*")) if entry.exists()]
        if max(ages, default=0.0) > oldest:
            continue
        handle = claim(lock)
        if handle is None:
            continue
        try:
            if path.is_dir():
                yield path
            if not keep_locks:
                lock.unlink(missing_ok=True)
        finally:
            os.close(handle)
