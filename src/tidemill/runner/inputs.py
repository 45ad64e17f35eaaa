"""Digests of the data files a project reads: an untouched file is not read again to plan."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.digest import digest_file, digest_value
from tidemill.planner.make import MISSING_FILES
from tidemill.sources.patterns import files_of, is_remote
from tidemill.warehouse.control.input_files import InputFile, load_input_files, save_input_files

if TYPE_CHECKING:
    from tidemill.warehouse.control.database import Database


def file_tokens(patterns: Iterable[str], *, root: Path, db: Database) -> dict[str, str]:
    """For each pattern of files of this machine, a token that changes when a file behind it changes, comes or goes."""
    wanted = list(dict.fromkeys(patterns))
    if not wanted:
        return {}
    known = load_input_files(db)
    fresh: dict[str, InputFile] = {}
    tokens: dict[str, str] = {}
    for pattern in wanted:
        if is_remote(pattern):
            continue
        # Paths as seen from the project: a project that is copied or moved with its data has nothing to do.
        digests = [[os.path.relpath(path, root), _digest(path, known, fresh)] for path in files_of(pattern, root)]
        tokens[pattern] = digest_value(digests) if digests else MISSING_FILES
    save_input_files(db, fresh.values())
    return tokens


def file_digests(patterns: Iterable[str], *, root: Path, db: Database) -> dict[str, dict[str, str]]:
    """For each pattern, the files behind it as seen from the project, and their SHA-256.

    Files on other machines have none: nobody can say later what they held.
    """
    wanted = list(dict.fromkeys(patterns))
    if not wanted:
        return {}
    known = load_input_files(db)
    fresh: dict[str, InputFile] = {}
    found = {
        pattern: {os.path.relpath(path, root): _digest(path, known, fresh) for path in files_of(pattern, root)}
        for pattern in wanted
    }
    save_input_files(db, fresh.values())
    return found


def _digest(path: Path, known: dict[str, InputFile], fresh: dict[str, InputFile]) -> str:
    if str(path) in fresh:  # nobody trusts the times of a file written just now; one plan hashes it once all the same
        return fresh[str(path)].sha256
    stat = path.stat()
    entry = known.get(str(path))
    if entry is None or not entry.matches(stat):
        hashed_ns = time.time_ns()
        entry = InputFile.of(str(path), stat, digest_file(path), hashed_ns=hashed_ns)
        fresh[str(path)] = entry
    return entry.sha256
