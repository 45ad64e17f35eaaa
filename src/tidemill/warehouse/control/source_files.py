"""What the parser found in each SQL file: an unchanged file is never parsed again.

- ``load_source_files(db) -> dict[str, SourceFile]`` by path.
- ``save_source_files(db, files)`` writes or replaces some, in one commit.
- ``forget_source_files(db, paths)`` removes files that are gone.

``SourceFile.fresh(sha256, dialect, parser_version)`` says whether the summaries may be used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from tidemill.sql.statements import Summary
from tidemill.warehouse.control.database import Database, Tx, reading, to_json, writing

_FIELDS = tuple(field.name for field in fields(Summary))
_TUPLES = ("tables", "checked", "models", "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of statements: its digest, how it was read, and what was found."""

    path: str
    sha256: str
    dialect: str
    parser_version: str
    summaries: tuple[Summary, ...]

    def fresh(self, sha256: str, dialect: str, parser_version: str) -> bool:
        """Whether reading the file again would find the same."""
        return (self.sha256, self.dialect, self.parser_version) == (sha256, dialect, parser_version)


def load_source_files(db: Database | Tx) -> dict[str, SourceFile]:
    """Everything that is kept, by path. Summaries whose shape this version does not know are left out."""
    with reading(db) as tx:
        rows = tx.rows("SELECT * FROM source_files ORDER BY path")
    found = {}
    for row in rows:
        summaries = json.loads(row["summaries"])
        if all(item.keys() == set(_FIELDS) for item in summaries):
            found[row["path"]] = SourceFile(
                path=row["path"],
                sha256=row["sha256"],
                dialect=row["dialect"],
                parser_version=row["parser_version"],
                summaries=tuple(_summary(item) for item in summaries),
            )
    return found


def save_source_files(db: Database | Tx, files: Iterable[SourceFile]) -> None:
    """Write or replace what was found in some files."""
    rows = [
        {
            "path": file.path,
            "sha256": file.sha256,
            "dialect": file.dialect,
            "parser_version": file.parser_version,
            "summaries": to_json([{name: getattr(item, name) for name in _FIELDS} for item in file.summaries]),
        }
        for file in files
    ]
    if not rows:
        return
    with writing(db) as tx:
        tx.execute_many("DELETE FROM source_files WHERE path = :path", [{"path": row["path"]} for row in rows])
        tx.execute_many(
            "INSERT INTO source_files (path, sha256, dialect, parser_version, summaries)"
            " VALUES (:path, :sha256, :dialect, :parser_version, :summaries)",
            rows,
        )


def forget_source_files(db: Database | Tx, paths: Iterable[str]) -> None:
    """Remove what was kept about files that are gone."""
    gone = [{"path": path} for path in paths]
    if gone:
        with writing(db) as tx:
            tx.execute_many("DELETE FROM source_files WHERE path = :path", gone)


def _summary(item: dict[str, Any]) -> Summary:
    for name in _TUPLES:
        item[name] = tuple(item[name])
    return Summary(**item)
