"""A reader of the lake at one snapshot: queries, schemas, and results kept for later."""

from __future__ import annotations

import contextlib
import re
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tidemill.core.errors import BindError, SourceError, TidemillError, TransientError, UnsupportedError
from tidemill.core.names import name_key, quote_name, quote_text
from tidemill.sources.formats import FORMATS
from tidemill.warehouse.duckdb.engine import SYSTEM, Engine
from tidemill.warehouse.duckdb.errors import Asked, translated
from tidemill.warehouse.duckdb.outside import NAMED, Attached
from tidemill.warehouse.duckdb.relations import GuardedRelation, KeptErrors
from tidemill.warehouse.duckdb.scalar_functions import names_any
from tidemill.warehouse.duckdb.types import stored_type
from tidemill.warehouse.protocol import ArrowStream, Column, DerivedView, LogView, SystemSource, TableVersion

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

SystemTables = Mapping[str, SystemSource]

_SYSTEM_NAME = re.compile(rf'\b"?{SYSTEM}"?\s*\.\s*("(?:[^"]|"")+"|\w+)', re.IGNORECASE)

# What shows the tables of all that is attached; a word too many only keeps old snapshots for a moment longer.
_LISTING = re.compile(r"\b(information_schema|(duckdb|pg|pragma|sqlite)_\w+|show|describe)\b", re.IGNORECASE)
_DETACHED = "__ducklake_metadata_"

_FILE_NAME = re.compile(r"'((?:[^']|'')+\.(?:csv|tsv|txt|parquet|json|jsonl|ndjson)(?:\.gz|\.zst)?)'", re.IGNORECASE)


# What the engine computes ahead of whoever takes its batches. With its own 1 MB, less than one batch, it waits while a
# batch is worked on: a pass over 13 numbers of a million rows took 1.6 times as long.
AHEAD = "32MB"


class DuckSession:
    """Reads one snapshot through connections of its own. Made by `Lake.session`."""

    def __init__(
        self,
        engine: Engine,
        *,
        version: int | None,
        tables: Callable[[], Sequence[str]],
        newest: Callable[[Sequence[str]], TableVersion | None],
        system: SystemTables | None,
    ) -> None:
        self.engine = engine
        self.version = version
        self._tables = tables
        self._newest = newest
        self._system = dict(system or {})
        self._lake: str | None = None
        self._memory: str | None = None
        self._kept = 0
        self._outside: dict[str, Attached] = {}
        self._notes: dict[str, None] = {}
        self._closed = False

    def query(
        self, sql: str, relations: Mapping[str, ArrowStream] | None = None, *, rows_per_batch: int = 65_536
    ) -> pa.RecordBatchReader:
        """Stream the result; nothing is held in memory beyond a few batches."""
        import pyarrow as pa

        opened = self._stream(sql, relations, rows_per_batch)
        schema = next(opened)
        return pa.RecordBatchReader.from_batches(schema, opened)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """The few rows of a result as Python values: nothing of Arrow is loaded for them."""
        with self.connection(sql, None) as cursor:
            check_is_query(cursor, sql)
            return self._executed(cursor, sql).fetchall()

    def schema(self, sql: str, relations: Mapping[str, ArrowStream] | None = None) -> pa.Schema:
        """The result's Arrow schema, without running the query."""
        import pyarrow as pa

        with self.connection(sql, relations) as cursor:
            relation = self.bind(cursor, sql)
            found: pa.Schema = relation.limit(0).to_arrow_table().schema
            if found.names != relation.columns:  # the engine renames doubles in a subquery
                fields = [field.with_name(name) for field, name in zip(found, relation.columns, strict=True)]
                found = pa.schema(fields)
            return found

    def columns(self, sql: str, relations: Mapping[str, ArrowStream] | None = None) -> tuple[Column, ...]:
        """The columns that a table of the result would have, without running the query."""
        with self.connection(sql, relations) as cursor:
            relation = self.bind(cursor, sql)
            check_names(relation.columns)
            return tuple(
                Column(name=name, type=stored_type(kind) or str(kind))
                for name, kind in zip(relation.columns, relation.types, strict=True)
            )

    def materialise(
        self, sql: str, relations: Mapping[str, ArrowStream] | None = None, *, sort: Sequence[str] = ()
    ) -> str:
        """Keep a result for this session (spills to disk); returns the name to read it under."""
        if self._memory is None:
            self._memory = self.engine.attach_memory(f"tidemill_session_{self.engine.number()}")
        self._kept += 1
        name = f"{self._memory}.main.rows_{self._kept}"
        head = f"CREATE TABLE {name} AS SELECT * FROM (\n"
        order = f" ORDER BY {', '.join(sort)}" if sort else ""
        with self.connection(sql, relations, prefix=len(head)) as cursor:
            self.bind(cursor, sql)
            cursor.execute(f"{head}{bare(sql)}\n){order}")
        return name

    def localised(self, sql: str) -> str:
        """Engine SQL with this session's own names for the tables of connections in it, which it opens to read."""
        outside = self.engine.outside

        def name(found: re.Match[str]) -> str:
            key, *path = (part.replace('""', '"') for part in found.groups())
            if key not in self._outside:
                attached = self._outside[key] = outside.attach(key)
                weakref.finalize(self, outside.leave, attached)
            attached = self._outside[key]
            outside.look(attached, (path[0], path[1]))
            shown = self._by_values(attached, (path[0], path[1]))
            return shown or ".".join(map(quote_name, (attached.catalogue, *path)))

        return NAMED.sub(name, sql)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how tables of connections are read."""
        return tuple(self._notes)

    def _by_values(self, attached: Attached, path: tuple[str, str]) -> str:
        """The name of a view that reads a table by its values; '' where its declared types tell all."""
        found = self.engine.outside.by_values(attached, path)
        if not found.items:
            return ""
        self._notes.update(dict.fromkeys(found.notes))
        if self._memory is None:
            self._memory = self.engine.attach_memory(f"tidemill_session_{self.engine.number()}")
        # The last part is the table's own name: columns may be said with it before them.
        schema = f"{self._memory}.{quote_name(attached.catalogue)}"
        view = f"{schema}.{quote_name(path[1])}"
        cursor = self.engine.cursor()
        try:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            cursor.execute(
                f"CREATE VIEW IF NOT EXISTS {schema}.{quote_name(path[1])} AS {found.sql(attached.catalogue)}"
            )
        finally:
            cursor.close()
        return view

    def row_hash(self, columns: Sequence[str]) -> str:
        """SQL expression: a 64-bit hash of the named columns' values, whatever the order they are named in."""
        ordered = sorted(columns, key=name_key)
        names = quote_text("\x1f".join(name_key(name) for name in ordered))
        return f"hash({', '.join([names, *map(quote_name, ordered)])})"

    def close(self) -> None:
        """Give back the snapshot and what was kept."""
        if self._closed:
            return
        self._closed = True
        for attached in self._outside.values():
            self.engine.outside.detach(attached)
        if self._memory is not None:
            self.engine.detach(self._memory)
        if self.version is not None and self._lake is not None:
            self.engine.drop_snapshot(self.version)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def connection(
        self, sql: str, relations: Mapping[str, ArrowStream] | None, *, prefix: int = 0
    ) -> Iterator[DuckDBPyConnection]:
        """A connection that sees this session's snapshot and the relations; errors inside become Tidemill's."""
        kept = KeptErrors()
        try:
            with contextlib.ExitStack() as stack:
                stack.enter_context(translated(self._asked(sql, prefix)))
                if _LISTING.search(sql):
                    stack.enter_context(self.engine.listing())
                check_files(sql, self.engine.places.search)
                cursor = self.engine.cursor()
                try:
                    # Before the search path, or the engine looks in the lake for what it registers them with: 4.7 ms
                    # of CPU where this way takes 1.6.
                    for name, origin in (relations or {}).items():
                        cursor.register(name, GuardedRelation(origin, kept))
                    if self.version is not None:
                        # The engine starts, and the lake is attached, with the first query.
                        self._lake = self._lake or self.engine.hold_snapshot(self.version)
                        cursor.execute(f"SET search_path = '{self._lake}.main'")
                    self._read_system(sql)
                    for extension in extensions_of(sql):
                        self.engine.load_extension(extension)
                    if names_any(sql):
                        self.engine.add_functions()
                    self.engine.outside.reach_files(sql)
                    yield cursor
                    self._require_same_columns(sql)
                finally:
                    cursor.close()
        except TidemillError as error:
            if kept.first is not None and kept.first is not error:
                raise kept.first from None
            # The engine stumbles over rows whose type is another by now: the reason comes before what it says.
            with contextlib.suppress(TransientError):
                self._require_same_columns(sql)
            raise

    def bind(self, cursor: DuckDBPyConnection, sql: str) -> DuckDBPyRelation:
        """Bind one query without running it."""
        import duckdb

        with translated(self._asked(sql)):
            check_is_query(cursor, sql)
        try:
            relation = cursor.sql(sql)
        except duckdb.Error:
            # Only `execute` tells errors as JSON, with their place; EXPLAIN binds and does not run.
            with translated(self._asked(sql, len("EXPLAIN "))), self.engine.listing():
                cursor.execute(f"EXPLAIN {sql}")
            raise
        if relation is None:
            raise UnsupportedError("the engine runs only queries here")
        return relation

    def _asked(self, sql: str, prefix: int = 0) -> Asked:
        outside = self.engine.outside
        attached = tuple(one for one in self._outside.values() if one.catalogue in sql)

        def names() -> list[str]:
            theirs = [name for one in attached for name in outside.tables(one)]
            return [*self._tables(), *theirs, *(f"{SYSTEM}.{name}" for name in self._system)]

        def clean(text: str) -> str:
            return outside.clean(text, attached)

        return Asked(
            sql=sql,
            places=self.engine.places,
            names=names,
            connections=tuple(one.connection.name for one in attached),
            prefix=prefix,
            clean=clean,
        )

    def _require_same_columns(self, sql: str) -> None:
        for attached in self._outside.values():
            if attached.catalogue in sql:
                self.engine.outside.require_same_columns(attached)

    def _stream(self, sql: str, relations: Mapping[str, ArrowStream] | None, rows_per_batch: int) -> Iterator[Any]:
        """First the schema, then the batches, all inside one connection."""
        with self.connection(sql, relations) as cursor:
            check_is_query(cursor, sql)
            cursor.execute(f"SET streaming_buffer_size = '{AHEAD}'")
            reader = self._executed(cursor, sql).to_arrow_reader(rows_per_batch)
            try:
                yield reader.schema
                yield from reader
            finally:
                reader.close()

    def _executed(self, cursor: DuckDBPyConnection, sql: str) -> DuckDBPyConnection:
        """Execute a query; again, when a snapshot went while the engine looked for what a name in it may have meant."""
        import duckdb

        try:
            return cursor.execute(sql)
        except duckdb.Error as error:
            if _DETACHED not in str(error):
                raise
        with self.engine.listing():
            return cursor.execute(sql)

    def _read_system(self, sql: str) -> None:
        """Fill the tables of ``tidemill.`` that a query names, just now."""
        if not self._system or SYSTEM not in sql.lower():
            return
        known = {name_key(name): name for name in self._system}
        for found in _SYSTEM_NAME.finditer(sql):
            name = found.group(1).strip('"')
            if name_key(name) in known:
                self._fill(known[name_key(name)])

    def _fill(self, name: str) -> None:
        source = self._system[name]
        if isinstance(source, LogView):
            self._fill_view(name, source)
            return
        if isinstance(source, DerivedView):
            for read in source.reads:
                self._fill(read)
            self._make_view(name, source.sql)
            return
        rows = source()
        with self.engine.system_lock:
            self.engine.attach_memory(SYSTEM)
            cursor = self.engine.cursor()
            try:
                cursor.register("tidemill_rows", rows)
                cursor.execute(f"CREATE OR REPLACE TABLE {SYSTEM}.main.{quote_name(name)} AS FROM tidemill_rows")
            finally:
                cursor.close()

    def _fill_view(self, name: str, view: LogView) -> None:
        """Show a log: the rows that rest in this session's snapshot, and those that are not there yet."""
        tail = f"{SYSTEM}.tails.{quote_name(name)}"
        rows = f"(FROM {tail})"
        if self._lake is not None and self._newest([view.table]) is not None:
            schema, table = view.table.split(".")
            rows = f"(FROM {self._lake}.{quote_name(schema)}.{quote_name(table)} UNION ALL BY NAME FROM {tail})"
        fresh = view.tail(self._newest(view.tables))
        with self.engine.system_lock:
            self.engine.attach_memory(SYSTEM)
            cursor = self.engine.cursor()
            try:
                cursor.register("tidemill_rows", fresh)
                # One transaction: no reader meets the view of one session with the tail of another.
                cursor.execute("BEGIN TRANSACTION")
                cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SYSTEM}.tails")
                cursor.execute(f"CREATE OR REPLACE TABLE {tail} AS FROM tidemill_rows")
                query = view.sql.format(rows=rows)
                cursor.execute(f"CREATE OR REPLACE VIEW {SYSTEM}.main.{quote_name(name)} AS {query}")
                cursor.execute("COMMIT")
            finally:
                cursor.close()

    def _make_view(self, name: str, sql: str) -> None:
        with self.engine.system_lock:
            cursor = self.engine.cursor()
            try:
                cursor.execute(f"CREATE OR REPLACE VIEW {SYSTEM}.main.{quote_name(name)} AS {sql}")
            finally:
                cursor.close()


def extensions_of(sql: str) -> list[str]:
    """The extensions that a query's readers need."""
    lower = sql.lower()
    return [one.extension for one in FORMATS if one.extension and one.reader in lower]


def check_is_query(cursor: DuckDBPyConnection, sql: str) -> None:
    """Refuse everything but one query: what changes tables goes through statements, what changes settings nowhere.

    Raises
    ------
    UnsupportedError
        The text holds another kind of statement, or several.
    """
    kinds = [statement.type.name for statement in cursor.extract_statements(sql)]
    if kinds in (["SELECT"], ["EXPLAIN"]):
        return
    if not kinds:
        raise UnsupportedError("there is no query in this text")
    if "pivot" in sql.lower() and kinds[-1] == "SELECT" and set(kinds[:-1]) == {"CREATE"}:
        # Its columns would depend on the rows, and so would everything that reads them.
        raise UnsupportedError(
            "PIVOT without a list of values is not supported", hint="name the values: PIVOT t ON c IN ('a', 'b') ..."
        )
    what = "several statements" if len(kinds) > 1 else f"a statement of kind {kinds[0]}"
    raise UnsupportedError(f"the engine runs one query at a time; this is {what}", kinds=kinds)


def check_files(sql: str, root: Path) -> None:
    """Refuse a relative file name that the current folder would answer instead of the project's folder.

    DuckDB looks in the current folder first and in ``file_search_path`` second: a query would read other rows
    depending on where it is started.

    Raises
    ------
    SourceError
        The current folder is not the project's and has a file of the same name.
    """
    here = Path.cwd()
    if here == root:
        return
    for found in _FILE_NAME.finditer(sql):
        name = found.group(1).replace("''", "'")
        if not name.startswith("/") and next(here.glob(name), None) is not None:
            raise SourceError(
                f"the file {name} is also in the current folder {here}, and the engine would read that one",
                hint=f"run from the project's folder {root}, or write the whole path",
                file=name,
            )


def check_names(names: Sequence[str]) -> None:
    """Refuse columns that could not be told apart.

    Raises
    ------
    BindError
        Two columns have the same name, letter case apart.
    """
    seen: dict[str, str] = {}
    for name in names:
        if not name:
            raise BindError("a column has an empty name", hint="name it: ... AS NAME")
        twin = seen.get(name_key(name))
        if twin is not None:
            raise BindError(
                f"two columns are named {name}" if twin == name else f"columns {twin} and {name} differ only in case",
                hint="give one of them another name with AS, or leave it out",
                columns=[twin, name],
            )
        seen[name_key(name)] = name


def bare(sql: str) -> str:
    """A query without the semicolons and blanks at its end, so that it can stand in brackets."""
    return re.sub(r"[;\s]+\Z", "", sql)
