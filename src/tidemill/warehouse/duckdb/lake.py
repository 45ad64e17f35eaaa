"""The lake: tables with every past version, behind `warehouse.protocol.Warehouse`."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tidemill.core.connections import ConnectionSettings
from tidemill.core.errors import CorruptError, NotFoundError
from tidemill.core.faults import fault
from tidemill.core.libraries import installed
from tidemill.core.names import did_you_mean, name_key, quote_name, quote_path, quote_text
from tidemill.core.source_tables import SourceTable
from tidemill.warehouse.duckdb import moves
from tidemill.warehouse.duckdb.commits import Commit, Commits, landed_in
from tidemill.warehouse.duckdb.engine import Engine, EngineSettings
from tidemill.warehouse.duckdb.errors import Asked, translated
from tidemill.warehouse.duckdb.locks import write_lock
from tidemill.warehouse.duckdb.maintain import LakeUpkeep
from tidemill.warehouse.duckdb.places import Places, make_folder
from tidemill.warehouse.duckdb.publish import Change, commit, is_system, split_table, staged_change
from tidemill.warehouse.duckdb.session import DuckSession
from tidemill.warehouse.duckdb.shown import alive
from tidemill.warehouse.duckdb.staging import Attempts, discard, stage, staged_again
from tidemill.warehouse.duckdb.sweep import sweep
from tidemill.warehouse.duckdb.verify import changed_files, size_of, verify
from tidemill.warehouse.protocol import (
    ArrowStream,
    Column,
    DataFile,
    Merge,
    Problem,
    RemoteFile,
    Session,
    Staged,
    SystemSource,
    TableVersion,
    Warehouse,
)

WRITE_WAIT_S = 60.0


def open_lake(
    root: Path,
    *,
    search_path: Path,
    connections: Mapping[str, ConnectionSettings] = MappingProxyType({}),
    threads: int | None = None,
    memory_limit: str | None = None,
    write_wait_s: float = WRITE_WAIT_S,
) -> Lake:
    """Open the lake of a project. Nothing is started or created until it is needed.

    Parameters
    ----------
    root
        The project's ``.tidemill`` folder.
    search_path
        Where relative file names in queries are looked up.
    connections
        The databases and the storage elsewhere that queries may read, by name.
    threads
        Threads for queries; every core when None.
    memory_limit
        Memory before queries spill to disk, such as ``2GB``; 80 % of the machine's when None.
    write_wait_s
        How long to wait for another process that is writing.
    """
    places = Places(root=root.resolve(), search=search_path.resolve())
    settings = EngineSettings(threads=threads, memory_limit=memory_limit)
    return Lake(places, settings, connections, write_wait_s=write_wait_s)


class Lake:
    """DuckDB reads and computes, DuckLake keeps the versions. Made by `open_lake`."""

    dialect = "duckdb"

    def __init__(
        self,
        places: Places,
        settings: EngineSettings,
        connections: Mapping[str, ConnectionSettings],
        *,
        write_wait_s: float,
    ) -> None:
        self.places = places
        self.engine = Engine(places, settings, connections)
        self.commits = Commits(self.engine)
        self._attempts = Attempts(places)
        self._write_wait_s = write_wait_s
        self._writing = threading.Lock()
        self._settled = False
        self._intact: set[str] = set()

    def session(
        self,
        *,
        system: Mapping[str, SystemSource] | None = None,
        at_least: int | None = None,
        at: int | None = None,
        tables: bool = True,
    ) -> DuckSession:
        """A reader at the newest snapshot, at an open one from ``at_least`` on, or exactly ``at`` one."""
        if not tables:
            return DuckSession(self.engine, version=None, tables=list, newest=lambda _: None, system=system)
        self._settle()
        version = at
        if at is not None:
            self._require_snapshot(at)
        elif at_least is not None:
            version = self.engine.held_snapshot(at_least)
        if version is None:
            commits = self.commits.all()
            version = commits[-1].version if commits else None
        return DuckSession(
            self.engine,
            version=version,
            tables=lambda: list(self.tables(at)),
            newest=lambda names: self.newest(names, version),
            system=system,
        )

    def stage(
        self,
        session: Session,
        sql: str,
        relations: Mapping[str, ArrowStream] | None,
        *,
        table: str,
        attempt: str,
        system: bool = False,
    ) -> Staged:
        """Compute a query into a file of this attempt; no lock is held, readers see nothing."""
        if not isinstance(session, DuckSession):
            raise TypeError("a lake stages the queries of its own sessions")
        split_table(table, system=system)
        with self.translated():
            folder = self._attempts.folder(attempt, table)
            try:
                return stage(session, sql, relations, table=table, folder=folder)
            except BaseException:
                self._attempts.finish(folder)
                raise

    def resting(self, table: str, version: int | None = None) -> Staged:
        """The rows of a visible version as a relation of its files, which the engine reads without the catalogue."""
        found = self._existing(table, version)
        if version is not None and any(size_of(self.places.lake / file.path) < 0 for file in found.all_files):
            raise NotFoundError(
                f"the rows of version {version} of table {table} are gone", table=table, version=version
            )
        if found.delete_files:
            # Which rows of its files are gone, and since when, is for the catalogue to say.
            relation = f"(FROM {quote_path(found.table)} AT (VERSION => {found.version}))"
            return Staged(
                table=found.table,
                columns=found.columns,
                files=found.files,
                rows=found.rows,
                relation=relation,
                by_name=True,
            )
        paths = [quote_text(str(self.places.lake / file.path)) for file in found.files]
        # Folders named COLUMN=VALUE are partitions, whose columns the files hold as well.
        relation = f"read_parquet([{', '.join(paths)}], hive_partitioning => false, union_by_name => {len(paths) > 1})"
        if not paths:
            kinds = ", ".join(f"NULL::{column.type} AS {quote_name(column.name)}" for column in found.columns)
            relation = f"(SELECT {kinds} WHERE false)"
        return Staged(table=found.table, columns=found.columns, files=found.files, rows=found.rows, relation=relation)

    def staged_again(self, table: str, files: Sequence[DataFile], *, attempt: str) -> Staged | None:
        """Rows that a process which is gone staged in an attempt; None when a file is missing or changed."""
        with self.translated():
            folder = self._attempts.folder(attempt, table)  # claimed: no sweep takes them away meanwhile
            found = staged_again(self.engine, table, files)
            if found is None:
                self._attempts.finish(folder)
            return found

    def discard(self, staged: Staged) -> None:
        """Remove files that will not be published."""
        with self.translated():
            discard(staged, self.places, self._attempts)

    def publish(
        self,
        staged: Staged,
        *,
        run_id: str,
        step: str,
        guard: Callable[[], None],
        message: str = "",
        state: Mapping[str, Any] | None = None,
    ) -> TableVersion:
        """Make staged rows the table's newest version, in one transaction under the writer's lock."""
        change = staged_change(staged, action="replace", run_id=run_id, step=step, message=message, state=state)
        return self._change(change, guard, staged)

    def append(
        self, staged: Staged, *, run_id: str, step: str, guard: Callable[[], None], message: str = ""
    ) -> TableVersion:
        """Add staged rows to the table, otherwise as `publish`; the version that is there where there are none."""
        there = self.commits.of(staged.table)
        if not staged.rows and there is not None and there.action != "drop":
            guard()
            self.discard(staged)  # the engine makes no snapshot of nothing
            return there.as_version()
        change = staged_change(staged, action="append", run_id=run_id, step=step, message=message)
        return self._change(change, guard, staged)

    def merge(
        self,
        staged: Staged,
        merge: Merge,
        *,
        run_id: str,
        step: str,
        guard: Callable[[], None],
        message: str = "",
        state: Mapping[str, Any] | None = None,
    ) -> TableVersion:
        """Put staged rows in the place of those they replace, otherwise as `publish`."""
        change = staged_change(
            staged, action="merge", run_id=run_id, step=step, message=message, state=state, merge=merge
        )
        landed = self._change(change, guard, staged)
        if merge.gone is not None:
            self.discard(merge.gone)
        return landed

    def state(self, table: str, at: int | None = None) -> dict[str, Any] | None:
        """What the commits of a table say of how far it is, up to a snapshot; None when it is not there."""
        found = self.commits.of(table, at)
        return found.state if found is not None and found.action != "drop" else None

    def drop(self, table: str, *, run_id: str, step: str, guard: Callable[[], None]) -> None:
        """Drop a table; its past versions stay readable by version."""
        if self.landed(run_id, step) is None:
            known = self._existing(table)
            split_table(known.table)
            self._change(Change(action="drop", table=known.table, run_id=run_id, step=step), guard, None)

    def landed(self, run_id: str, step: str) -> TableVersion | None:
        """The version that a run's step committed, if it did."""
        found = self.commits.landed(run_id, step)
        return found.as_version() if found is not None else None

    def tables(self, at: int | None = None) -> dict[str, int]:
        """Visible tables and the version that last changed each; with ``at`` as they were at that snapshot."""
        return {table: found.rows_from.version for table, found in self.commits.visible(at=at).items()}

    def newest(self, tables: Sequence[str], at: int | None = None) -> TableVersion | None:
        """The newest version of any of some tables, at a snapshot or now; None when none of them exists."""
        found = [commit for table in tables if (commit := self.commits.of(table, at)) and commit.action != "drop"]
        return max((commit.as_version() for commit in found), key=lambda one: one.version, default=None)

    def columns(self, table: str, version: int | None = None) -> tuple[Column, ...]:
        """A table's columns."""
        return self._existing(table, version).columns

    def history(self, table: str) -> list[TableVersion]:
        """All versions of a table, newest first."""
        key = name_key(self._known(table).table)
        there = set(alive(self.engine))
        return [
            replace(found.as_version(), readable=found.version in there)
            for found in reversed(self.commits.all())
            if name_key(found.table) == key and found.action not in {"drop", "compact"}
        ]

    def files(self, table: str, version: int | None = None) -> tuple[DataFile, ...]:
        """The data files behind a version."""
        return self._existing(table, version).files

    def require_intact(self, tables: Sequence[str], at: int | None = None) -> None:
        """Refuse to go on when a data file of these tables' newest versions is not what was written."""
        visible = {name_key(name): found for name, found in self.commits.visible(at=at).items()}
        for table in tables:
            found = visible.get(name_key(table))
            # What this process has hashed itself, writing or checking, it need not hash again.
            files = [file for file in self._opened(found) if file.path not in self._intact] if found else []
            for file, detail in changed_files(self.places, files):
                raise CorruptError(
                    f"table {table} is damaged: {file.path}: {detail}",
                    hint="tidemill verify lists all damage; tidemill run --full-refresh builds the table again",
                    table=table,
                    file=file.path,
                )
            self._intact.update(file.path for file in files)

    def damaged(self) -> frozenset[str]:
        """Tables whose newest files are gone or have another size: a look at the folder, not at the bytes."""
        return frozenset(
            table
            for table, found in self.commits.visible().items()
            # The prediction log has many files and no plan depends on it: `verify` looks at them.
            if not is_system(table)
            and any(size_of(self.places.lake / file.path) != file.bytes for file in found.all_files)
        )

    def verify(self, table: str | None = None, *, digests: bool = True) -> list[Problem]:
        """Check every file of every version against its recorded digest; report what is missing, cut or changed."""
        if table is not None:
            self._known(table)
        with self.translated():
            return verify(self.engine, self.commits, table, digests=digests)

    def make_ready(self) -> None:
        """Start both instances and load their extensions, before several threads read and publish."""
        with self.translated():
            self.engine.make_ready()

    def sweep(self, *, older_than_s: float) -> list[str]:
        """Remove files no snapshot names and no attempt owns, after a grace period; returns their paths."""
        if not self.places.lake.exists():
            return []
        with self.translated(), self.alone():
            return sweep(self.engine, self.commits, older_than_s=older_than_s)

    def source_tables(self, connection: str) -> list[str]:
        """The tables of a connection, by the shortest names that SQL reads them by."""
        outside = self.engine.outside
        with self.translated(), outside.open(connection) as attached:
            return outside.tables(attached)

    def source_version(self, connection: str) -> str:
        """A text that is the same only while no row of a connection changed; '' when nothing tells."""
        outside = self.engine.outside
        with self.translated(), outside.open(connection) as attached:
            return outside.version(attached)

    def source_checksum(self, table: SourceTable) -> str:
        """A digest of all rows of a table, which its server computes; '' when it has none."""
        outside = self.engine.outside
        with self.translated(), outside.open(table.connection) as attached:
            return outside.checksum(attached, table)

    def remote_files(self, pattern: str) -> list[RemoteFile]:
        """The files on another machine behind a pattern, sorted by name."""
        sql = f"SELECT filename, size, epoch_us(last_modified) FROM read_blob({quote_text(pattern)}) ORDER BY filename"
        with self.session() as session:
            rows = session.query(sql).read_all().to_pylist()
        return [RemoteFile(name=name, bytes=size, changed_us=at) for name, size, at in (row.values() for row in rows)]

    def describe(self) -> dict[str, Any]:
        """Engine, versions and places, for `doctor` and for lineage."""
        commits = self.commits.all()
        return {
            "engine": "duckdb",
            "duckdb": installed("duckdb"),
            "ducklake": installed("duckdb-extension-ducklake"),
            "catalogue": str(self.places.catalogue),
            "data": str(self.places.data),
            "version": commits[-1].version if commits else None,
            "tables": len(self.commits.visible()),
        }

    @property
    def upkeep(self) -> LakeUpkeep:
        """What keeps the lake well."""
        return LakeUpkeep(self)

    @contextlib.contextmanager
    def staging(self, attempt: str, table: str) -> Iterator[Path]:
        """Give a folder for the files of an attempt; what is left in it at the end is removed."""
        folder = self._attempts.folder(attempt, table)
        try:
            yield folder
        finally:
            for path in folder.glob("*"):
                path.unlink()
            self._attempts.finish(folder)

    def close(self) -> None:
        """Stop the engine and give up what was staged and not published."""
        self._attempts.close()
        self.engine.close()

    def _change(self, change: Change, guard: Callable[[], None], staged: Staged | None) -> TableVersion:
        found = self.change(change, guard)
        if staged is not None:
            discard(staged, self.places, self._attempts)
        return found.as_version()

    def change(self, change: Change, guard: Callable[[], None]) -> Commit:
        """Carry out a change in one transaction under the writer's lock; once, however often it is asked for."""
        make_folder(self.places.lake)
        self._settle()
        with self.translated(), self.alone():
            known = self.commits.all()
            found = landed_in(known, change.run_id, change.step)
            if found is None:
                if not self.places.catalogue.exists():
                    self.engine.create_lake()
                fault("publish.locked")
                found = commit(self.engine, self.commits, known, change, guard)
        self._intact.update(file.path for file in change.files)
        return found

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only writer, among this process's threads and among processes."""
        with self._writing, write_lock(self.places.lock, wait_s=self._write_wait_s):
            yield

    def _settle(self) -> None:
        """When the project was moved, tell the catalogue so, once."""
        if self._settled:
            return
        if moves.moved_from(self.engine) is not None:
            with self.translated(), self.alone():
                old = moves.moved_from(self.engine)
                if old is not None:
                    moves.settle(self.engine, old)
        self._settled = True

    def _opened(self, commit: Commit) -> list[DataFile]:
        """The files that a reader of a version opens: of its delete files those that count today.

        A later deletion writes the delete file of a data file anew, with the snapshot of each position in it.
        """
        marks = commit.delete_files
        key, of = name_key(commit.table), {mark.of for mark in marks}
        every = self.commits.all() if marks else ()
        now = {
            mark.of: mark.file
            for one in every
            if name_key(one.table) == key
            for mark in one.effect.delete_files
            if mark.of in of
        }
        return [*commit.files, *now.values()]

    def _require_snapshot(self, at: int) -> None:
        commits = self.commits.known_upto(at)
        there = alive(self.engine) if commits else []
        if at in there and any(commit.version == at for commit in commits):
            return
        commits = self.commits.all()
        newest = f"the newest is {commits[-1].version}" if commits else "nothing was published yet"
        if commits and at < commits[-1].version and at not in there:
            newest += "; tidemill maintain forgets old ones: see [maintain] in tidemill.toml"
        raise NotFoundError(f"the warehouse has no snapshot {at}", hint=newest, snapshot=at)

    def _known(self, table: str, version: int | None = None) -> Commit:
        """The newest commit of a table, were it a drop."""
        found = self.commits.of(table, version)
        if found is None:
            at = f" at version {version}" if version is not None else ""
            raise NotFoundError(
                f"there is no table {table}{at}", hint=did_you_mean(table, self.commits.visible()), table=table
            )
        return found

    def _existing(self, table: str, version: int | None = None) -> Commit:
        found = self._known(table, version)
        if found.action == "drop":
            dropped = self._dropped(table, found.version)
            raise NotFoundError(
                f"table {table} was dropped in version {dropped}",
                hint=f"its rows are still there: SELECT * FROM {table} AT (VERSION => {dropped - 1})",
                table=table,
            )
        return found

    def _dropped(self, table: str, at: int) -> int:
        """The version in which a table went that is gone; a later commit may say so again (see `erase`)."""
        known = reversed(self.commits.all())
        mine = (one for one in known if name_key(one.table) == name_key(table) and one.version <= at)
        return min(one.version for one in itertools.takewhile(lambda one: one.action == "drop", mine))

    def translated(self) -> contextlib.AbstractContextManager[None]:
        """Turn the engine's and the system's errors inside a block into Tidemill's."""
        return translated(Asked(places=self.places))


def _is_a_warehouse(lake: Lake) -> Warehouse:
    """Let the type checker hold `Lake` to the protocol."""
    return lake
