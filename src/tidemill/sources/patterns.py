"""Which files a path pattern names, and a token that changes when their bytes do."""

from __future__ import annotations

import glob
from pathlib import Path

REMOTE = ("http://", "https://", "s3://", "gs://", "gcs://", "r2://", "hf://", "az://", "azure://", "abfss://")


def is_remote(pattern: str) -> bool:
    """Whether a pattern names something on another machine."""
    return pattern.startswith(REMOTE)


def files_of(pattern: str, root: Path) -> list[Path]:
    """The files behind a pattern, sorted; relative patterns start at the project's folder."""
    if is_remote(pattern):
        return []
    path = pattern if Path(pattern).is_absolute() else str(root / pattern)
    if not glob.has_magic(path):
        return [Path(path)] if Path(path).is_file() else []
    # Path.glob cannot start at an absolute pattern.
    return sorted(Path(found) for found in glob.glob(path, recursive=True) if Path(found).is_file())  # noqa: PTH207
