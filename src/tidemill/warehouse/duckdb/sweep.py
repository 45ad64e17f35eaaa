"""Removing what a killed process left: files no snapshot names and no living process claims."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tidemill.core.faults import fault
from tidemill.warehouse.duckdb.commits import Commits
from tidemill.warehouse.duckdb.engine import Engine
from tidemill.warehouse.duckdb.locks import unclaimed
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
        for path in unclaimed(folder, oldest):
            removed += [places.relative(file) for file in sorted(path.rglob("*")) if file.is_file()]
            shutil.rmtree(path, ignore_errors=True)
    return removed


def orphans(engine: Engine, commits: Commits, *, older_than_s: float) -> dict[str, int]:
    """The files that a sweep would remove, and their bytes."""
    places, oldest = engine.places, time.time() - older_than_s
    found = list(_old_files(engine, commits, oldest))
    for folder in (places.staging, places.spill):
        for path in unclaimed(folder, oldest, keep_locks=True):
            found += [file for file in sorted(path.rglob("*")) if file.is_file()]
    return {places.relative(path): path.stat().st_size for path in found}


def _old_files(engine: Engine, commits: Commits, oldest: float) -> Iterator[Path]:
    """Files of that age which nothing names. They are listed first: where none is old, the catalogue is not asked."""
    old = [path for path in sorted(engine.places.data.rglob("*")) if path.is_file() and path.stat().st_mtime <= oldest]
    if not old:
        return
    named = {file_name(file.path) for commit in commits.all() for file in commit.added}
    for kept in (*FILES, "ducklake_files_scheduled_for_deletion"):
        named |= {file_name(path) for path in named_files(engine, kept)}
    yield from (path for path in old if path.name not in named)
