"""What names mean at one place of a query: the sources of its FROM, its aliases, and the queries around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlglot import exp  # noqa: TID253

from tidemill.column_lineage.flow import NOTHING, Flow, Out, Relation, merged
from tidemill.core.names import name_key
from tidemill.sql.ml_nodes import MLCall


class Catalog(Protocol):
    """What a query can read besides what it says itself."""

    def table(self, parts: list[str]) -> Relation:
        """A table, view or outside table by the parts of its dotted name."""

    def file(self, table: exp.Table) -> Relation:
        """A file, by name or through a reader function; its columns may be left open until `look`."""

    def look(self, relation: Relation) -> Relation:
        """The relation with its open columns listed, as far as anybody can tell; asked when a star needs them."""

    def call(self, call: MLCall, inputs: list[Relation]) -> Relation:
        """What an ML function gives for its data."""

    def note(self, text: str) -> None:
        """Something that cannot be known."""


@dataclass(slots=True, kw_only=True)
class Source:
    """One thing in FROM: its relation under a name, and the columns that USING has joined into another's."""

    name: str
    path: str
    relation: Relation
    hidden: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class Scope:
    """The names of one SELECT, inside those of the queries around it.

    Parameters
    ----------
    trace
        Follows an inner query (`queries.trace`).
    clauses
        The WITH clauses in sight, by key.
    joined
        Columns that USING made of several, by key.
    aliases
        The columns of the SELECT so far, by key: other parts of it may name them.
    items
        The same, in order, for ``ORDER BY 1``.
    """

    catalog: Catalog
    trace: Callable[[exp.Expr, Scope], Relation]
    clauses: Mapping[str, Relation] = field(default_factory=dict)
    outer: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    joined: dict[str, Flow] = field(default_factory=dict)
    aliases: dict[str, Flow] = field(default_factory=dict)
    items: list[Flow] = field(default_factory=list)
    windows: dict[str, exp.Expr] = field(default_factory=dict)

    def inside(self, clauses: Mapping[str, Relation] | None = None) -> Scope:
        """A scope for a query inside this one."""
        return Scope(catalog=self.catalog, trace=self.trace, clauses=clauses or self.clauses, outer=self)

    def column(self, node: exp.Column) -> Flow:
        """What flows into a column that an expression names."""
        return self.path([part.name for part in node.parts])

    def path(self, parts: list[str]) -> Flow:
        """As `column`, of the parts of a dotted name."""
        found = self._find(parts)
        if found is None:
            self.catalog.note(f"{'.'.join(parts)} names no column that is known here")
            return NOTHING
        return found

    def alias_first(self, node: exp.Column) -> Flow:
        """As `column`, where an alias of the SELECT comes before the columns of FROM: in ORDER BY."""
        known = None if node.table else self.aliases.get(name_key(node.name))
        return self.column(node) if known is None else known

    def counted(self) -> Flow:
        """What flows into COUNT(*)."""
        return merged(source.relation.counted() for source in self.sources)

    def everything(self) -> Flow:
        """What flows into a whole row."""
        return merged(source.relation.everything() for source in self.sources)

    def named(self, name: str) -> Source | None:
        """A source by its name or path."""
        key = name_key(name)
        return next((source for source in self.sources if key in (source.name, source.path)), None)

    def listed(self) -> Iterator[tuple[Source, Out]]:
        """The columns of a star: all of FROM, those of USING once."""
        for source in self.sources:
            for column in source.relation.columns:
                key = name_key(column.name)
                if key in source.hidden:
                    continue
                yield source, replace(column, flow=self.joined[key]) if key in self.joined else column

    def _find(self, parts: list[str]) -> Flow | None:
        """Look for table.column in this query and those around it, then for column(.field)."""
        around = list(self._outwards())
        found = (scope._qualified(parts) for scope in around) if len(parts) > 1 else iter(())
        qualified = next((flow for flow in found if flow is not None), None)
        if qualified is not None:
            return qualified
        return next((flow for scope in around if (flow := scope._unqualified(parts[0])) is not None), None)

    def _outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def _qualified(self, parts: list[str]) -> Flow | None:
        """The longest path first: schema.table.column, table.column(.field)."""
        for length in range(min(len(parts) - 1, 3), 0, -1):
            source = self.named(".".join(parts[:length]))
            found = source.relation.find(parts[length]) if source is not None else None
            if found is not None:
                return found.flow
        return None

    def _unqualified(self, name: str) -> Flow | None:
        key = name_key(name)
        if key in self.joined:
            return self.joined[key]
        for source in self.sources:
            if source.relation.lists(name) and key not in source.hidden:
                found = source.relation.find(name)
                return found.flow if found else None
        if key in self.aliases:
            return self.aliases[key]
        whole = self.named(name)
        if whole is not None:
            return whole.relation.everything()
        return self._guess(name)

    def _guess(self, name: str) -> Flow | None:
        """A column that no source lists: it comes from one of those whose columns are not all known."""
        open_ones = [source for source in self.sources if source.relation.find(name) is not None]
        if len(open_ones) > 1:
            for source in open_ones:
                source.relation = self.catalog.look(source.relation)
            sure = next((source for source in open_ones if source.relation.lists(name)), None)
            open_ones = [sure] if sure else [one for one in open_ones if one.relation.find(name) is not None]
        found = [out.flow for source in open_ones if (out := source.relation.find(name)) is not None]
        if len(found) > 1:
            names = " or ".join(source.path or source.name for source in open_ones)
            self.catalog.note(f"{name} may come from {names}")
        return merged(found) if found else None
