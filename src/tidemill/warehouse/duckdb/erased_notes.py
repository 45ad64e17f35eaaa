"""What the notes of commits say, once rows are gone from the files they name.

A note lists files with their digests and rows, and counts the rows that its commit took away. Rows that were erased
had never been: they were not brought, and nobody took them away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemill.core.names import name_key
from tidemill.warehouse.duckdb.verify import file_name
from tidemill.warehouse.protocol import DataFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Rows that are gone from a data file.

    Parameters
    ----------
    table
        Whose file it is.
    rows
        How many.
    begin, end
        The snapshots that read the file: from ``begin`` on and before ``end``.
    deleted
        How many of them were deleted by each snapshot.
    unmarked
        Whether every row that was deleted from the file is one of them.
    """

    table: str
    rows: int
    begin: int
    end: int | None
    deleted: Mapping[int, int] = field(default_factory=dict)
    unmarked: bool = False

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
    # Not by the files that a note lists: notes of expired snapshots list all of a table, or none.
    mine = [one for one in erased.values() if name_key(one.table) == name_key(facts["table"])]
    brought = sum(one.rows for one in mine if one.begin == version)
    if "removed" in facts:
        facts["removed"] = _removed(version, facts["removed"], mine, brought)
    if facts.get("whole") is not None:
        rows, size, added = facts["whole"]
        rows -= sum(one.there(version) for one in mine)
        size += sum(new.bytes - listed[2] for listed in facts["files"] if (new := files.get(file_name(listed[0]))))
        facts["whole"] = [rows, size, added - brought]
    facts["files"] = [_anew(listed, files) for listed in facts["files"]]
    bare = {name for name, one in erased.items() if one.unmarked}
    if facts.get("delete_files"):
        facts["delete_files"] = [
            [_renamed(of, files), *_anew(listed, files)]
            for of, *listed in facts["delete_files"]
            if file_name(of) not in bare
        ]
    if facts.get("emptied"):
        facts["emptied"] = [_renamed(path, files) for path in facts["emptied"]]
    return None if json.dumps(facts) == before else json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def _anew(listed: list[Any], files: Mapping[str, DataFile | None]) -> list[Any]:
    new = files.get(file_name(listed[0]))
    return listed if new is None else [_renamed(listed[0], files), new.sha256, new.bytes, new.rows]


def _renamed(path: str, files: Mapping[str, DataFile | None]) -> str:
    new = files.get(file_name(path))
    return path if new is None else f"{path[: len(path) - len(file_name(path))]}{new.path}"


def _removed(version: int, counted: list[int], mine: Sequence[Erased], brought: int) -> list[int]:
    """Rows that a commit took away, and those of them with nothing in their place."""
    removed, deleted = counted
    fewer = sum(one.deleted.get(version, 0) for one in mine)
    fewer += sum(one.there(version - 1) for one in mine if one.end == version)
    left = removed - fewer
    return [left, max(0, min(left, deleted - max(0, fewer - brought)))]
