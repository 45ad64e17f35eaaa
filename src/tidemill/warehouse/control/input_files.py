"""Digests of data files, remembered by what the file system says: an untouched file is not read again to plan.

- ``load_input_files(db) -> dict[str, InputFile]`` by path.
- ``save_input_files(db, files)`` writes or replaces some, in one commit; ``forget_input_files(db, paths)``
  removes some.
- ``InputFile.of(path, stat, sha256, hashed_ns=...)`` makes one; ``entry.matches(stat)`` says whether its digest still
  holds. ``stat`` is an ``os.stat_result`` taken *before* the file was read, ``hashed_ns`` the wall clock of then;
  ``sha256`` is what `core.digest.digest_inputs` says.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from tidemill.warehouse.control.database import Database, Tx, reading, writing

# A file changed again within one tick of the file system's clock keeps its times. Git calls such entries racy; the
# coarsest clock in use (FAT) ticks every two seconds.
_RACY_NS = 2_000_000_000
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A data file's digest, and the file as it was when the digest was taken."""

    path: str
    bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    hashed_ns: int
    sha256: str

    @classmethod
    def of(cls, path: str, stat: os.stat_result, sha256: str, *, hashed_ns: int) -> Self:
        """Describe a file from its state before it was hashed."""
        return cls(
            path=path,
            bytes=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            ctime_ns=stat.st_ctime_ns,
            inode=stat.st_ino & _LARGEST,
            hashed_ns=hashed_ns,
            sha256=sha256,
        )

    def matches(self, stat: os.stat_result) -> bool:
        """Whether the file is surely the one whose digest was taken."""
        same = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino & _LARGEST)
        if same != (self.bytes, self.mtime_ns, self.ctime_ns, self.inode):
            return False
        return max(self.mtime_ns, self.ctime_ns) < self.hashed_ns - _RACY_NS


def load_input_files(db: Database | Tx) -> dict[str, InputFile]:
    """Everything that is kept, by path."""
    with reading(db) as tx:
        rows = tx.rows("SELECT path, bytes, mtime_ns, ctime_ns, inode, hashed_ns, sha256 FROM input_files")
    return {row["path"]: InputFile(**row) for row in rows}


def save_input_files(db: Database | Tx, files: Iterable[InputFile]) -> None:
    """Write or replace the digests of some files."""
    rows = [{name: getattr(file, name) for name in InputFile.__slots__} for file in files]
    if not rows:
        return
    with writing(db) as tx:
        tx.execute_many("DELETE FROM input_files WHERE path = :path", [{"path": row["path"]} for row in rows])
        tx.execute_many(
            "INSERT INTO input_files (path, bytes, mtime_ns, ctime_ns, inode, hashed_ns, sha256)"
            " VALUES (:path, :bytes, :mtime_ns, :ctime_ns, :inode, :hashed_ns, :sha256)",
            rows,
        )


def forget_input_files(db: Database | Tx, paths: Iterable[str]) -> None:
    """Remove the digests of files that are gone."""
    gone = [{"path": path} for path in paths]
    if gone:
        with writing(db) as tx:
            tx.execute_many("DELETE FROM input_files WHERE path = :path", gone)
