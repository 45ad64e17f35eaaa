"""The query of an incremental table, opened on the files that are to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError
from tidemill.core.names import quote_name
from tidemill.runner.increments.files import FileNews, FileNote, file_news
from tidemill.runner.increments.matching import lacking
from tidemill.runner.placing import place_of_option
from tidemill.runner.shape import typed_query
from tidemill.sql.incremental import Incremental, file_set, with_files
from tidemill.sql.reads import takes_all

if TYPE_CHECKING:
    from tidemill.runner.execute import OpenQuery
    from tidemill.runner.stations import Stations
    from tidemill.sql.statements import CreateTable, Query
    from tidemill.warehouse.protocol import Column, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How the query of a table is opened.

    Parameters
    ----------
    bind
        Makes a query of the statement ready to run.
    """

    table: str
    statement: CreateTable
    rule: Incremental
    stations: Stations
    session: Session
    bind: Callable[[Query], OpenQuery]

    def files(self, loaded: dict[str, str]) -> FileNews | None:
        """What is new in the files, when the query maps a set of them row by row."""
        pattern = file_set(self.statement.query)
        if pattern is None:
            if not self.rule.column:
                raise BindError(
                    "incremental_by = 'filename' needs a query that reads one set of files row by row",
                    where=place_of_option(self.statement, "incremental_by"),
                    hint="read one pattern such as 'data/*.csv' without GROUP BY, DISTINCT or WITH, or name a column",
                )
            return None
        keyed = bool(self.rule.keys)
        found = file_news(pattern, loaded, keyed=keyed, table=self.table, stations=self.stations)
        return None if found.empty and not loaded else found

    def open_increment(
        self, files: FileNews | None, there: tuple[Column, ...]
    ) -> tuple[OpenQuery, tuple[FileNote, ...]]:
        """The statement's query on the files that are new, with NULL where they have not all columns of the table.

        With it what is to be said of them. Files that have other columns instead are left to `match`: those may be
        the old ones under new names.
        """
        opened = self._bound(files)
        if files is None or not self.rule.adds_columns:
            return self._typed(opened, files), ()
        fresh = self.session.columns(opened.sql, opened.relations)
        missing = lacking(there, fresh, needed=(self.rule.column, *self.rule.keys))
        if not missing:
            return self._typed(opened, files), ()
        nulls = ", ".join(f"CAST(NULL AS {column.type}) AS {quote_name(column.name)}" for column in missing)
        filled = replace(opened, sql=f"SELECT *, {nulls} FROM ({opened.sql}\n) AS tm_older")
        return self._typed(filled, files), (files.older([column.name for column in missing]),)

    def open(self, files: FileNews | None) -> OpenQuery:
        """The statement's query, on the files to read and with the declared types."""
        return self._typed(self._bound(files), files)

    def _bound(self, files: FileNews | None) -> OpenQuery:
        query = self.statement.query
        if files is not None:
            query = with_files(query, files.pattern, list(files.read), by_name=self.rule.adds_columns)
        return self.bind(query)

    def _typed(self, opened: OpenQuery, files: FileNews | None) -> OpenQuery:
        statement = self.statement
        if not statement.columns:
            return opened
        engine = self.stations.warehouse.dialect
        names = [column.name for column in self.session.columns(opened.sql, opened.relations)]
        read = list(files.read) if files is not None and takes_all(statement.query) else []
        sql = typed_query(
            opened.sql, statement.columns, found=names, source=statement.source, engine=engine, files=read
        )
        return replace(opened, sql=sql)
