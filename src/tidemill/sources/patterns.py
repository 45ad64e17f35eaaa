"""Which files a path pattern names, and a token that changes when their bytes do."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from tidemill.core.names import quote_text

REMOTE = ("http://", "https://", "s3://", "gs://", "gcs://", "r2://", "hf://", "az://", "azure://", "abfss://")


def is_remote(pattern: str) -> bool:
    """Whether a pattern names something on another machine."""
    return pattern.startswith(REMOTE)


def is_there(path: Path | str) -> bool:
    """Whether there is such a file; none has a name that is longer than the system takes, where pathlib would raise."""
    return os.path.isfile(path)  # noqa: PTH113


def files_of(pattern: str, root: Path) -> list[Path]:
    """The files behind a pattern, sorted; relative patterns start at the project's folder.

    A file of exactly that name is meant where there is one: browsers call a second download ``x [1].csv``.
    """
    if is_remote(pattern):
        return []
    literal = root / pattern
    if not glob.has_magic(pattern) or is_there(literal):
        return [literal] if is_there(literal) else []
    path = pattern if Path(pattern).is_absolute() else str(Path(glob.escape(str(root))) / pattern)
    # Path.glob cannot start at an absolute pattern.
    return sorted(Path(found) for found in glob.glob(path, recursive=True) if Path(found).is_file())  # noqa: PTH207


def is_literal(pattern: str, root: Path) -> bool:
    """Whether a file's name has characters that a pattern would read otherwise."""
    return not is_remote(pattern) and glob.has_magic(pattern) and is_there(root / pattern)


def quote_file(path: Path | str) -> str:
    """One file for the engine, which takes every path for a pattern.

    In a pattern a backslash takes the meaning from what follows, and no bracket takes its own: such a name goes as it
    is, since the engine looks for a file of that very name first.
    """
    name = str(path)
    return quote_text(name if "\\" in name else glob.escape(name))
