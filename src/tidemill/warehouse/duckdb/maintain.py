"""The upkeep of a lake: see `warehouse.upkeep.Upkeep`. Each change is a short transaction under the writer's lock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from tidemill.core.errors import ConflictError
from tidemill.core.names import name_key
from tidemill.warehouse.duckdb import cleanup, compact, erase, expire, vacuum
from tidemill.warehouse.duckdb.commits import Commit, Commits, read_catalogue
from tidemill.warehouse.duckdb.engine import CATALOGUE, Engine
from tidemill.warehouse.duckdb.holding import holding
from tidemill.warehouse.duckdb.places import Places
from tidemill.warehouse.duckdb.publish import Change, is_system
from tidemill.warehouse.duckdb.session import DuckSession
from tidemill.warehouse.duckdb.shown import alive
from tidemill.warehouse.duckdb.sweep import orphans
from tidemill.warehouse.duckdb.verify import changed_files
from tidemill.warehouse.protocol import DataFile
from tidemill.warehouse.upkeep import Compaction, Condition, Freed, Holding, Snapshot

STEP = "compact"


class LakeParts(Protocol):
    """What of a lake its upkeep works with."""

    places: Places
    engine: Engine
    commits: Commits

    def session(self) -> DuckSession:
        """Give a reader at the newest snapshot."""

    def staging(self, attempt: str, table: str) -> AbstractContextManager[Path]:
        """Give a folder for the files of an attempt."""

    def change(self, change: Change, guard: Callable[[], None]) -> Commit:
        """Carry out a change in one transaction under the writer's lock."""

    def alone(self) -> AbstractContextManager[None]:
        """Be the only writer."""

    def translated(self) -> AbstractContextManager[None]:
        """Turn errors into Tidemill's."""


class LakeUpkeep:
    """Keeps a lake well. Made by `Lake.upkeep`."""

    def __init__(self, lake: LakeParts) -> None:
        self._lake = lake
        self._engine = lake.engine
        self._commits = lake.commits

    @property
    def _exists(self) -> bool:
        return self._engine.places.catalogue.exists()

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot of ours that can be read, oldest first."""
        if not self._exists:
            return []
        self._commits.forget()
        there = set(alive(self._engine))
        return [
            Snapshot(
                version=one.version,
                created_at=one.created_at,
                table=one.table,
                system=is_system(one.table) or one.action == "compact",
            )
            for one in self._commits.all()
            if one.version in there
        ]

    def compactions(self, *, target_bytes: int, least_files: int) -> list[Compaction]:
        """What is worth compacting now."""
        if not self._exists:
            return []
        with self._lake.translated():
            deleted = compact.deleted_rows(self._engine)
            found = [
                compact.choose(one, deleted, target_bytes=target_bytes, least_files=least_files)
                for one in self._commits.visible().values()
            ]
        return [one for one in found if one is not None]

    def compact(self, chosen: Compaction, *, run_id: str, guard: Callable[[], None]) -> tuple[DataFile, ...] | None:
        """Write files of a table anew in one commit; None when the table changed meanwhile."""
        lake = self._lake
        for file, detail in changed_files(lake.places, chosen.files):
            raise compact.damaged(chosen.table, file, detail)
        with lake.translated(), lake.staging(run_id, chosen.table) as folder:
            with lake.session() as session:
                written = compact.write_anew(session, chosen, folder)
            found = self._commits.of(chosen.table)
            if found is None:
                return None
            change = Change(
                action="compact",
                table=found.table,
                run_id=run_id,
                step=f"{STEP}:{name_key(found.table)}",
                columns=found.columns,
                files=written,
                emptied=chosen.files,
                at_end=not is_system(found.table),
            )
            try:
                landed = lake.change(change, guard)
            except ConflictError:
                return None
        return landed.added

    def expire(self, versions: Collection[int], *, dry_run: bool = False) -> Freed:
        """Forget snapshots; files that no other snapshot reads wait for `clean_up`."""
        if not self._exists or not versions:
            return Freed()
        wanted = sorted(versions)
        there = alive(self._engine)
        freed = expire.freed_by(self._engine, [version for version in there if version not in set(wanted)])
        if dry_run:
            return freed
        for start in range(0, len(wanted), expire.AT_ONCE):
            with self._lake.translated(), self._lake.alone():
                expire.expire(self._engine, self._commits, wanted[start : start + expire.AT_ONCE])
        return freed

    def holding(self, condition: Condition, *, within: Sequence[Holding] | None = None) -> list[Holding]:
        """Every data file on disk that has rows of which a condition is true."""
        if not self._exists:
            return []
        only = None if within is None else frozenset(one.path for one in within)
        with self._lake.translated():
            return holding(self._engine, condition, only)

    def erase(self, held: Sequence[Holding], condition: Condition, *, erasure: str, guard: Callable[[], None]) -> None:
        """Take the rows of which a condition is true out of every snapshot."""
        if not self._exists:
            return
        lake = self._lake
        with lake.translated(), lake.staging(erasure, "erased") as folder:
            made = erase.plan(self._engine, held, condition, folder)
            if made.empty:
                return
            with lake.alone():
                guard()
                erase.carry_out(self._engine, self._commits, made, erasure=erasure)

    def clean_up(self, *, older_than_s: float, dry_run: bool = False) -> Freed:
        """Remove the files that no snapshot reads since ``older_than_s``."""
        if not self._exists:
            return Freed()
        waiting = cleanup.scheduled(self._engine)
        gone = cleanup.due(waiting, older_than_s=older_than_s)
        for start in range(0, 0 if dry_run else len(gone), cleanup.AT_ONCE):
            with self._lake.translated(), self._lake.alone():
                cleanup.remove(self._engine, gone[start : start + cleanup.AT_ONCE])
        return cleanup.as_freed(waiting, gone)

    def orphans(self, *, older_than_s: float) -> dict[str, int]:
        """Files that a sweep would remove, and their bytes."""
        if not self._lake.places.lake.exists():
            return {}
        return orphans(self._engine, self._commits, older_than_s=older_than_s)

    def vacuum(self, *, dry_run: bool = False) -> int:
        """Give back what the catalogue does not use."""
        if not self._exists:
            return 0
        self._engine.attach_catalogue()
        pages, size, total = (self._pragma(name) for name in ("freelist_count", "page_size", "page_count"))
        free = vacuum.free_bytes(pages, size, total)
        if dry_run or not free:
            return free
        with self._lake.translated(), self._lake.alone():
            return vacuum.vacuum(self._lake.places.catalogue)

    def rewrite_catalogue(self) -> bool:
        """Write the catalogue anew, so that nothing of what was deleted is left in it; False when it is in use."""
        if not self._exists:
            return True
        with self._lake.translated(), self._lake.alone():
            return vacuum.rewrite(self._lake.places.catalogue)

    def _pragma(self, name: str) -> int:
        sql = f"SELECT * FROM sqlite_query('{CATALOGUE}', 'PRAGMA {name}')"
        return int(read_catalogue(self._engine, sql)[0][0])
