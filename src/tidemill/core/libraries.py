"""Which versions of libraries are installed."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def installed(name: str) -> str:
    """The version of a package; '' where it is not installed. Kept: looking one up parses a file for 3 ms."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
