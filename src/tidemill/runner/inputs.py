"""Digests of the data files a project reads: an untouched file is not read again to plan."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.digest import digest_inputs, digest_value
from tidemill.planner.state import MISSING_FILES
from tidemill.sources.patterns import files_of, is_remote
from tidemill.warehouse.control.input_files import InputFile, load_input_files, save_input_files

if TYPE_CHECKING:
    from tidemill.warehouse.control.database import Database


def file_tokens(patterns: Iterable[str], *, root: Path, db: Database) -> dict[str, str]:
    """For each pattern of files of this machine, a token that changes when a file behind it changes, comes or goes."""
    here = [pattern for pattern in patterns if not is_remote(pattern)]
    found = file_digests(here, root=root, db=db)
    return {
        pattern: digest_value([[path, digest] for path, digest in files.items()]) if files else MISSING_FILES
        for pattern, files in found.items()
    }


def file_digests(patterns: Iterable[str], *, root: Path, db: Database) -> dict[str, dict[str, str]]:
    """For each pattern, the files behind it as seen from the project, and their digests.

    Files on other machines have none: nobody can say later what they held.
    """
    wanted = list(dict.fromkeys(patterns))
    if not wanted:
        return {}
    paths = {pattern: files_of(pattern, root) for pattern in wanted}
    digests = _digests([path for files in paths.values() for path in files], db)
    # Paths as seen from the project: a project that is copied or moved with its data has nothing to do.
    return {pattern: {os.path.relpath(path, root): digests[path] for path in files} for pattern, files in paths.items()}


def _digests(paths: Iterable[Path], db: Database) -> dict[Path, str]:
    """The digest of each file, as recorded where nobody touched it since; several are hashed side by side."""
    known = load_input_files(db)
    stats = {path: path.stat() for path in paths}
    digests: dict[Path, str] = {}
    new: list[Path] = []
    for path, stat in stats.items():
        entry = known.get(str(path))
        if entry is not None and entry.matches(stat):
            digests[path] = entry.sha256
        else:
            new.append(path)

    hashed_ns = time.time_ns()
    sizes = [(path, stats[path].st_size) for path in new]
    fresh = [
        InputFile.of(str(path), stats[path], digest, hashed_ns=hashed_ns)
        for path, digest in zip(new, digest_inputs(sizes, threads=len(os.sched_getaffinity(0))), strict=True)
    ]
    save_input_files(db, fresh)
    return digests | {path: entry.sha256 for path, entry in zip(new, fresh, strict=True)}
