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

from tidemill.core.connections import ConnectionSettings, SourceTable, find_source, lake_name, source_path
from tidemill.core.errors import BindError, Where
from tidemill.core.names import name_key, quote_name
from tidemill.sql.bigquery import mend_casts
from tidemill.sql.bigquery_errors import raise_errors
from tidemill.sql.bigquery_names import name_columns
from tidemill.sql.bind_calls import CallFacts, read_call
from tidemill.sql.bind_carry import carried, innermost_calls, prune
from tidemill.sql.bind_clean import expand_tables
from tidemill.sql.bind_foreign import adapt
from tidemill.sql.bind_shape import is_ordered, seen_names
from tidemill.sql.bound import BoundCall, BoundQuery
from tidemill.sql.depth import deep_stack
from tidemill.sql.dialects import generate
from tidemill.sql.file_reads import ReadFiles
from tidemill.sql.functions import FUNCTIONS
from tidemill.sql.missing import check_functions, needs_check, untranslated
from tidemill.sql.ml_nodes import MLCall, RawSQL
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
            bound = binder.bind(_Unit.of(query))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """A tree to bind: a query, a view's query, or the data of a call.

    ``span`` is its place in ``text``, or None when it was put together; ``names`` are the column names mentioned
    anywhere in the statement it comes from; ``outermost`` says that its columns are the statement's.
    """

    tree: exp.Expr
    dialect: str
    text: Text | None
    span: tuple[int, int] | None
    verbatim: str
    names: frozenset[str]
    outermost: bool = True

    @classmethod
    def of(cls, query: Query) -> _Unit:
        text = query.tree.meta.get("text")
        return cls(
            tree=query.tree,
            dialect=query.source.dialect,
            text=text if isinstance(text, Text) else None,
            span=query.tree.meta.get("span"),
            verbatim=query.source.text,
            names=frozenset(name_key(part.name) for part in query.tree.find_all(exp.Identifier)),
        )


KEYWORDS = frozenset({"at"})
"""Words that DuckDB reserves (for ``AT (VERSION => n)``), and no other SQL does."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """One place of a tree that the engine does not read as it stands; ``alias`` is what a table lacks and needs."""

    node: exp.Expr
    sql: str
    start: int | None
    stop: int | None
    alias: str = ""


@dataclass(slots=True, kw_only=True)
class _Binder:
    views: Mapping[str, tuple[str, Query]]
    connections: Mapping[str, ConnectionSettings]
    engine: str
    files: ReadFiles | None = None
    numbers: count[int] = field(default_factory=count)
    open_views: list[str] = field(default_factory=list)
    done: dict[str, BoundQuery] = field(default_factory=dict)

    def bind(self, unit: _Unit) -> BoundQuery:
        """Bind one tree; its calls' data are bound in turn."""
        tree = unit.tree.copy()
        expanded = expand_tables(tree)
        found: list[tuple[MLCall, CallFacts, list[_Unit]]] = []
        for call in innermost_calls(tree):
            facts = read_call(call)
            found.append((call, facts, [self._data(call, number, unit, facts) for number in range(len(facts.inputs))]))
        edits: list[_Edit] = []
        relations: list[str] = []
        for call, _, _ in found:
            relations.append(f"tm_call_{next(self.numbers)}")
            edits.append(_replace_call(call, relations[-1]))
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
                edits += [_replace_table(table, source_path(source)), *_shorter_columns(tree, table)]
                ordered = False
                continue
            view = self._view(table, unit)
            if view is not None:
                edits.append(_replace_table(table, f"({view.sql}\n)"))
                calls.extend(call for call in view.calls if call not in calls)
                ordered = ordered and view.ordered
                continue
            edits += self._read(table, unit)
        edits += _quoted_columns(tree)
        sql = self._render(unit, tree, edits, whole=not pruned and not expanded)
        read = _reads_through(unit.tree, self.views, self.connections)
        return BoundQuery(
            sql=sql, calls=tuple(calls), tables=read.tables, models=read.models, sources=read.sources, ordered=ordered
        )

    def _data(self, call: MLCall, number: int, unit: _Unit, facts: CallFacts) -> _Unit:
        """One data argument as a tree of its own, with the WITH clauses it needs."""
        arg = facts.inputs[number]
        tree, complete = carried(call, arg)
        inner = arg.meta.get("inner") if complete and arg.kind == "query" else None
        verbatim = unit.text.text[inner[0] : inner[1]] if inner and unit.text else ""
        return replace(unit, tree=tree, span=inner, verbatim=verbatim, outermost=False)

    def _source(self, table: exp.Table, unit: _Unit) -> SourceTable | None:
        """The table of a connection that a name means."""
        if not self.connections or table_is_file(table) or not isinstance(table.this, exp.Identifier):
            return None
        try:
            return find_source(full_path_of(table), self.connections)
        except BindError as error:
            error.where = _table_place(table, unit)
            raise

    def _read(self, table: exp.Table, unit: _Unit) -> list[_Edit]:
        """Put the way in which files are read in the place of their names."""
        found = file_read(table, unit.text.text if unit.text else "") if self.files else None
        sql = self.files(found) if self.files and found else None
        if sql is None or found is None:
            return []
        alias = "" if table.args.get("alias") else found.alias
        return [_Edit(table, f"({sql}\n)", found.start, found.stop, alias)]

    def _view(self, table: exp.Table, unit: _Unit) -> BoundQuery | None:
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
            self.done[key] = self.bind(_Unit.of(query))
            self.open_views.pop()
        return self.done[key]

    def _render(self, unit: _Unit, tree: exp.Expr, edits: list[_Edit], *, whole: bool) -> str:
        """Engine SQL of a tree: its own text where that will do."""
        own = unit.dialect == self.engine and whole
        borrowed = any(mark in unit.verbatim for mark in BORROWED)
        if own and not borrowed and not _has_scalars(tree):
            if not edits and unit.verbatim:
                return unit.verbatim
            spliced = _splice(unit, edits)
            if spliced is not None:
                return spliced
        _apply(edits)
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


def _refuse_function_name(table: exp.Table, unit: _Unit) -> None:
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


def _table_place(table: exp.Table, unit: _Unit) -> Where | None:
    start, stop = _table_span(table)
    return unit.text.where(start, stop) if unit.text and start is not None and stop is not None else None


def _table_span(table: exp.Table) -> tuple[int | None, int | None]:
    parts = [part.meta for part in table.parts if "start" in part.meta]
    if len(parts) != len(table.parts):
        return None, None
    return min(part["start"] for part in parts), max(part["end"] for part in parts) + 1


def _replace_call(call: MLCall, relation: str) -> _Edit:
    """Put a marker where the call stands; its SQL is the relation's name."""
    marker = RawSQL(this=quote_name(relation))
    call.replace(marker)
    return _Edit(marker, quote_name(relation), call.meta.get("start"), call.meta.get("stop"))


def _replace_table(table: exp.Table, sql: str) -> _Edit:
    """Put engine SQL where a table's name stands; what refers to the table goes on doing so by its name."""
    start, stop = _table_span(table)
    return _Edit(table, sql, start, stop, "" if table.args.get("alias") else table.name)


def _shorter_columns(tree: exp.Expr, table: exp.Table) -> list[_Edit]:
    """Columns that are called ``connection.table.column``: the table is called by its last name there."""
    path = [name_key(part.name) for part in table.parts]
    edits: list[_Edit] = []
    for column in tree.find_all(exp.Column):
        parts = column.parts
        if len(parts) != len(path) + 1 or [name_key(part.name) for part in parts[:-1]] != path:
            continue
        first, name = parts[0].meta.get("start"), parts[-2].meta
        if "end" in name:
            edits.append(_Edit(column, quote_name(table.name), first, name["end"] + 1))
    return edits


def _quoted_columns(tree: exp.Expr) -> list[_Edit]:
    """Columns whose name the engine takes for a keyword, as ``at`` of the system tables: they are quoted for it."""
    names = [column.this for column in tree.find_all(exp.Column) if isinstance(column.this, exp.Identifier)]
    return [
        _Edit(name, quote_name(name.name), name.meta.get("start"), name.meta["end"] + 1 if "end" in name.meta else None)
        for name in names
        if not name.quoted and name_key(name.name) in KEYWORDS
    ]


def _apply(edits: list[_Edit]) -> None:
    """Carry edits out on the tree. Calls already stand there as markers."""
    for edit in edits:
        node = edit.node
        if isinstance(node, exp.Column):
            for part in ("db", "catalog"):
                node.set(part, None)
        if not isinstance(node, exp.Table):
            continue
        # The alias, sample and joins of the table stay; only its name gives way.
        if edit.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(edit.alias, quoted=True)))
        for part in ("db", "catalog"):
            node.set(part, None)
        node.set("this", RawSQL(this=edit.sql))


def _splice(unit: _Unit, edits: list[_Edit]) -> str | None:
    """The unit's own text with the edits in it, or None when a place is not known."""
    if unit.text is None or unit.span is None:
        return None
    first, last = unit.span
    out: list[str] = []
    position = first
    for edit in sorted(edits, key=lambda edit: edit.start if edit.start is not None else -1):
        if edit.start is None or edit.stop is None or edit.start < position or edit.stop > last:
            return None
        name = f" AS {quote_name(edit.alias)}" if edit.alias else ""
        out += [unit.text.text[position : edit.start], edit.sql, name]
        position = edit.stop
    return "".join(out) + unit.text.text[position:last]
