"""The part of a graph that is about one column or one node: what leads to it, and what comes from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tidemill.column_lineage.graph import ColumnGraph, ColumnRef, Edge
from tidemill.core.errors import NotFoundError
from tidemill.core.names import asset_key, did_you_mean, name_key


def find_ref(graph: ColumnGraph, name: str) -> ColumnRef:
    """The node (column '') or the column that a name says: ``orders``, ``orders.amount``, ``data/a.csv.amount``.

    Raises
    ------
    NotFoundError
        There is none; the hint names the nearest.
    """
    names = {asset_key(node.name): key for key, node in graph.nodes.items()}
    if asset_key(name) in names:
        return ColumnRef(names[asset_key(name)])
    table, dot, column = name.rpartition(".")
    key = names.get(asset_key(table)) if dot else None
    if key is None:
        known = [node.name for node in graph.nodes.values()]
        raise NotFoundError(
            f"there is no table, view, model or source {table or name}", hint=did_you_mean(table or name, known)
        )
    node = graph.nodes[key]
    if name_key(column) not in node.columns:
        hint = did_you_mean(column, [one.name for one in node.columns.values()])
        if not node.complete:
            hint += "; not all its columns are known" if hint else "its columns are not known"
        raise NotFoundError(f"{node.name} has no column {column}", hint=hint)
    return ColumnRef(key, name_key(column))


def select(
    graph: ColumnGraph, start: ColumnRef, *, up: bool = True, down: bool = True, direct: bool = False, depth: int = 0
) -> ColumnGraph:
    """The part of a graph around a column, or around all columns of a node.

    What decides which rows a node has is shown with the node and not followed further: nearly everything hangs
    together by it.

    Parameters
    ----------
    direct
        Only edges by which values flow.
    depth
        How many nodes to go in each direction; 0 is to the ends.
    """
    own = graph.nodes[start.node]
    starts = [start] if start.column else [ColumnRef(start.node), *(ColumnRef(start.node, key) for key in own.columns)]
    graph = direct_only(graph) if direct else graph
    kept: dict[Edge, None] = {}
    if up:
        kept |= dict.fromkeys(_walk(graph.into, starts, lambda edge: edge.source, depth=depth, rows=graph.into))
    if down:
        kept |= dict.fromkeys(_walk(graph.out_of, starts, lambda edge: edge.target, depth=depth))
    return _part(graph, [edge for edge in graph.edges if edge in kept], starts)


def direct_only(graph: ColumnGraph) -> ColumnGraph:
    """The graph with only the edges by which values flow."""
    return replace(graph, edges=tuple(edge for edge in graph.edges if edge.direct))


def _walk(
    edges: Mapping[ColumnRef, tuple[Edge, ...]],
    starts: Iterable[ColumnRef],
    follow: Callable[[Edge], ColumnRef],
    *,
    depth: int,
    rows: Mapping[ColumnRef, tuple[Edge, ...]] | None = None,
) -> Iterable[Edge]:
    """Edges from some columns on; with ``rows`` also those into the rows of the nodes on the way."""
    steps = dict.fromkeys(starts, 0)
    waiting = list(steps)
    while waiting:
        ref = waiting.pop(0)
        if depth and steps[ref] >= depth:
            continue
        if rows is not None:
            yield from rows.get(ColumnRef(ref.node), ())
        for edge in edges.get(ref, ()):
            yield edge
            following = follow(edge)
            if following.column and following not in steps:
                steps[following] = steps[ref] + (following.node != ref.node)
                waiting.append(following)
            elif rows is not None and not following.column:
                yield from rows.get(following, ())  # a count: what decides the rows decides the number


def _part(graph: ColumnGraph, edges: list[Edge], starts: Iterable[ColumnRef]) -> ColumnGraph:
    named: dict[str, set[str]] = {}
    for ref in (*starts, *(ref for edge in edges for ref in (edge.source, edge.target))):
        named.setdefault(ref.node, set()).add(ref.column)
    nodes = {
        key: replace(
            node,
            columns={column: one for column, one in node.columns.items() if column in named[key]},
            reads=tuple(read for read in node.reads if read in named),
        )
        for key, node in graph.nodes.items()
        if key in named
    }
    return ColumnGraph(nodes=nodes, edges=tuple(edges), notes=tuple(note for note in graph.notes if note.node in nodes))
