"""Searching files for a person's values, byte by byte: the proof that does not trust what wrote them."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SKIPPED = frozenset({".git", ".venv", "__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A file in which a value stands; ``times`` is how often, all values together."""

    path: Path
    times: int


def traces(root: Path, texts: Sequence[str], *, skip: Sequence[Path] = (), only: str = "*") -> list[Trace]:
    """The files under a folder in which one of some texts stands, in UTF-8.

    Parameters
    ----------
    skip
        Folders and files that are not looked into.
    only
        A pattern of the names that are.
    """
    wanted = [text.encode() for text in texts if text]
    if not wanted:
        return []
    found = ((path, _times(path, wanted)) for path in _files(root, frozenset(skip)) if path.match(only))
    return [Trace(path=path, times=times) for path, times in found if times]


def _files(root: Path, skip: frozenset[Path]) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        here = Path(folder)
        below[:] = sorted(name for name in below if name not in _SKIPPED and here / name not in skip)
        yield from (here / name for name in sorted(names) if here / name not in skip)


def _times(path: Path, wanted: Sequence[bytes]) -> int:
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return 0
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return sum(_count(data, one) for one in wanted)
    except (FileNotFoundError, PermissionError, ValueError, OSError):
        return 0  # it went meanwhile, or is no file that can be read


def _count(data: mmap.mmap, text: bytes) -> int:
    found, place = 0, data.find(text)
    while place >= 0:
        found, place = found + 1, data.find(text, place + len(text))
    return found
