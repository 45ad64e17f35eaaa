"""Functions that came to mean something else than in the version of Tidemill that first had them.

Raise a function's number here when it gives other values for the same rows: it is part of the fingerprint of every
statement that calls it, and of what is remembered of files, so that their tables are built anew. A function that is
not here has its first meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

VERSIONS: Mapping[str, int] = MappingProxyType({})


def version_of(name: str) -> int:
    """The version of a function by its canonical name."""
    return VERSIONS.get(name, 1)
