"""The graph of a project's columns: its statements, and what the lake, the files and the registry know besides.

What one version of a model was made from is another question: see `runner.lineage`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from tidemill.core.connections import ConnectionSettings
from tidemill.core.errors import TidemillError
from tidemill.core.names import asset_key, name_key
from tidemill.core.source_tables import find_source, source_path
from tidemill.runner.files import FileReads, ProjectFolder
from tidemill.runner.shape import load_query
from tidemill.sources.patterns import files_of, is_remote
from tidemill.warehouse.control.assets import Asset, load_assets

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from tidemill.column_lineage.build import Made
    from tidemill.column_lineage.graph import ColumnGraph, ColumnRef
    from tidemill.column_lineage.models import ModelColumns
    from tidemill.runner.statements import ProjectStatements
    from tidemill.sql.statements import LoadData
    from tidemill.warehouse.control.database import Database
    from tidemill.warehouse.protocol import Session, Warehouse

FOLLOWED = ("table", "view", "model", "load", "assert")


def column_graph(
    statements: ProjectStatements, *, db: Database, known: ProjectKnows, around: Collection[str] = ()
) -> ColumnGraph:
    """The columns of a project, of its files and of what was typed.

    Parameters
    ----------
    around
        Keys of assets: only what leads to them and what comes from them is followed. Empty for all.
    """
    from tidemill.column_lineage.build import build_column_graph

    return build_column_graph(_made(statements, db), known, around=around)


def graph_around(
    name: str, statements: ProjectStatements, *, db: Database, known: ProjectKnows
) -> tuple[ColumnGraph, ColumnRef]:
    """The graph around what a name says, and where in it that is.

    Raises
    ------
    NotFoundError
        There is none of that name.
    """
    from tidemill.column_lineage.build import build_column_graph
    from tidemill.column_lineage.select import find_ref

    made = _made(statements, db)
    keys = {asset_key(one.summary.name) for one in made}
    # A source that no statement makes is found only by following everything.
    around = [key for key in (asset_key(name), asset_key(name.rpartition(".")[0])) if key in keys][:1]
    graph = build_column_graph(made, known, around=around)
    return graph, find_ref(graph, _one_name(graph, name, known))


def _one_name(graph: ColumnGraph, name: str, known: ProjectKnows) -> str:
    """What a name says, with a table of a connection under the name that the graph has for it."""
    table, _, column = name.rpartition(".")
    for whole, rest in ((name, ""), (table, f".{column}")):
        if asset_key(known.source_name(whole)) in graph.nodes:
            return known.source_name(whole) + rest
    return name


def _made(statements: ProjectStatements, db: Database) -> list[Made]:
    """The statements of the files, and of what was typed and still is there."""
    from tidemill.column_lineage.build import Made

    made = [
        Made(summary=summary, statement=partial(statements.statement, summary.file, summary.ordinal))
        for summary in statements.summaries()
        if summary.kind in FOLLOWED
    ]
    named = {asset_key(one.summary.name) for one in made}
    typed = [asset for asset in load_assets(db).values() if asset.origin == "sql" and asset.key not in named]
    followed = (_typed(asset) for asset in typed if asset.kind in FOLLOWED)
    return [*made, *(one for one in followed if one is not None)]


def _typed(asset: Asset) -> Made | None:
    """A statement that was typed, as it is kept in the control database; None for a table that a command made."""
    from tidemill.column_lineage.build import Made
    from tidemill.sql.parse import parse_text
    from tidemill.sql.summarise import summarise

    statements = parse_text(asset.statement, file="", dialect=asset.dialect)
    if not statements:
        return None
    statement = statements[0]
    return Made(summary=summarise(statement, 0), statement=lambda: statement)


class ProjectKnows:
    """What a project knows besides its SQL (`column_lineage.build.Known`). Nothing is opened before it is asked for."""

    def __init__(
        self,
        root: Path,
        *,
        db: Database,
        warehouse: Callable[[], Warehouse],
        connections: Mapping[str, ConnectionSettings] = MappingProxyType({}),
        has_lake: bool,
    ) -> None:
        self.connections = connections
        self._root = root
        self._db = db
        self._warehouse = warehouse
        self._has_lake = has_lake
        self._session: Session | None = None
        self._tables: dict[str, str] | None = None

    def table_columns(self, name: str) -> Sequence[str] | None:
        """The columns of a table that is in the lake; None when it is not there."""
        if not self._has_lake:
            return None
        if self._tables is None:
            self._tables = {asset_key(table): table for table in self._warehouse().tables()}
        found = self._tables.get(asset_key(name))
        return None if found is None else [column.name for column in self._warehouse().columns(found)]

    def file_columns(self, sql: str) -> Sequence[str] | str:
        """The columns of what a reader call reads, or a sentence why nobody knows."""
        from tidemill.sql.bind import bind_query
        from tidemill.sql.parse import parse_text
        from tidemill.sql.reads import find_tree_reads
        from tidemill.sql.statements import Select

        statement = parse_text(f"SELECT * {sql}", file="", dialect="duckdb")[0]
        patterns = find_tree_reads(statement.query.tree)[2] if isinstance(statement, Select) else ()
        remote = [pattern for pattern in patterns if is_remote(pattern)]
        if remote:
            return (
                f"the columns of {remote[0]} are not known: it is on another machine, and lineage reads nothing there"
            )
        missing = [pattern for pattern in patterns if not files_of(pattern, self._root)]
        if missing or not isinstance(statement, Select):
            return f"its columns are not known: there is no such file ({missing[0] if missing else sql})"
        try:
            reads = FileReads(ProjectFolder(self._root, self._db), self._reader())
            bound = bind_query(statement.query, views={}, files=reads.sql)
            names: list[str] = self._reader().schema(bound.sql).names
        except TidemillError as error:
            return f"its columns are not known: {error.message}"
        return names

    def source_columns(self, name: str) -> Sequence[str] | str:
        """The columns of a table of a connection, or a sentence why nobody knows."""
        try:
            source = find_source(name, self.connections)
            if source is None:
                return f"its columns are not known: {name} is no table of a connection"
            session = self._reader()
            names: list[str] = session.schema(session.localised(f"SELECT * FROM {source_path(source)}")).names
        except TidemillError as error:
            return f"its columns are not known: {error.message}"
        return names

    def source_name(self, name: str) -> str:
        """The one name of a table of a connection, which may be written with its schema or without."""
        try:
            source = find_source(name, self.connections)
        except TidemillError:
            return name  # which is what the statement is refused for
        return name if source is None else source.name

    def load_query(self, statement: LoadData) -> str:
        """The engine SQL behind LOAD DATA."""
        return load_query(statement)

    def model(self, name: str) -> ModelColumns | None:
        """A model that no statement makes, as it is registered; None when there is none."""
        from tidemill.column_lineage.models import ModelColumns
        from tidemill.warehouse.control.models import list_models

        if not any(name_key(one.name) == name_key(name) for one in list_models(self._db)):
            return None
        return ModelColumns(key=asset_key(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._session.close()

    def _reader(self) -> Session:
        if self._session is None:
            self._session = self._warehouse().session()
        return self._session
