"""Lineage as text: a tree for a column, a table for a node, a list for a project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from tidemill.column_lineage.graph import HOWS, ColumnGraph, ColumnRef, Edge, Node


def describe_column(ref: ColumnRef, *, above: ColumnGraph | None, below: ColumnGraph | None) -> str:
    """What a column is made of, and what it goes into, as trees (`select.select` gives the parts)."""
    graph = above or below
    if graph is None:
        return ""
    lines = [f"{graph.name(ref)}  ({_about(graph.nodes[ref.node], graph.nodes[ref.node].columns[ref.column].role)})"]
    if above is not None:
        made = _tree(above, ref, above.into, lambda edge: edge.source)
        lines += ["", "comes from", *(made or ["  nothing: it is made here"])]
        deciding = [line for key in above.nodes for line in _deciding(above, key)]
        lines += ["", "which rows there are, is decided by", *deciding] if deciding else []
    if below is not None:
        into = _tree(below, ref, below.out_of, lambda edge: edge.target)
        lines += ["", "goes into", *(into or ["  nothing"])]
    return "\n".join([*lines, *_notes(above, below)])


def describe_node(key: str, *, above: ColumnGraph | None, below: ColumnGraph | None) -> str:
    """A node's columns with where each comes from, and the nodes before and behind it."""
    graph = above or below
    if graph is None:
        return ""
    node = graph.nodes[key]
    lines = [f"{node.name}  ({_about(node)})"]
    if above is not None:
        lines += ["", *_columns(above, node), *_deciding(above, key)]
        reads = list(_nodes(key, lambda one: above.nodes[one].reads, above))
        lines += ["", "comes from", *(reads or ["  nothing: it reads no table and no file"])]
    if below is not None:
        readers: dict[str, list[str]] = {}
        for one in below.nodes.values():
            for read in one.reads:
                readers.setdefault(read, []).append(one.key)
        read_by = list(_nodes(key, lambda one: tuple(readers.get(one, ())), below))
        lines += ["", "goes into", *(read_by or ["  nothing"])]
    return "\n".join([*lines, *_notes(above, below)])


def describe_graph(graph: ColumnGraph) -> str:
    """Every node with what it reads."""
    lines = []
    for node in graph.nodes.values():
        reads = ", ".join(graph.nodes[read].name for read in node.reads if read in graph.nodes)
        lines.append(f"{node.name}  ({_about(node)})" + (f"  from {reads}" if reads else ""))
    return "\n".join([*(lines or ["no statements"]), *_notes(graph)])


def _about(node: Node, role: str = "") -> str:
    kind = f"{role} of a model" if role else node.what
    return f"{kind}, {node.file}:{node.line}" if node.file else kind


def _tree(
    graph: ColumnGraph,
    start: ColumnRef,
    edges: Mapping[ColumnRef, tuple[Edge, ...]],
    follow: Callable[[Edge], ColumnRef],
) -> list[str]:
    """Columns behind one another; a branch that was shown is not shown again."""
    shown: set[ColumnRef] = {start}

    def branches(ref: ColumnRef, lead: str) -> Iterator[str]:
        ways: dict[ColumnRef, list[str]] = {}
        for edge in edges.get(ref, ()):
            ways.setdefault(follow(edge), []).append(edge.how)
        for number, (next_ref, hows) in enumerate(ways.items(), start=1):
            last = number == len(ways)
            again = next_ref in shown and bool(next_ref.column) and bool(edges.get(next_ref))
            mark = "└─ " if last else "├─ "
            yield f"{lead}{mark}{_named(graph, next_ref)}  {_ways(hows)}{'  (see above)' if again else ''}"
            if next_ref not in shown and next_ref.column:
                shown.add(next_ref)
                yield from branches(next_ref, f"{lead}{'   ' if last else '│  '}")

    return list(branches(start, "  "))


def _nodes(start: str, step: Callable[[str], tuple[str, ...]], graph: ColumnGraph) -> Iterator[str]:
    shown: set[str] = {start}

    def branches(key: str, lead: str) -> Iterator[str]:
        reads = [read for read in step(key) if read in graph.nodes]
        for number, read in enumerate(reads, start=1):
            last = number == len(reads)
            node = graph.nodes[read]
            again = read in shown and bool(step(read))
            yield f"{lead}{'└─ ' if last else '├─ '}{node.name}  ({_about(node)}){'  (see above)' if again else ''}"
            if read not in shown:
                shown.add(read)
                yield from branches(read, f"{lead}{'   ' if last else '│  '}")

    yield from branches(start, "  ")


def _named(graph: ColumnGraph, ref: ColumnRef) -> str:
    name = graph.name(ref)
    if not ref.column:
        return f"{name} (rows)"
    column = graph.nodes[ref.node].columns.get(ref.column)
    return f"{name} ({column.role})" if column is not None and column.role else name


def _columns(graph: ColumnGraph, node: Node) -> list[str]:
    """The node's columns, each with its sources of one step."""
    names = [f"{one.name} ({one.role})" if one.role else one.name for one in node.columns.values()]
    width = min(44, max(map(len, names), default=0))
    lines = []
    for name, key in zip(names, node.columns, strict=True):
        into = graph.into.get(ColumnRef(node.key, key), ())
        lines.append(f"  {name:<{width}}  <- {_sources(graph, into, node.key) or 'made here'}")
    return [*lines, *([] if node.complete else ["  and columns that are not known"])]


def _sources(graph: ColumnGraph, edges: Iterable[Edge], within: str = "") -> str:
    ways: dict[ColumnRef, list[str]] = {}
    for edge in edges:
        ways.setdefault(edge.source, []).append(edge.how)
    texts = []
    for ref, hows in ways.items():
        name = graph.nodes[ref.node].columns[ref.column].name if ref.node == within else _named(graph, ref)
        texts.append(name if hows == ["identity"] else f"{name} [{_ways(hows)}]")
    return ", ".join(texts)


def _ways(hows: Iterable[str]) -> str:
    order = list(HOWS)
    return ", ".join(sorted(set(hows), key=order.index))


def _deciding(graph: ColumnGraph, key: str) -> list[str]:
    """What decides the rows of a node."""
    sources = _sources(graph, graph.into.get(ColumnRef(key), ()))
    return [f"  rows of {graph.nodes[key].name}  <- {sources}"] if sources else []


def _notes(*graphs: ColumnGraph | None) -> list[str]:
    lines = dict.fromkeys(
        f"note: {graph.nodes[note.node].name}: {note.text}" for graph in graphs if graph for note in graph.notes
    )
    return ["", *lines] if lines else []
