"""What the notes of commits say, once rows are gone from the files they name.

A note lists files with their digests and rows, and counts the rows that its commit took away. Rows that were erased
had never been: they were not brought, and nobody took them away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.warehouse.duckdb.verify import file_name
from tidemill.warehouse.protocol import DataFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Rows that are gone from a data file.

    Parameters
    ----------
    rows
        How many.
    begin, end
        The snapshots that read the file: from ``begin`` on and before ``end``.
    deleted
        How many of them were deleted by each snapshot.
    """

    rows: int
    begin: int
    end: int | None
    deleted: dict[int, int] = field(default_factory=dict)

    def there(self, version: int) -> int:
        """How many of them a snapshot showed."""
        if version < self.begin or (self.end is not None and version >= self.end):
            return 0
        return self.rows - sum(rows for snapshot, rows in self.deleted.items() if snapshot <= version)


def without_rows(
    version: int, text: str, *, files: Mapping[str, DataFile | None], erased: Mapping[str, Erased]
) -> str | None:
    """A commit's note without the rows that are gone; None when it stays as it is.

    Parameters
    ----------
    files
        The files that were written anew, by the names of those they stand for: None where nothing is left of one. Their
        paths are names alone.
    erased
        What is gone from each data file, by its former name.
    """
    facts = json.loads(text)
    before = json.dumps(facts)
    mine = [file_name(listed[0]) for listed in facts["files"]]
    ended = [name for name in map(file_name, facts.get("emptied", ())) if name in erased]
    if "removed" in facts:
        facts["removed"] = _removed(version, facts["removed"], mine, ended, erased)
    if facts.get("whole") is not None:
        facts["whole"] = _whole(version, facts["whole"], facts["files"], files, erased)
    facts["files"] = [_anew(listed, files) for listed in facts["files"]]
    marks = facts.get("delete_files", [])
    if marks:
        facts["delete_files"] = [
            [_renamed(of, files), *_anew(listed, files)]
            for of, *listed in marks
            if files.get(file_name(listed[0]), _STAYS) is not None
        ]
    if ended:
        facts["emptied"] = [_renamed(path, files) for path in facts["emptied"]]
    return None if json.dumps(facts) == before else json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


_STAYS = DataFile(path="", sha256="", bytes=0, rows=0)


def _anew(listed: list[Any], files: Mapping[str, DataFile | None]) -> list[Any]:
    new = files.get(file_name(listed[0]))
    return listed if new is None else [_renamed(listed[0], files), new.sha256, new.bytes, new.rows]


def _renamed(path: str, files: Mapping[str, DataFile | None]) -> str:
    new = files.get(file_name(path))
    return path if new is None else f"{path[: len(path) - len(file_name(path))]}{new.path}"


def _removed(
    version: int, counted: list[int], mine: list[str], ended: list[str], erased: Mapping[str, Erased]
) -> list[int]:
    """Rows that a commit took away, and those of them with nothing in their place."""
    removed, deleted = counted
    fewer = sum(one.deleted.get(version, 0) for one in erased.values())
    fewer += sum(erased[name].there(version - 1) - erased[name].deleted.get(version, 0) for name in ended)
    brought = sum(erased[name].rows for name in mine if name in erased)
    left = removed - fewer
    return [left, max(0, min(left, deleted - max(0, fewer - brought)))]


def _whole(
    version: int,
    whole: list[int],
    listed: list[list[Any]],
    files: Mapping[str, DataFile | None],
    erased: Mapping[str, Erased],
) -> list[int]:
    """Rows and bytes of a table at a commit, and the rows that the commit brought."""
    rows, size, brought = whole
    names = [file_name(one[0]) for one in listed]
    mine = [erased[name] for name in names if name in erased]
    rows -= sum(one.there(version) for one in mine)
    size += sum(new.bytes - one[2] for one, name in zip(listed, names, strict=True) if (new := files.get(name)))
    return [rows, size, brought - sum(one.rows for one in mine if one.begin == version)]
