"""What a warehouse must do to stay well: merge small files, forget old snapshots, free what nothing names.

`warehouse.protocol.Warehouse.upkeep` gives it; what may be forgotten is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from tidemill.warehouse.files import DataFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot that can be read. ``versions`` are the table versions that it brought; ``system`` means none did.

    Parameters
    ----------
    table
        The table that it changed.
    system
        Nobody's table changed: rows of the log came in, or rows moved to other files.
    """

    version: int
    created_at: datetime
    table: str
    system: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """Files of a table that are better written as few; ``parts`` are written as one file each.

    Parameters
    ----------
    deleted
        Rows in these files that were deleted since.
    """

    table: str
    parts: tuple[tuple[DataFile, ...], ...]
    deleted: int = 0

    @property
    def files(self) -> tuple[DataFile, ...]:
        """All files that go."""
        return tuple(file for part in self.parts for file in part)

    @property
    def bytes(self) -> int:
        """What is read."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """Files that went, or would go: how many, and their bytes; ``waiting`` go once their grace period is over."""

    files: int = 0
    bytes: int = 0
    waiting_files: int = 0
    waiting_bytes: int = 0


Condition: TypeAlias = "Callable[[str, Sequence[str]], str]"
"""Engine SQL that is true of the rows that are meant, by the name of a table ('' where it is not known) and the columns
that its files have; '' where none can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A data file that has rows which were looked for.

    Parameters
    ----------
    table
        Whose rows it has; '' where its place does not say.
    path
        Relative to the warehouse.
    begin, end
        The snapshots that read it are those from ``begin`` on and before ``end`` (None: up to the newest).
    read
        Whether a snapshot reads it. Others wait for their removal, or are left from a killed process.
    """

    table: str
    path: str
    rows: int
    begin: int = 0
    end: int | None = None
    read: bool = True

    def shows_at(self, snapshot: int) -> bool:
        """Whether a snapshot reads the file."""
        return self.read and self.begin <= snapshot and (self.end is None or snapshot < self.end)


class Upkeep(Protocol):
    """Everything that changes files but no row of any snapshot that is kept; all but `erase`."""

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot that can be read, oldest first."""

    def compactions(self, *, target_bytes: int, least_files: int) -> list[Compaction]:
        """What is worth compacting now.

        Parameters
        ----------
        target_bytes
            Files of half this size and more are left alone.
        least_files
            Fewer small files than this are left alone.
        """

    def compact(self, chosen: Compaction, *, run_id: str, guard: Callable[[], None]) -> tuple[DataFile, ...] | None:
        """Write files of a table anew in one commit: the same rows, in the same order unless the table has a layout.

        Readers go on meanwhile, writers wait for the commit alone. None when the table changed meanwhile.
        """

    def expire(self, versions: Collection[int], *, dry_run: bool = False) -> Freed:
        """Forget snapshots; files that no other snapshot reads wait for `clean_up`.

        What is known of the tables at every snapshot that stays, stays known.
        """

    def clean_up(self, *, older_than_s: float, dry_run: bool = False) -> Freed:
        """Remove the files that no snapshot reads since ``older_than_s``."""

    def holding(self, condition: Condition, *, within: Sequence[Holding] | None = None) -> list[Holding]:
        """Every data file on disk that has rows of which a condition is true, whether a snapshot reads it or not.

        Parameters
        ----------
        within
            Only these files are looked into.
        """

    def erase(self, held: Sequence[Holding], condition: Condition, *, erasure: str, guard: Callable[[], None]) -> None:
        """Take the rows of which a condition is true out of every snapshot, as if they had never been.

        All snapshots stay readable. The files that had the rows wait for `clean_up`. Nobody may be reading a table
        twice that must be the same both times.

        Parameters
        ----------
        held
            The files that have the rows, as `holding` found them: no others are looked at.

        Raises
        ------
        ConflictError
            Somebody changed a table meanwhile: nothing was erased.
        """

    def orphans(self, *, older_than_s: float) -> dict[str, int]:
        """Files that `Warehouse.sweep` would remove, and their bytes."""

    def vacuum(self, *, dry_run: bool = False) -> int:
        """Give back what the catalogue does not use; the bytes won, 0 when it is not worth it or it is in use."""

    def rewrite_catalogue(self) -> bool:
        """Write the catalogue anew, so that nothing of what was deleted is left in it; False when it is in use."""
