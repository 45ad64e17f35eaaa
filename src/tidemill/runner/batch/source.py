"""What a batch reads: one query on one snapshot, whose rows come in one order each time they are read.

A projection or filter of a table or of files comes in the order in which it is stored. Anything else (joins, groups,
calls, system tables) is copied to a data file once, and the copy is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tidemill.core.digest import digest_value
from tidemill.core.errors import SettingsError, SourceError
from tidemill.core.names import asset_key, quote_path, quote_text
from tidemill.governance.ledger import read_ledger
from tidemill.planner.graph import SYSTEM_SCHEMA
from tidemill.registry.lineage import name_of
from tidemill.runner.erased_rows import without_erased
from tidemill.runner.erasure_book import site_of
from tidemill.runner.execute import OpenQuery, open_query
from tidemill.runner.files import FileReads
from tidemill.runner.inputs import file_digests
from tidemill.runner.lineage import files_read, views_read
from tidemill.runner.views import SavedViews
from tidemill.sources.patterns import files_of, is_remote
from tidemill.warehouse.control.assets import load_assets

if TYPE_CHECKING:
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations
    from tidemill.sql.statements import Query
    from tidemill.warehouse.protocol import DataFile, Session

COPY = "scoring_input"
FILES = ("csv", "tsv", "parquet", "json", "jsonl", "ndjson")


class Asked(Protocol):
    """What names an input: a table, view or file, or else a query in a dialect. Relative files begin ``here``."""

    @property
    def input(self) -> str:
        """A table, a view, a file or a pattern; empty with a query."""

    @property
    def query(self) -> str:
        """A query whose rows are read."""

    @property
    def dialect(self) -> str:
        """The dialect of the query; empty for the project's."""

    @property
    def here(self) -> Path:
        """Where relative file names begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An opened input.

    Parameters
    ----------
    shown
        The input as the log shows it.
    facts
        All that its rows depend on: the same facts, the same rows.
    stable
        Its rows come in one order each time.
    pinned
        The facts tell all. Rows of other machines and of system tables may have changed all the same.
    """

    session: Session
    query: OpenQuery
    shown: str
    facts: Mapping[str, Any]
    stable: bool
    pinned: bool
    files: tuple[str, ...]

    @property
    def version(self) -> dict[str, Any]:
        """The facts, and the snapshot they were read in."""
        return {"snapshot": self.session.version, **self.facts}

    def rest(self, first_row: int) -> OpenQuery:
        """The rows from one on."""
        if not first_row:
            return self.query
        return replace(self.query, sql=f"SELECT * FROM ({self.query.sql}\n) AS tm_all OFFSET {first_row}")

    def has_more_than(self, rows: int) -> bool:
        """Whether there are more rows than this; no more are looked at."""
        sql = f"SELECT count(*) FROM (SELECT 1 FROM ({self.query.sql}\n) AS tm_all LIMIT {rows + 1}) AS tm_some"
        found = self.session.query(sql, self.query.relations).read_all()
        return int(found.column(0)[0].as_py()) > rows

    def without_erased(self, stations: Stations) -> tuple[Source, tuple[str, ...]]:
        """The rows of all but people who were erased, and what is to be said of it."""
        sql, said = without_erased(stations, self.session, self.query.sql, self.query.relations)
        return replace(self, query=replace(self.query, sql=sql)), said

    def copied(self, relation: str) -> Source:
        """The same input, read from a copy."""
        return replace(self, query=OpenQuery(sql=f"SELECT * FROM {relation}", relations={}), stable=True)


def is_file(name: str) -> bool:
    """Whether an input or output is a file: its name ends as files do, or has a folder in it."""
    bare = name.lower().removesuffix(".gz").removesuffix(".zst")
    return "/" in name or is_remote(name) or (bare.rpartition(".")[2] in FILES and "." in bare)


@contextmanager
def open_source(stations: Stations, request: Asked) -> Iterator[Source]:
    """Bind and open the input of a request on the newest snapshot.

    Raises
    ------
    TidemillError
        It cannot be read, or a data file is damaged.
    """
    query, shown = _query_of(stations, request)
    views = SavedViews(load_assets(stations.db))
    read = views_read(query, views)
    files = tuple(files_read(query, read))
    with stations.session() as session:
        reads = FileReads(stations, session, sure=True)
        bound = stations.bind(query, views=views, files=reads.sql)
        stations.warehouse.require_intact(bound.tables, session.version)
        loaded: dict[str, int] = {}
        context = stations.context(session)

        def load(name: str, version: int | str | None) -> LoadedModel:
            model = context.load_model(name, version)
            loaded[model.name if isinstance(version, int) else name_of(model.name, version)] = model.version
            return model

        opened = open_query(bound, replace(context, load_model=load))
        visible = {asset_key(name): version for name, version in stations.warehouse.tables(session.version).items()}
        tables = {asset_key(name): visible[asset_key(name)] for name in bound.tables if asset_key(name) in visible}
        system = any(name.casefold().startswith(SYSTEM_SCHEMA) for name in bound.tables)
        yield Source(
            session=session,
            query=opened,
            shown=shown,
            facts={
                "tables": tables,
                "files": file_digests(files, root=stations.root, db=stations.db),
                "models": loaded,
                "views": {name: digest_value([view.source.text, view.source.dialect]) for name, view in read.items()},
                "query": request.query,
                **_erased(stations),
            },
            stable=bound.ordered and not system,
            pinned=not system and not any(is_remote(pattern) for pattern in files),
            files=files,
        )


def _erased(stations: Stations) -> dict[str, Any]:
    """Who was erased: a version keeps its number when their rows are taken out of it."""
    ledger = read_ledger(site_of(stations).ledger)
    return {"erased": [entry.erasure_id for entry in ledger.entries]} if ledger and ledger.entries else {}


def require_same_files(stations: Stations, source: Source) -> None:
    """Refuse what was scored when a file was written meanwhile.

    Raises
    ------
    SourceError
        A file has another digest than before.
    """
    now = file_digests(source.files, root=stations.root, db=stations.db)
    for pattern, digests in now.items():
        if source.facts["files"][pattern] != digests:
            raise SourceError(
                f"{pattern} changed while it was scored",
                hint="run again when whoever writes the file is done",
                file=pattern,
            )


def copy_input(stations: Stations, source: Source, job_id: str) -> tuple[DataFile, str]:
    """Copy an input to a data file of the lake's that nobody sees; the file, and the relation it is read under."""
    staged = stations.warehouse.stage(
        source.session, source.query.sql, source.query.relations, table=COPY, attempt=f"{job_id}-input"
    )
    return staged.files[0], staged.relation


def _query_of(stations: Stations, request: Asked) -> tuple[Query, str]:
    from tidemill.sql.parse import parse_text
    from tidemill.sql.statements import Select

    if request.query:
        statements = parse_text(request.query, file="<query>", dialect=request.dialect or stations.settings.dialect)
        if len(statements) != 1 or not isinstance(statements[0], Select):
            raise SettingsError("--query takes one query", hint='--query "SELECT ... FROM ..."')
        return statements[0].query, " ".join(request.query.split())
    name = request.input
    if is_file(name):
        pattern = name if is_remote(name) else _pattern(stations, request)
        text, shown = f"SELECT * FROM {quote_text(pattern)}", pattern
    else:
        text, shown = f"SELECT * FROM {quote_path(name)}", name
    (statement,) = parse_text(text, file="<input>", dialect="duckdb")
    assert isinstance(statement, Select)  # noqa: S101 - it was written above
    return statement.query, shown


def _pattern(stations: Stations, request: Asked) -> str:
    """The file or pattern as the project sees it: a project that is moved with its data has the same input."""
    absolute = Path(os.path.normpath(request.here / request.input))
    pattern = str(absolute.relative_to(stations.root)) if absolute.is_relative_to(stations.root) else str(absolute)
    bare = pattern.lower().removesuffix(".gz").removesuffix(".zst")
    if bare.rpartition(".")[2] not in FILES:
        raise SourceError(
            f"{request.input} has no ending that says how to read it",
            hint=f"files end in {', '.join(f'.{ending}' for ending in FILES)}",
        )
    if not files_of(pattern, stations.root):
        raise SourceError(f"there is no file {request.input}", hint=f"it is looked for as {absolute}", file=pattern)
    return pattern
