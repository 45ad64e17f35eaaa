"""The graph of columns, as plain data: what `build` makes, and whoever draws, prints or exports it reads.

An edge says how a source column acts on a target column, in the words of OpenLineage's column lineage facet. This is
about statements; what one version of a model was made from (snapshots, digests) is `registry.lineage.Lineage`.

References
----------
.. [1] https://openlineage.io/docs/spec/facets/dataset-facets/column_lineage_facet
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """A way in which a column acts on another.

    Parameters
    ----------
    direct
        Whether the target's values are made of the source's; otherwise the source decides which rows or values there
        are (OpenLineage's DIRECT and INDIRECT; ``name`` in capitals is the subtype).
    """

    name: str
    direct: bool
    doc: str


HOWS: Mapping[str, How] = MappingProxyType(
    {
        how.name: how
        for how in (
            How(name="identity", direct=True, doc="The value itself, perhaps under another name."),
            How(name="transformation", direct=True, doc="Computed from values of the same row."),
            How(name="aggregation", direct=True, doc="Computed from values of several rows."),
            How(name="join", direct=False, doc="Decides which rows meet."),
            How(name="group_by", direct=False, doc="Decides which rows are taken together."),
            How(name="filter", direct=False, doc="Decides which rows there are."),
            How(name="sort", direct=False, doc="Orders the rows."),
            How(name="window", direct=False, doc="Decides over which rows a window function looks, and in what order."),
            How(name="conditional", direct=False, doc="Decides which of several values is taken."),
            How(name="training", direct=False, doc="A model learnt from it."),
        )
    }
)
"""Every way, the direct ones first and the stronger after the weaker."""


@dataclass(frozen=True, slots=True, order=True)
class ColumnRef:
    """A column of a node, by the keys of both (names are compared without case); column '' is the rows themselves."""

    node: str
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as it is written. ``role`` is its part in a model: feature, label, split, weight, prediction."""

    name: str
    role: str = ""


KINDS: Mapping[str, str] = MappingProxyType(
    {"load": "table", "assert": "assertion", "lake": "table of the lake", "unknown": "not known"}
)
"""Kinds of nodes that people know by another word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A table, view, model, assertion or source.

    Parameters
    ----------
    kind
        table, view, load, model, assert of the project; file, connection, lake (a table that no statement makes),
        system (``tidemill.NAME``), function, unknown outside of it.
    columns
        By key, in the order of the table.
    complete
        Whether these are all its columns; when not, a note says why.
    reads
        Keys of the nodes it reads.
    """

    key: str
    name: str
    kind: str
    file: str = ""
    line: int = 0
    columns: Mapping[str, Column] = field(default_factory=dict)
    complete: bool = True
    reads: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """The kind in words."""
        return KINDS.get(self.kind, self.kind)


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One column acts on another, or (target column '') on which rows there are."""

    source: ColumnRef
    target: ColumnRef
    how: str

    @property
    def direct(self) -> bool:
        """Whether the target's values are made of the source's."""
        return HOWS[self.how].direct


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that cannot be known from the SQL, in a sentence."""

    node: str
    text: str


@dataclass(frozen=True, kw_only=True)
class ColumnGraph:
    """Nodes by key, in the order in which rows flow, and the edges between their columns."""

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    notes: tuple[Note, ...] = ()

    @cached_property
    def into(self) -> Mapping[ColumnRef, tuple[Edge, ...]]:
        """The edges into each column, and into the rows of each node."""
        found: dict[ColumnRef, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.target, []).append(edge)
        return {ref: tuple(edges) for ref, edges in found.items()}

    @cached_property
    def out_of(self) -> Mapping[ColumnRef, tuple[Edge, ...]]:
        """The edges out of each column."""
        found: dict[ColumnRef, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
        return {ref: tuple(edges) for ref, edges in found.items()}

    def name(self, ref: ColumnRef) -> str:
        """A column as people write it: ``orders.amount``, or ``orders`` for its rows."""
        node = self.nodes[ref.node]
        column = node.columns.get(ref.column)
        return f"{node.name}.{column.name if column else ref.column}" if ref.column else node.name

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "nodes": [
                {
                    "name": node.name,
                    "kind": node.kind,
                    "file": node.file,
                    "line": node.line,
                    "complete": node.complete,
                    "columns": [{"name": one.name, "role": one.role} for one in node.columns.values()],
                    "reads": [self.nodes[key].name for key in node.reads if key in self.nodes],
                }
                for node in self.nodes.values()
            ],
            "edges": [
                {
                    "from": self._place(edge.source),
                    "to": self._place(edge.target),
                    "type": "DIRECT" if edge.direct else "INDIRECT",
                    "subtype": edge.how.upper(),
                }
                for edge in self.edges
            ],
            "notes": [{"name": self.nodes[note.node].name, "text": note.text} for note in self.notes],
        }

    def _place(self, ref: ColumnRef) -> dict[str, str | None]:
        node = self.nodes[ref.node]
        column = node.columns.get(ref.column)
        return {"name": node.name, "column": (column.name if column else ref.column) or None}
