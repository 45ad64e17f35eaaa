"""Lineage in Graphviz's language, for whoever has it: a record a node, a port a column."""

from __future__ import annotations

from tidemill.column_lineage.graph import ColumnGraph, ColumnRef, Node


def as_dot(graph: ColumnGraph) -> str:
    """Write the graph; what only decides is dashed."""
    names = {key: f"n{number}" for number, key in enumerate(graph.nodes)}
    lines = ["digraph lineage {", "  rankdir=LR;", '  node [shape=record, fontname="Helvetica"];']
    lines += [f"  {names[key]} [label={_record(node)}];" for key, node in graph.nodes.items()]
    for edge in graph.edges:
        style = "" if edge.direct else ", style=dashed"
        ends = f"{_port(graph, names, edge.source)} -> {_port(graph, names, edge.target)}"
        lines.append(f"  {ends} [tooltip={_quoted(edge.how)}{style}];")
    return "\n".join([*lines, "}", ""])


def _record(node: Node) -> str:
    columns = (f"<c{number}> {_escaped(one.name)}" for number, one in enumerate(node.columns.values()))
    return _quoted("|".join([f"<rows> {_escaped(node.name)}", *columns]), escape=False)


def _port(graph: ColumnGraph, names: dict[str, str], ref: ColumnRef) -> str:
    columns = list(graph.nodes[ref.node].columns)
    return f"{names[ref.node]}:{f'c{columns.index(ref.column)}' if ref.column in columns else 'rows'}"


def _escaped(text: str) -> str:
    """A text inside a record's label, where these have a meaning."""
    return "".join(f"\\{char}" if char in '\\{}|<>" ' else char for char in text)


def _quoted(text: str, *, escape: bool = True) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"') if escape else text
    return f'"{text}"'
