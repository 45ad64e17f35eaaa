"""Where unit tests are carried out: an engine in memory that is thrown away, and the statements of the project."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError, NotFoundError, TidemillError, Where
from tidemill.core.names import asset_key, did_you_mean, name_key, quote_name
from tidemill.core.source_tables import lake_name
from tidemill.runner.files import FileReads, ProjectFolder
from tidemill.runner.shape import engine_type, typed_query
from tidemill.runner.unit_tests.checks import failing_checks
from tidemill.runner.unit_tests.compare import Difference, Row, compare
from tidemill.runner.unit_tests.given import expected_rows, given_sql, rows_query
from tidemill.runner.unit_tests.result import TestResult
from tidemill.runner.unit_tests.rewrite import cte_names, given_key, only_cte, put_in, reads_of
from tidemill.sql.statements import CreateModel, CreateTable, CreateView, LoadData, Query, Summary
from tidemill.sql.unit_test import Expected, Given, UnitTest
from tidemill.warehouse.protocol import Column, Staged

if TYPE_CHECKING:
    from tidemill.column_lineage.graph import ColumnGraph, Node
    from tidemill.runner.statements import ProjectStatements
    from tidemill.sql.file_reads import ReadFiles
    from tidemill.warehouse.control.database import Database
    from tidemill.warehouse.protocol import Session, Warehouse

TESTED = ("table", "view", "model")


@contextmanager
def open_bench(root: Path, statements: ProjectStatements, db: Database, *, of: Collection[str] = ()) -> Iterator[Bench]:
    """Start an engine whose lake stays empty; nothing of the project's own lake is read.

    Parameters
    ----------
    of
        The names of what will be tested.
    """
    from tidemill.warehouse.duckdb.lake import open_lake

    with tempfile.TemporaryDirectory(prefix="tidemill-test-") as scratch:
        lake = open_lake(Path(scratch), search_path=root)
        try:
            with lake.session() as session:
                files = FileReads(ProjectFolder(root, db), session, sure=True).sql
                yield Bench(root=root, statements=statements, db=db, lake=lake, session=session, of=of, files=files)
        finally:
            lake.close()


@dataclass(slots=True, kw_only=True)
class Bench:
    """Carries tests out, one after the other."""

    root: Path
    statements: ProjectStatements
    db: Database
    lake: Warehouse
    session: Session
    of: Collection[str]
    files: ReadFiles
    graph: ColumnGraph | None = None
    known: dict[str, Summary] = field(default_factory=dict)

    def run(self, test: UnitTest) -> TestResult:
        """Carry one test out; what goes wrong is part of the result."""
        started = time.perf_counter()
        differences: list[Difference] = []
        problems: tuple[str, ...] = ()
        error = None
        try:
            differences, problems = self._run(test)
        except TidemillError as caught:
            if caught.where is None:
                caught.where = Where(file=test.source.file, line=test.source.line, column=test.source.column)
            error = caught
        return TestResult(
            test=test,
            seconds=time.perf_counter() - started,
            differences=tuple(differences),
            problems=problems,
            error=error,
        )

    def _run(self, test: UnitTest) -> tuple[list[Difference], tuple[str, ...]]:
        statement = self._statement(test)
        query = statement.query
        if query is None:
            raise BindError(f"{test.of} has no query to test")
        inputs = self._given(test)
        views = self._views_read(test, query, inputs)
        found: dict[str, str] = {}

        def relation(cte: str) -> str:
            if cte not in found:
                found[cte] = self._result(test, statement, query, cte, views, inputs)
            return found[cte]

        differences = [self._compare(test, one, relation(name_key(one.cte))) for one in test.expected]
        problems: tuple[str, ...] = ()
        if test.failing is not None:
            if not isinstance(statement, CreateTable):
                raise BindError(f"{test.of} is not a table: it has no checks")
            rows = self._staged(test.of, relation(""))
            problems = failing_checks(
                test.failing, statement, rows, session=self.session, engine=self.lake.dialect, given=inputs.tables
            )
        return differences, problems

    def _statement(self, test: UnitTest) -> CreateTable | CreateView | CreateModel:
        if not self.known:
            self.known = {asset_key(one.name): one for one in self.statements.summaries() if one.name}
        summary = self.known.get(asset_key(test.of))
        names = [one.name for one in self.known.values() if one.kind in TESTED]
        if summary is None or summary.kind not in TESTED:
            what = "is not a table, view or model" if summary else "is made by no statement"
            raise NotFoundError(f"{test.of} {what}", hint=did_you_mean(test.of, names), name=test.of)
        statement = self.statements.statement(summary.file, summary.ordinal)
        assert isinstance(statement, CreateTable | CreateView | CreateModel)  # noqa: S101 - its kind says so
        return statement

    def _given(self, test: UnitTest) -> _Inputs:
        """The given rows as views under names that the tested query can read."""
        inputs = _Inputs(now=test.now)
        for number, given in enumerate(test.given):
            name = asset_key(lake_name(given.name)) if given.kind == "table" else f"tm_given_{number}"
            if given_key(given) in inputs.names or name in inputs.views:
                raise BindError(f"rows for {given.shown} are given twice")
            node, types = self._node(given), self._types(given)
            engine = self.lake.dialect
            sql = given_sql(given, node=node, types=types, session=self.session, engine=engine, files=self.files)
            inputs.views[name] = rows_query(sql)
            inputs.given[name] = given
            if given.kind == "table":
                inputs.tables[name] = sql
            else:
                inputs.names[given_key(given)] = name
        return inputs

    def _types(self, given: Given) -> dict[str, str]:
        """The types that the input's own statement declares."""
        summary = self.known.get(asset_key(lake_name(given.name))) if given.kind == "table" else None
        if summary is None or summary.kind not in ("table", "load"):
            return {}
        made = self.statements.statement(summary.file, summary.ordinal)
        columns = made.columns if isinstance(made, CreateTable | LoadData) else ()
        return {
            name_key(column.name): engine_type(column.type, made.source.dialect, self.lake.dialect)
            for column in columns
            if column.type
        }

    def _node(self, given: Given) -> Node | None:
        """The columns of what rows are given for, as the statements tell them."""
        if given.kind == "call":
            return None
        if self.graph is None:  # one for all tests: following a project takes time
            from tidemill.runner.column_lineage import ProjectKnows, column_graph

            keys = [asset_key(name) for name in self.of]
            with ProjectKnows(self.root, db=self.db, warehouse=lambda: self.lake, has_lake=False) as known:
                self.graph = column_graph(self.statements, db=self.db, known=known, around=keys)
        if given.kind == "file":
            return self.graph.nodes.get(f"file:{given.name}")
        return self.graph.nodes.get(asset_key(lake_name(given.name)))

    def _view(self, key: str) -> Query:
        summary = self.known[key]
        statement = self.statements.statement(summary.file, summary.ordinal)
        assert isinstance(statement, CreateView)  # noqa: S101 - its kind says so
        return statement.query

    def _views_read(self, test: UnitTest, query: Query, inputs: _Inputs) -> dict[str, Query]:
        """The given rows, and the project's views that the statement reads, ready to be read in place.

        Raises
        ------
        BindError
            The statement reads something, itself or through views, for which no rows are given.
        """
        views = dict(inputs.views)
        seen: dict[str, str] = {}
        waiting = [inputs.ready(query)]
        while waiting:
            for key, shown in reads_of(waiting.pop()):
                name = asset_key(lake_name(shown))
                known = key in seen or name in inputs.views
                seen.setdefault(key, shown)
                if known:
                    continue
                summary = self.known.get(name)
                if not key.startswith("table ") or summary is None or summary.kind != "view":
                    raise BindError(
                        f"{test.of} reads {shown}, and the test gives no rows for it",
                        hint=f"GIVEN {shown} (...) AS (VALUES ...), or GIVEN {shown} alone for none",
                        name=shown,
                    )
                views[name] = inputs.ready(self._view(name))
                waiting.append(views[name])
        self._refuse_unread(test, inputs, seen)
        return views

    def _refuse_unread(self, test: UnitTest, inputs: _Inputs, read: Mapping[str, str]) -> None:
        """Refuse rows for something that the statement does not read: a name is wrong, or the statement changed."""
        statement = self._statement(test)
        rules = statement.constraints if isinstance(statement, CreateTable) else ()
        referred = {f"table {asset_key(lake_name(rule.table))}" for rule in rules if rule.kind == "references"}
        for name, given in inputs.given.items():
            if f"table {name}" not in {*read, *referred}:
                names = [shown for shown in read.values() if not shown.startswith("tm_given_")]
                near = did_you_mean(given.shown, names)
                hint = near if near.startswith("did") else f"it reads {', '.join(names) or 'nothing'}"
                raise BindError(f"{test.of} does not read {given.shown}", hint=hint)

    def _result(
        self,
        test: UnitTest,
        statement: CreateTable | CreateView | CreateModel,
        query: Query,
        cte: str,
        views: Mapping[str, Query],
        inputs: _Inputs,
    ) -> str:
        """Carry the statement's query out, or one of its WITH clauses; the name its rows are kept under."""
        from tidemill.sql.bind import bind_query

        engine = self.lake.dialect
        part = only_cte(query, cte) if cte else query
        if part is None:
            raise NotFoundError(f"{test.of} has no WITH clause {cte}", hint=did_you_mean(cte, cte_names(query)))
        sql = bind_query(inputs.ready(part), views=views, engine=engine).sql
        if not cte and isinstance(statement, CreateTable) and statement.columns:
            names = [column.name for column in self.session.columns(sql)]
            sql = typed_query(sql, statement.columns, found=names, source=statement.source, engine=engine)
        rows = self.session.materialise(sql)
        return rows if cte or not isinstance(statement, CreateTable) else self._settled(statement, rows)

    def _settled(self, statement: CreateTable, rows: str) -> str:
        """Of an incremental table what a build of all keeps: the newest row of each key, and none that is deleted."""
        from tidemill.runner.increments.deltas import one_row_a_key
        from tidemill.runner.increments.measures import Measures
        from tidemill.sql.incremental import incremental_of
        from tidemill.sql.table_options import check_table_options

        rule = incremental_of(statement, check_table_options(statement).values)
        if rule is None:
            return rows
        columns = self.session.columns(f"SELECT * FROM {rows}")
        measures = Measures(statement=statement, rule=rule, columns=columns, session=self.session)
        shape = measures.shape(rows, engine=self.lake.dialect)
        newest = one_row_a_key(self.session, rows, shape, rule, table=statement.name) or f"SELECT * FROM {rows}"
        gone = f" WHERE {shape.gone} IS NOT TRUE" if shape.gone else ""
        return self.session.materialise(f"SELECT * FROM ({newest}){gone}")

    def _compare(self, test: UnitTest, expected: Expected, relation: str) -> Difference:
        what = expected.cte or test.of
        types = self._column_types(relation)
        if expected.query is None:
            names = list(types)
            return compare(what, names, [], self._fetch(f"SELECT * FROM {relation}"))
        rows, names = expected_rows(expected, session=self.session, engine=self.lake.dialect, files=self.files)
        by_key = {name_key(name): name for name in types}
        for name in names:
            if name_key(name) not in by_key:
                raise BindError(f"{what} has no column {name}", hint=did_you_mean(name, types), column=name)
        own = self._column_types(rows)
        wanted = [_like(name, own[name], types[by_key[name_key(name)]]) for name in names]
        columns = [by_key[name_key(name)] for name in names]
        found = self._fetch(f"SELECT {', '.join(map(quote_name, columns))} FROM {relation}")
        return compare(what, columns, self._fetch(f"SELECT {', '.join(wanted)} FROM {rows}"), found)

    def _column_types(self, relation: str) -> dict[str, str]:
        rows = self._fetch(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {relation})")
        return {str(name): str(kind) for name, kind in rows}

    def _fetch(self, sql: str) -> list[Row]:
        table = self.session.query(sql).read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def _staged(self, table: str, relation: str) -> Staged:
        columns = tuple(Column(name=name, type=kind) for name, kind in self._column_types(relation).items())
        rows = int(self._fetch(f"SELECT count(*) FROM {relation}")[0][0])
        return Staged(table=table, columns=columns, files=(), rows=rows, relation=relation)


@dataclass(slots=True, kw_only=True)
class _Inputs:
    """Given rows: ``views`` and what is ``given`` by the names they are read under, ``names`` of views by key.

    ``tables`` has the engine SQL behind the given tables, for checks that look into another table.
    """

    now: str = ""
    views: dict[str, Query] = field(default_factory=dict)
    given: dict[str, Given] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)

    def ready(self, query: Query) -> Query:
        """A query with the given rows in the place of files and calls, and the time standing still."""
        return put_in(query, self.names, tables=self.tables, now=self.now)


_TEMPORAL = ("DATE", "TIME")


def _like(name: str, own: str, wanted: str) -> str:
    """An expected column in the type that came out, where that loses nothing: texts say dates, dates say times."""
    quoted = quote_name(name)
    if own == wanted or wanted == "VARCHAR":
        return quoted
    if own == "VARCHAR" or (own.startswith(_TEMPORAL) and wanted.startswith("TIMESTAMP")):
        return f"CAST({quoted} AS {wanted})"
    return quoted


def run_tests(bench: Bench, tests: Sequence[UnitTest]) -> Iterator[TestResult]:
    """Carry tests out in their order."""
    for test in tests:
        yield bench.run(test)
