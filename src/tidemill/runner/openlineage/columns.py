"""The facet that says which columns a table's columns come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tidemill.column_lineage.graph import HOWS, ColumnGraph, ColumnRef, Edge, Node
from tidemill.core.names import asset_key
from tidemill.runner.openlineage.message import Dataset, facet

PlaceOf = Callable[[Node], Dataset | None]
"""The dataset of a node; None for what is none, such as a table function."""


def column_facet(graph: ColumnGraph, asset: str, place_of: PlaceOf) -> dict[str, Any]:
    """``columnLineage`` of an asset, or nothing where no column of it has a source.

    Parameters
    ----------
    place_of
        Names the dataset that a node of the graph is.
    """
    node = graph.nodes.get(asset_key(asset))
    if node is None:
        return {}
    fields = {}
    for key, column in node.columns.items():
        sources = _sources(graph, graph.into.get(ColumnRef(node.key, key), ()), place_of)
        if sources:
            fields[column.name] = {"inputFields": sources}
    rows = _sources(graph, graph.into.get(ColumnRef(node.key), ()), place_of)
    if not fields and not rows:
        return {}
    return {"columnLineage": facet("columnLineage", fields=fields, dataset=rows)}


def _sources(graph: ColumnGraph, edges: Sequence[Edge], place_of: PlaceOf) -> list[dict[str, Any]]:
    """One entry a source column, with every way in which it acts."""
    ways: dict[ColumnRef, list[str]] = {}
    for edge in edges:
        ways.setdefault(edge.source, []).append(edge.how)
    found = []
    for ref, hows in ways.items():
        node = graph.nodes[ref.node]
        place = place_of(node)
        column = node.columns.get(ref.column)
        if place is not None and ref.column:
            changes = [{"type": "DIRECT" if HOWS[how].direct else "INDIRECT", "subtype": how.upper()} for how in hows]
            said = {
                "namespace": place.namespace,
                "name": place.name,
                "field": column.name if column else ref.column,
                "transformations": changes,
            }
            found.append(said)
    return found
