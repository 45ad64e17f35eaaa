"""What a warehouse must do. DuckDB + DuckLake is the first implementation, Spark will be the second.

``testing.warehouse`` holds every implementation to this contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

from tidemill.core.source_tables import SourceTable
from tidemill.warehouse.files import DataFile as DataFile

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.warehouse.upkeep import Upkeep


class ArrowStream(Protocol):
    """Anything that hands out rows through the Arrow PyCapsule interface.

    An engine may ask more than once (a plan that reads a relation twice): each call must begin a fresh stream.
    """

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as the engine has it. ``type`` is the engine's name of the type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Rows computed and written, hashed and fsynced, but not visible: waiting for the audit."""

    table: str
    columns: tuple[Column, ...]
    files: tuple[DataFile, ...]
    rows: int
    relation: str  # engine SQL under which a session reads the staged rows, e.g. read_parquet([...])
    by_name: bool = False  # whether the relation names a table, which a session without tables does not see


@dataclass(frozen=True, slots=True, kw_only=True)
class TableVersion:
    """One visible version of a table.

    Parameters
    ----------
    action
        replace, append or merge: how it came of the version before it.
    added, replaced, deleted
        What its commit did: rows it brought, of which so many stand in the place of others, and rows it took away.
    watermark
        The greatest value of the column that an incremental table goes by; '' for others.
    readable
        Whether its number can still be read: `tidemill maintain` forgets old ones.
    """

    table: str
    version: int
    created_at: datetime
    run_id: str
    step: str
    rows: int
    bytes: int
    message: str = ""
    action: str = "replace"
    added: int = 0
    replaced: int = 0
    deleted: int = 0
    watermark: str = ""
    readable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """How staged rows meet the rows of the table.

    Parameters
    ----------
    base
        The version of the table that the staged rows were computed from; another one by now is a conflict.
    keys
        Columns that name a row: rows that are there go when the staged rows, or ``gone``, have their keys. Without
        keys none goes.
    gone
        Staged rows of the columns ``keys``: rows that go and are not replaced.
    deletes
        How many rows ``gone`` takes away.
    columns
        The table's columns from now on, when the staged rows bring new ones; rows from before have NULL there.
    """

    base: int
    keys: tuple[str, ...] = ()
    gone: Staged | None = None
    deletes: int = 0
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogView:
    """A system table whose rows rest in the warehouse, but for the newest, which are on their way there.

    Parameters
    ----------
    table
        The table of the warehouse that has the rows; it need not exist yet.
    tables
        All tables that the log's keeper writes: the newest of their versions says how far it has come.
    sql
        The query behind the view; ``{rows}`` stands for the rows of the table and of the tail together.
    tail
        The rows that are not in that version (None: in no version), with their types even when there are none.
    """

    table: str
    tables: tuple[str, ...]
    sql: str
    tail: Callable[[TableVersion | None], pa.Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedView:
    """A system table that is a query over others.

    Parameters
    ----------
    reads
        The names of the system tables that it reads, in the order in which they are to be looked at.
    sql
        The query; it calls them ``tidemill.NAME``.
    """

    reads: tuple[str, ...]
    sql: str


SystemSource: TypeAlias = "Callable[[], pa.Table] | LogView | DerivedView"
"""Where the rows of a system table come from, each time a query asks for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file on another machine: its URL, size, and when it was last changed (microseconds since 1970)."""

    name: str
    bytes: int
    changed_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something `verify` found wrong."""

    what: str
    object: str
    detail: str


class Session(Protocol):
    """A reader: one consistent snapshot, its own settings, cheap to open; not shared between threads."""

    @property
    def version(self) -> int | None:
        """The snapshot it reads; None while nothing was ever published."""

    def query(
        self, sql: str, relations: Mapping[str, ArrowStream] | None = None, *, rows_per_batch: int = 65_536
    ) -> pa.RecordBatchReader:
        """Stream the result; nothing is held in memory beyond a few batches."""

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """The few rows of a result, as Python values."""

    def schema(self, sql: str, relations: Mapping[str, ArrowStream] | None = None) -> pa.Schema:
        """The result's Arrow schema, without running the query."""

    def columns(self, sql: str, relations: Mapping[str, ArrowStream] | None = None) -> tuple[Column, ...]:
        """The columns that a table of the result would have, without running the query."""

    def materialise(
        self, sql: str, relations: Mapping[str, ArrowStream] | None = None, *, sort: Sequence[str] = ()
    ) -> str:
        """Keep a result for this session (spills to disk); returns the name to read it under.

        With ``sort`` (SQL expressions) the rows are kept in that order.
        """

    def localised(self, sql: str) -> str:
        """Engine SQL with this session's own names for the tables of connections in it, which it opens to read.

        `core.connections.source_path` says which names stand for them; SQL that has none comes back as it is.
        """

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how tables of connections are read, of those that were named so far."""

    def row_hash(self, columns: Sequence[str]) -> str:
        """SQL expression: an unsigned 64-bit hash of the named columns' values and names, fixed for this engine."""

    def close(self) -> None:
        """Give back what the session holds."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Warehouse(Protocol):
    """Tables with every past version, behind one writer at a time."""

    dialect: str  # the sqlglot name of the SQL it runs

    def session(
        self,
        *,
        system: Mapping[str, SystemSource] | None = None,
        at_least: int | None = None,
        at: int | None = None,
        tables: bool = True,
    ) -> Session:
        """A reader at the newest snapshot. ``system`` tables appear as ``tidemill.NAME``, read when asked for.

        Without ``tables`` it sees no table by its name, only relations such as those of `resting`, and starts faster.

        With ``at_least`` any snapshot from that version on will do: one that is open already costs nothing. With
        ``at`` it reads exactly that snapshot, however old.

        Raises
        ------
        NotFoundError
            There is no snapshot ``at``.
        """

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
        """Compute a query into files of this attempt; no lock is held, readers see nothing.

        A table in a dataset called ``tidemill_...`` is the system's own: refused without ``system``.
        """

    def resting(self, table: str, version: int | None = None) -> Staged:
        """The rows of a visible version as a relation of its files, or of the table where rows of them are gone.

        Raises
        ------
        NotFoundError
            There is no such table, or not at that version.
        """

    def staged_again(self, table: str, files: Sequence[DataFile], *, attempt: str) -> Staged | None:
        """Rows that a process which is gone staged in an attempt; None when a file is missing or changed."""

    def discard(self, staged: Staged) -> None:
        """Remove files that will not be published."""

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
        """Make staged rows the table's newest version, in one transaction under the writer's lock.

        ``guard`` is called inside, just before the commit; when it raises (a lost lease), nothing is visible.
        Publishing the same (run_id, step) twice returns the version that landed. ``state`` is plain data that
        commits with the rows: see `state`.
        """

    def append(
        self, staged: Staged, *, run_id: str, step: str, guard: Callable[[], None], message: str = ""
    ) -> TableVersion:
        """Add staged rows to the table, otherwise as `publish`; the version that is there where there are none."""

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
        """Put staged rows in the place of those they replace, otherwise as `publish`.

        Raises
        ------
        ConflictError
            The table is not at the version that the rows were computed from.
        """

    def state(self, table: str, at: int | None = None) -> dict[str, Any] | None:
        """What the commits of a table say of how far it is, up to a snapshot; None when it never was or is dropped.

        The states of one table add up: of two of them with the same name the later counts, and those that are
        mappings are joined. Publishing the table anew begins with nothing.
        """

    def drop(self, table: str, *, run_id: str, step: str, guard: Callable[[], None]) -> None:
        """Drop a table; its past versions stay readable by version."""

    def landed(self, run_id: str, step: str) -> TableVersion | None:
        """The version that a run's step committed, if it did: asked before any retry."""

    def tables(self, at: int | None = None) -> dict[str, int]:
        """Visible tables and the version that last changed each; with ``at`` as they were at that snapshot."""

    def newest(self, tables: Sequence[str], at: int | None = None) -> TableVersion | None:
        """The newest version of any of some tables, at a snapshot or now; None when none of them exists."""

    def columns(self, table: str, version: int | None = None) -> tuple[Column, ...]:
        """A table's columns."""

    def history(self, table: str) -> list[TableVersion]:
        """All versions of a table, newest first."""

    def files(self, table: str, version: int | None = None) -> tuple[DataFile, ...]:
        """The data files behind a version."""

    def verify(self, table: str | None = None, *, digests: bool = True) -> list[Problem]:
        """Check every file of every version against its recorded digest; report what is missing, cut or changed.

        Parameters
        ----------
        digests
            Whether files are read; otherwise only their sizes are looked at, and the catalogue.
        """

    def damaged(self) -> frozenset[str]:
        """Tables whose newest files are gone or have another size; cheap enough to ask before every plan."""

    def require_intact(self, tables: Sequence[str], at: int | None = None) -> None:
        """Refuse to go on when a data file of these tables' newest versions is not what was written.

        With ``at`` it is asked of the versions they had at that snapshot.

        Raises
        ------
        CorruptError
            A file is missing, cut or changed. Names that are not tables here are passed over.
        """

    def make_ready(self) -> None:
        """Start and load what reading and publishing need, before several threads do either."""

    def sweep(self, *, older_than_s: float) -> list[str]:
        """Remove files no snapshot names and no attempt owns, after a grace period; returns their paths."""

    def source_tables(self, connection: str) -> list[str]:
        """The tables of a connection, by the shortest names that SQL reads them by."""

    def source_version(self, connection: str) -> str:
        """A text that is the same only while no row of a connection changed; '' when nothing tells."""

    def source_checksum(self, table: SourceTable) -> str:
        """A digest of all rows of a table, which its server computes; '' when it has none."""

    def remote_files(self, pattern: str) -> list[RemoteFile]:
        """The files on another machine behind a pattern, sorted by name."""

    def describe(self) -> dict[str, Any]:
        """Engine, versions and places, for `doctor` and for lineage."""

    @property
    def upkeep(self) -> Upkeep:
        """What keeps it well: compaction, expiry, removal."""

    def close(self) -> None:
        """Stop; streams that are still open end."""
