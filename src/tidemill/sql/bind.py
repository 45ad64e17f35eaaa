"""From a query to engine SQL: views read in place, ML calls cut out, the rest translated.

A query in the engine's own dialect keeps its text to the letter; only the places of calls and views are replaced in
it. What has to be built anew (another dialect, WITH clauses carried into a call's data, scalar ML functions) goes
through sqlglot's generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from types import MappingProxyType

from sqlglot import errors as sqlglot_errors  # noqa: TID253
from sqlglot import exp  # noqa: TID253

from tidemill.core.connections import ConnectionSettings
from tidemill.core.errors import BindError, Where
from tidemill.core.names import name_key
from tidemill.core.source_tables import SourceTable, find_source, lake_name, source_path
from tidemill.sql.bigquery import mend_casts
from tidemill.sql.bigquery_errors import raise_errors
from tidemill.sql.bigquery_names import name_columns
from tidemill.sql.bind_calls import CallFacts, read_call
from tidemill.sql.bind_carry import carried, innermost_calls, prune
from tidemill.sql.bind_clean import expand_tables
from tidemill.sql.bind_edits import (
    Edit,
    Unit,
    apply_edits,
    quoted_columns,
    replace_call,
    replace_table,
    shorter_columns,
    splice,
    table_span,
)
from tidemill.sql.bind_foreign import adapt
from tidemill.sql.bind_shape import is_ordered, seen_names
from tidemill.sql.bound import BoundCall, BoundQuery
from tidemill.sql.depth import deep_stack
from tidemill.sql.dialects import generate
from tidemill.sql.file_reads import ReadFiles
from tidemill.sql.functions import FUNCTIONS
from tidemill.sql.missing import check_functions, needs_check, untranslated
from tidemill.sql.ml_nodes import MLCall
from tidemill.sql.paths import full_path_of, path_of
from tidemill.sql.reads import file_read, find_tree_reads, free_tables, table_is_file
from tidemill.sql.scalars import rewrite_scalars
from tidemill.sql.statements import Query
from tidemill.sql.text import Text

# What BigQuery has and other engines lack, and sqlglot reads in any dialect: its quotes, and its pipes.
BORROWED = ("`", "|>")


def bind_query(
    query: Query,
    *,
    views: Mapping[str, Query],
    connections: Mapping[str, ConnectionSettings] = MappingProxyType({}),
    engine: str = "duckdb",
    files: ReadFiles | None = None,
) -> BoundQuery:
    """Make a query ready to run.

    Parameters
    ----------
    query
        The query.
    views
        The project's views by name; they are read in place.
    connections
        The project's connections by name; their tables get the names that `core.connections.source_path` gives.
    engine
        The sqlglot name of the dialect the engine runs.
    files
        How the files that the query names are read; left to the engine when it is not given.

    Raises
    ------
    BindError
        A call names a function that does not exist, or gives it arguments it does not take; or views read each other
        in a circle.
    UnsupportedError
        A function of BigQuery ML, or of the query's dialect, is not had here.
    """
    known = {name_key(name): (name, view) for name, view in views.items()}
    binder = _Binder(views=known, connections=connections, engine=engine, files=files)
    try:
        with deep_stack():
            bound = binder.bind(Unit.of(query))
    except RecursionError:
        raise BindError(
            "the query is nested too deeply", where=_whole(query), hint="name its inner parts in views of their own"
        ) from None
    if needs_check(query, engine):
        check_functions(bound, query)
    return replace(bound, where=_whole(query))


def _whole(query: Query) -> Where:
    first_line = query.source.text.partition("\n")[0]
    text = query.tree.meta.get("text")
    span = query.tree.meta.get("span")
    if isinstance(text, Text) and span:
        return text.where(span[0], span[0] + len(first_line))
    return Where(file=query.source.file, line=query.source.line, column=query.source.column, length=len(first_line))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What a tree reads, also by the views in between; the views themselves are left out."""

    tables: tuple[str, ...]
    models: tuple[str, ...]
    sources: tuple[SourceTable, ...]


def _reads_through(
    tree: exp.Expr, views: Mapping[str, tuple[str, Query]], connections: Mapping[str, ConnectionSettings]
) -> _Read:
    tables: dict[str, str] = {}
    models: dict[str, str] = {}
    sources: dict[str, SourceTable] = {}
    seen: set[str] = set()
    waiting = [tree]
    while waiting:
        read_tables, read_models, _ = find_tree_reads(waiting.pop(0))
        models.update({name_key(model): model for model in read_models if name_key(model) not in models})
        for written in read_tables:
            source = find_source(written, connections)
            if source is not None:
                sources.setdefault(name_key(source.name), source)
                continue
            table = lake_name(written)
            key = name_key(table)
            if key in views:
                if key not in seen:
                    waiting.append(views[key][1].tree)
                seen.add(key)
            else:
                tables.setdefault(key, table)
    return _Read(tables=tuple(tables.values()), models=tuple(models.values()), sources=tuple(sources.values()))


@dataclass(slots=True, kw_only=True)
class _Binder:
    views: Mapping[str, tuple[str, Query]]
    connections: Mapping[str, ConnectionSettings]
    engine: str
    files: ReadFiles | None = None
    numbers: count[int] = field(default_factory=count)
    open_views: list[str] = field(default_factory=list)
    done: dict[str, BoundQuery] = field(default_factory=dict)

    def bind(self, unit: Unit) -> BoundQuery:
        """Bind one tree; its calls' data are bound in turn."""
        tree = unit.tree.copy()
        expanded = expand_tables(tree)
        found: list[tuple[MLCall, CallFacts, list[Unit]]] = []
        for call in innermost_calls(tree):
            facts = read_call(call)
            found.append((call, facts, [self._data(call, number, unit, facts) for number in range(len(facts.inputs))]))
        edits: list[Edit] = []
        relations: list[str] = []
        for call, _, _ in found:
            relations.append(f"tm_call_{next(self.numbers)}")
            edits.append(replace_call(call, relations[-1]))
        pruned = prune(tree) if found else False
        wanted = seen_names(tree, unit.names)
        calls: list[BoundCall] = []
        for relation, (call, facts, data) in zip(relations, found, strict=True):
            if _is_inside(edits[relations.index(relation)].node, tree):
                inputs = tuple(self.bind(part) for part in data)
                calls.append(facts.bound(relation, inputs, wanted, _place(call)))
        edits = [edit for edit in edits if _is_inside(edit.node, tree)]
        ordered = is_ordered(tree) and not calls
        for table in list(free_tables(tree)):
            _refuse_function_name(table, unit)
            source = self._source(table, unit)
            if source is not None:
                edits += [replace_table(table, source_path(source)), *shorter_columns(tree, table)]
                ordered = False
                continue
            view = self._view(table, unit)
            if view is not None:
                edits.append(replace_table(table, f"({view.sql}\n)"))
                calls.extend(call for call in view.calls if call not in calls)
                ordered = ordered and view.ordered
                continue
            edits += self._read(table, unit)
        edits += quoted_columns(tree)
        sql = self._render(unit, tree, edits, whole=not pruned and not expanded)
        read = _reads_through(unit.tree, self.views, self.connections)
        return BoundQuery(
            sql=sql, calls=tuple(calls), tables=read.tables, models=read.models, sources=read.sources, ordered=ordered
        )

    def _data(self, call: MLCall, number: int, unit: Unit, facts: CallFacts) -> Unit:
        """One data argument as a tree of its own, with the WITH clauses it needs."""
        arg = facts.inputs[number]
        tree, complete = carried(call, arg)
        inner = arg.meta.get("inner") if complete and arg.kind == "query" else None
        verbatim = unit.text.text[inner[0] : inner[1]] if inner and unit.text else ""
        return replace(unit, tree=tree, span=inner, verbatim=verbatim, outermost=False)

    def _source(self, table: exp.Table, unit: Unit) -> SourceTable | None:
        """The table of a connection that a name means."""
        if not self.connections or table_is_file(table) or not isinstance(table.this, exp.Identifier):
            return None
        try:
            return find_source(full_path_of(table), self.connections)
        except BindError as error:
            error.where = _table_place(table, unit)
            raise

    def _read(self, table: exp.Table, unit: Unit) -> list[Edit]:
        """Put the way in which files are read in the place of their names."""
        found = file_read(table, unit.text.text if unit.text else "") if self.files else None
        sql = self.files(found) if self.files and found else None
        if sql is None or found is None:
            return []
        alias = "" if table.args.get("alias") else found.alias
        return [Edit(table, f"({sql}\n)", found.start, found.stop, alias)]

    def _view(self, table: exp.Table, unit: Unit) -> BoundQuery | None:
        if table_is_file(table) or not isinstance(table.this, exp.Identifier):
            return None
        key = name_key(path_of(table))
        if key not in self.views:
            return None
        name, query = self.views[key]
        where = _table_place(table, unit)
        if key in self.open_views:
            circle = [self.views[open_key][0] for open_key in self.open_views[self.open_views.index(key) :]]
            raise BindError(
                f"views read each other in a circle: {' -> '.join([*circle, name])}",
                where=where,
                hint="make one of them a table, or take the name it should read from another place",
            )
        if table.args.get("when") or table.args.get("version"):
            raise BindError(f"{name} is a view: it has no versions", where=where, hint="name a table it reads")
        if key not in self.done:
            self.open_views.append(key)
            self.done[key] = self.bind(Unit.of(query))
            self.open_views.pop()
        return self.done[key]

    def _render(self, unit: Unit, tree: exp.Expr, edits: list[Edit], *, whole: bool) -> str:
        """Engine SQL of a tree: its own text where that will do."""
        own = unit.dialect == self.engine and whole
        borrowed = any(mark in unit.verbatim for mark in BORROWED)
        if own and not borrowed and not _has_scalars(tree):
            if not edits and unit.verbatim:
                return unit.verbatim
            spliced = splice(unit, edits)
            if spliced is not None:
                return spliced
        apply_edits(edits)
        if unit.dialect == "bigquery":
            tree = raise_errors(name_columns(tree) if unit.outermost else tree)
        if unit.dialect != self.engine:
            tree = adapt(tree, unit.dialect, unit.text, unit.span)
        if unit.dialect == "bigquery":
            tree = mend_casts(tree)
        if _has_scalars(tree):
            tree = rewrite_scalars(tree)
        try:
            return generate(tree, self.engine, strict=unit.dialect != self.engine)
        except sqlglot_errors.UnsupportedError as error:
            raise untranslated(error, tree, unit.dialect, self.engine, text=unit.text, span=unit.span) from None


def _refuse_function_name(table: exp.Table, unit: Unit) -> None:
    """``FROM ML.PREDICT`` without arguments is no table."""
    name = path_of(table).upper()
    if name in FUNCTIONS and isinstance(table.this, exp.Identifier) and "." in name:
        where = _table_place(table, unit)
        raise BindError(f"{name} is a function: its arguments are missing", where=where, hint=f"{name}(...)")


def _has_scalars(tree: exp.Expr) -> bool:
    """Whether a scalar function of ours is left in a tree."""
    return any("name_stop" in node.meta for node in tree.find_all(exp.Dot, exp.Anonymous))


def _is_inside(node: exp.Expr, tree: exp.Expr) -> bool:
    return node.root() is tree


def _place(call: MLCall) -> Where | None:
    text = call.meta.get("text")
    return text.where(call.meta["start"], call.meta["stop"]) if isinstance(text, Text) else None


def _table_place(table: exp.Table, unit: Unit) -> Where | None:
    start, stop = table_span(table)
    return unit.text.where(start, stop) if unit.text and start is not None and stop is not None else None
