"""Holding files to what was recorded of them: missing, cut, changed, and the catalogue itself.

Neither Parquet nor SQLite notices a flipped bit: the recorded SHA-256 does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tidemill.core.digest import digest_file
from tidemill.core.names import name_key
from tidemill.warehouse.duckdb.commits import Commits, read_catalogue
from tidemill.warehouse.duckdb.engine import CATALOGUE, Engine
from tidemill.warehouse.duckdb.places import Places
from tidemill.warehouse.duckdb.shown import alive, by_table, shown
from tidemill.warehouse.protocol import DataFile, Problem

# The catalogue's tables of files that readers open. A delete file that a later one took the place of is in neither.
FILES = ("ducklake_data_file", "ducklake_delete_file")


def verify(engine: Engine, commits: Commits, table: str | None, *, digests: bool = True) -> list[Problem]:
    """Check the files of every version of one table, or of all; the worst news first, then by table."""
    uses: dict[str, tuple[DataFile, str, list[int]]] = {}
    counting = set(map(file_name, named_files(engine, "ducklake_delete_file")))
    commits.forget()  # another process may have expired snapshots
    kept = alive(engine)
    known = [one for one in commits.all() if table is None or name_key(one.table) == name_key(table)]
    read = [one for versions in by_table(known) for one in shown(versions, kept) if one.action != "drop"]
    for commit in sorted(read, key=lambda one: one.version):
        for file in commit.files:
            uses.setdefault(file.path, (file, commit.table, []))[2].append(commit.rows_from.version)
    for commit in known:
        # A delete file may stand in for those of earlier versions: its digest is in the note of the last that wrote it.
        for mark in commit.effect.delete_files:
            if file_name(mark.file.path) in counting:
                uses.setdefault(mark.file.path, (mark.file, commit.table, []))[2].append(commit.version)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        found = list(pool.map(lambda use: _check(engine.places, use[0], digests=digests), uses.values()))
    problems = [] if table is not None else _check_catalogue(engine, recorded={file_name(path) for path in uses})
    for (file, owner, versions), (what, detail) in zip(uses.values(), found, strict=True):
        if what:
            problems.append(Problem(what=what, object=_object(owner, versions), detail=f"{file.path}: {detail}"))
    return problems


def changed_files(places: Places, files: Sequence[DataFile]) -> list[tuple[DataFile, str]]:
    """Those of some files that are not what was recorded, each with what is wrong."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        found = list(pool.map(lambda file: _check(places, file), files))
    return [(file, detail) for file, (what, detail) in zip(files, found, strict=True) if what]


def size_of(path: Path) -> int:
    """Bytes of a file; -1 when it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def file_name(path: str) -> str:
    """The last part of a recorded path; each data file has a name of its own."""
    return path.rsplit("/", 1)[-1]


def _check(places: Places, file: DataFile, *, digests: bool = True) -> tuple[str, str]:
    path = places.lake / file.path
    try:
        size = path.stat().st_size
        if size < file.bytes:
            return "truncated", f"{size:,} bytes are left of {file.bytes:,}"
        if digests and digest_file(path) != file.sha256:
            return "changed", "its bytes are not those that were written (SHA-256 differs)"
    except FileNotFoundError:
        return "missing", "the file is gone"
    except OSError as error:
        return "unreadable", os.strerror(error.errno) if error.errno else str(error)
    return "", ""


def _check_catalogue(engine: Engine, *, recorded: set[str]) -> list[Problem]:
    if not engine.places.catalogue.exists():
        return []
    engine.attach_catalogue()
    problems = []
    name = engine.places.relative(engine.places.catalogue)
    for (answer,) in read_catalogue(engine, f"SELECT * FROM sqlite_query('{CATALOGUE}', 'PRAGMA integrity_check')"):
        if answer != "ok":
            problems.append(Problem(what="damaged", object="catalogue", detail=f"{name}: {answer}"))
    for kept in FILES:
        for path in named_files(engine, kept):
            if file_name(path) not in recorded:
                detail = f"{path}: no digest was recorded"
                problems.append(Problem(what="unrecorded", object="catalogue", detail=detail))
    return problems


def named_files(engine: Engine, kept: str) -> list[str]:
    """Paths that one of the catalogue's tables of files names, in order."""
    if not engine.places.catalogue.exists():
        return []
    return [path for (path,) in read_catalogue(engine, f"SELECT path FROM {kept} ORDER BY path")]


def _object(table: str, listed: list[int]) -> str:
    versions = list(dict.fromkeys(listed))
    if len(versions) == 1:
        return f"table {table}, version {versions[0]}"
    return f"table {table}, versions {', '.join(map(str, versions))}"
