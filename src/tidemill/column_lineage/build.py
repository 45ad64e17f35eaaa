"""From the statements of a project to the graph of its columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlglot import exp  # noqa: TID253

from tidemill.column_lineage.calls import call_relation
from tidemill.column_lineage.flow import Out, Relation, Rest, base, merged
from tidemill.column_lineage.graph import HOWS, Column, ColumnGraph, ColumnRef, Edge, Node, Note
from tidemill.column_lineage.increments import increment_flow
from tidemill.column_lineage.models import ModelColumns, model_relation
from tidemill.column_lineage.queries import trace_query
from tidemill.core.names import asset_key, name_key, quote_text
from tidemill.core.source_tables import lake_name
from tidemill.sql.depth import deep_stack
from tidemill.sql.dialects import generate
from tidemill.sql.ml_nodes import MLCall
from tidemill.sql.reads import table_is_file
from tidemill.sql.statements import Assert, CreateModel, CreateTable, LoadData, Statement, Summary

HELD = "holds"
"""The one column of an assertion: whether it holds."""
_SYSTEM = "tidemill."


class Known(Protocol):
    """What is known of a project besides its SQL. Each answer is asked for when a statement cannot do without."""

    @property
    def connections(self) -> Collection[str]:
        """The names of the connections."""

    def table_columns(self, name: str) -> Sequence[str] | None:
        """The columns of a table that is in the lake; None when it is not there."""

    def file_columns(self, sql: str) -> Sequence[str] | str:
        """The columns of what a reader call reads (engine SQL, to stand in FROM), or a sentence why nobody knows."""

    def source_columns(self, name: str) -> Sequence[str] | str:
        """The columns of a table of a connection, or a sentence why nobody knows."""

    def source_name(self, name: str) -> str:
        """The one name of a table of a connection, which may be written with its schema or without."""

    def load_query(self, statement: LoadData) -> str:
        """The engine SQL behind LOAD DATA."""

    def model(self, name: str) -> ModelColumns | None:
        """A model that no statement makes, as it is registered; None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One statement that makes something, with a way to have it parsed."""

    summary: Summary
    statement: Callable[[], Statement]


def build_column_graph(made: Iterable[Made], known: Known, *, around: Collection[str] = ()) -> ColumnGraph:
    """Follow the columns of every statement.

    Parameters
    ----------
    around
        Keys of the assets that are asked about: what neither leads to them nor comes from them is left out (and not
        parsed). Empty for all.
    """
    by_key = {asset_key(one.summary.name): one for one in made}
    builder = _Builder(made=by_key, known=known)
    with deep_stack():
        for key in _order(by_key, _wanted(by_key, around) if around else by_key):
            builder.add(key)
        return builder.graph()


def _reads(one: Made) -> list[str]:
    return [asset_key(lake_name(name)) for name in (*one.summary.tables, *one.summary.models)]


def _wanted(by_key: Mapping[str, Made], around: Collection[str]) -> set[str]:
    """What leads to some assets, what comes from them, and what leads to that."""
    readers: dict[str, list[str]] = {}
    for key, one in by_key.items():
        for read in _reads(one):
            readers.setdefault(read, []).append(key)
    below = _closure(around, lambda key: readers.get(key, []))
    return {key for key in _closure(below, lambda key: _reads(by_key[key]) if key in by_key else []) if key in by_key}


def _closure(start: Collection[str], step: Callable[[str], Iterable[str]]) -> set[str]:
    found = set(start)
    waiting = list(start)
    while waiting:
        for key in step(waiting.pop()):
            if key not in found:
                found.add(key)
                waiting.append(key)
    return found


def _order(by_key: Mapping[str, Made], wanted: Collection[str]) -> list[str]:
    """Each behind what it reads; what reads itself in a circle comes in some order."""
    order: dict[str, None] = {}
    begun: set[str] = set()
    for root in by_key:
        trail = [(root, iter(_reads(by_key[root])))] if root in wanted and root not in begun else []
        begun.add(root)
        while trail:
            key, reads = trail[-1]
            following = next((read for read in reads if read in by_key and read in wanted and read not in begun), None)
            if following is None:
                order[key] = None
                trail.pop()
            else:
                begun.add(following)
                trail.append((following, iter(_reads(by_key[following]))))
    return list(order)


@dataclass(slots=True, kw_only=True)
class _Builder:
    """The graph as it grows; also the catalog of the query that is being followed."""

    made: Mapping[str, Made]
    known: Known
    nodes: dict[str, Node] = field(default_factory=dict)
    relations: dict[str, Relation] = field(default_factory=dict)
    seen: dict[str, Relation] = field(default_factory=dict)
    models: dict[str, ModelColumns] = field(default_factory=dict)
    readers: dict[str, Callable[[], Sequence[str] | str]] = field(default_factory=dict)
    notes: dict[Note, None] = field(default_factory=dict)
    current: str = ""
    read: dict[str, None] = field(default_factory=dict)

    def add(self, key: str) -> None:
        """Follow one statement."""
        one = self.made[key]
        summary = one.summary
        self.current = key
        self.read = {}
        self.nodes[key] = Node(key=key, name=summary.name, kind=summary.kind, file=summary.file, line=summary.line)
        relation = self._follow(key, one.statement())
        if relation.rest or relation.other is not None:
            relation = self._from_lake(summary.name, relation)
        self.relations[key] = relation
        columns = {name_key(out.name): Column(name=out.name, role=out.role) for out in relation.columns}
        self.nodes[key] = replace(self.nodes[key], columns=columns, complete=relation.complete, reads=tuple(self.read))
        self.seen[key] = base(key, [out.name for out in relation.columns], complete=relation.complete)

    def graph(self) -> ColumnGraph:
        """Everything that was followed, as plain data."""
        edges: dict[str, list[Edge]] = {}
        asked: dict[str, dict[str, None]] = {}
        for key, relation in reversed(self.relations.items()):  # readers first: they ask for columns by name
            more = [out for name in asked.get(key, ()) if not relation.lists(name) and (out := relation.find(name))]
            into = edges[key] = _edges(relation.rows, ColumnRef(key))
            for out in (*relation.columns, *more):
                into += _edges(out.flow, ColumnRef(key, name_key(out.name)))
                for ref in out.flow:
                    asked.setdefault(ref.node, {})[ref.column] = None
            for ref in relation.rows:
                asked.setdefault(ref.node, {})[ref.column] = None
        found = [edge for key in self.relations for edge in edges[key]]
        self._name_columns(found)
        return ColumnGraph(nodes=self._in_order(), edges=tuple(found), notes=tuple(self.notes))

    def table(self, parts: list[str]) -> Relation:
        """A table, view or outside table by the parts of its dotted name; without a project in front, as `path_of`."""
        written = ".".join(parts)
        name = self.known.source_name(written) if self._connected(parts[0]) else lake_name(written)
        key = asset_key(name)
        self.read[key] = None
        if key not in self.seen:
            self.seen[key] = self._outside(key, name)
        return self.seen[key]

    def file(self, table: exp.Table) -> Relation:
        """A file; its columns are looked up when a star asks for them."""
        bare = exp.Table(this=table.this.copy())
        if table_is_file(table):
            name, sql = table.name, f"FROM {quote_text(table.name)}"
        else:
            sql = f"FROM {generate(bare, 'duckdb')}"
            names = [part.name for part in table.this.find_all(exp.Literal) if part.is_string]
            name = names[0] if names else generate(bare, "duckdb")
        return self._file(name, sql)

    def look(self, relation: Relation) -> Relation:
        """The relation with the columns of files listed."""
        if not relation.rest:
            return relation
        columns = list(relation.columns)
        rest: list[Rest] = []
        for part in relation.rest:
            listed = self._listed(part.node)
            if listed is None:
                rest.append(part)
                continue
            columns += [out for out in listed.columns if name_key(out.name) not in part.excepted]
        return replace(relation, columns=tuple(columns), rest=tuple(rest))

    def call(self, call: MLCall, inputs: list[Relation]) -> Relation:
        """What an ML function gives."""
        model = self._model(call.model) if call.model else None
        relation, note = call_relation(call, inputs, model)
        if note:
            self.note(note)
        return replace(relation, nodes=frozenset(node for one in inputs for node in one.nodes))

    def note(self, text: str) -> None:
        """Write down what cannot be known of the statement that is being followed."""
        self.notes[Note(node=self.current, text=text)] = None

    def _follow(self, key: str, statement: Statement) -> Relation:
        if isinstance(statement, LoadData):
            return self._loaded(statement)
        query = getattr(statement, "query", None)
        if query is None:
            return Relation()
        rows = trace_query(query.tree, self, dialect=query.source.dialect)
        if isinstance(statement, CreateModel):
            relation, self.models[key] = model_relation(statement, self.look(rows), key, catalog=self)
            return relation
        if isinstance(statement, Assert):
            flow = merged([*(out.flow for out in rows.columns), rows.rows])
            return Relation(columns=(Out(name=HELD, flow=flow),))
        if isinstance(statement, CreateTable) and rows.rest:
            # What the column list names is there, or the statement does not run.
            named = [rows.find(column.name) for column in statement.columns if not rows.lists(column.name)]
            rows = replace(rows, columns=(*rows.columns, *(out for out in named if out is not None)))
        if isinstance(statement, CreateTable) and (kept := increment_flow(statement, rows)):
            rows = replace(rows, rows=merged([rows.rows, kept]))
        return rows

    def _loaded(self, statement: LoadData) -> Relation:
        relation = self._file(", ".join(statement.uris), f"FROM ({self.known.load_query(statement)})")
        if statement.columns:
            found = [relation.find(column.name) or Out(name=column.name) for column in statement.columns]
            return Relation(columns=tuple(found), nodes=relation.nodes)
        return self.look(relation)

    def _file(self, name: str, sql: str) -> Relation:
        key = f"file:{name}"
        self.read[key] = None
        self.readers.setdefault(key, lambda: self.known.file_columns(sql))
        if key not in self.seen:
            self.nodes[key] = Node(key=key, name=name, kind="file", complete=False)
            self.seen[key] = base(key, (), complete=False)
        return self.seen[key]

    def _listed(self, key: str) -> Relation | None:
        """A file or a table of a connection with its columns, if they could be read; None for what else is open."""
        if key in self.readers:
            answer = self.readers.pop(key)()
            if isinstance(answer, str):
                self.notes[Note(node=key, text=answer)] = None
            else:
                names = {name_key(name): Column(name=name) for name in answer}
                self.nodes[key] = replace(self.nodes[key], columns=names, complete=True)
                self.seen[key] = base(key, answer, complete=True)
        seen = self.seen.get(key)
        return seen if seen is not None and seen.complete else None

    def _outside(self, key: str, name: str) -> Relation:
        """A table that no statement makes."""
        if key.startswith(_SYSTEM):
            kind, columns = "system", None
        elif "." in name and self._connected(name.partition(".")[0]):
            kind, columns = "connection", None
            self.readers.setdefault(key, lambda: self.known.source_columns(name))
        else:
            columns = self.known.table_columns(name)
            kind = "lake" if columns is not None else "unknown"
        if key in self.made:  # read before it is made: a circle
            kind = self.made[key].summary.kind
        elif kind == "unknown":
            self.note(f"{name} is made by no statement and is not in the lake")
        found = {name_key(one): Column(name=one) for one in columns or ()}
        self.nodes.setdefault(key, Node(key=key, name=name, kind=kind, columns=found, complete=columns is not None))
        return base(key, columns or (), complete=columns is not None)

    def _connected(self, name: str) -> bool:
        return name_key(name) in {name_key(one) for one in self.known.connections}

    def _model(self, name: str) -> ModelColumns:
        key = asset_key(name)
        self.read[key] = None
        if key not in self.models:
            found = self.known.model(name)
            if found is None:
                self.note(f"model {name} is made by no statement and is not registered")
            self.models[key] = found or ModelColumns(key=key)
            self.nodes.setdefault(
                key, Node(key=key, name=name, kind="model" if found else "unknown", complete=found is not None)
            )
        return self.models[key]

    def _from_lake(self, name: str, relation: Relation) -> Relation:
        """The open columns of a table as the lake has them, where it was built already."""
        names = self.known.table_columns(name)
        if names is None:
            taken = " and ".join(dict.fromkeys(self.nodes[part.node].name for part in relation.rest))
            why = f"it takes all that {taken} has" if taken else "which there are depends on the rows"
            later = " before it is built" if self.nodes[self.current].kind in ("table", "load") else ""
            self.note(f"not all columns of {name} are known{later}: {why}")
            return relation
        columns = tuple(replace(found, name=one) for one in names if (found := relation.find(one)) is not None)
        return replace(relation, columns=columns, rest=(), other=None)

    def _name_columns(self, edges: Sequence[Edge]) -> None:
        """Give each node the columns that edges name and nobody listed, spelt as the column that is made of them."""
        named: dict[ColumnRef, str] = {}
        for edge in edges:
            made = self.nodes[edge.target.node].columns.get(edge.source.column) if edge.direct else None
            for ref, name in ((edge.source, made.name if made else ""), (edge.target, "")):
                if ref.column and ref.column not in self.nodes[ref.node].columns:
                    named[ref] = named.get(ref) or name
        for ref, name in named.items():
            node = self.nodes[ref.node]
            column = Column(name=name or ref.column)
            self.nodes[ref.node] = replace(node, columns={**node.columns, ref.column: column})

    def _in_order(self) -> dict[str, Node]:
        """Sources first, then the statements in their order."""
        outside = {key: node for key, node in self.nodes.items() if key not in self.relations}
        return {**outside, **{key: self.nodes[key] for key in self.relations}}


def _edges(flow: Mapping[ColumnRef, frozenset[str]], target: ColumnRef) -> list[Edge]:
    """The edges of a flow; the direct ones first."""
    ways = list(HOWS)
    found = [Edge(ref, target, how) for ref, hows in flow.items() for how in hows]
    return sorted(found, key=lambda edge: ways.index(edge.how))
