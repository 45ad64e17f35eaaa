"""A graph of some statements, over tables of which the columns are known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import pytest

from tidemill.column_lineage.build import Made, build_column_graph
from tidemill.column_lineage.graph import ColumnGraph
from tidemill.column_lineage.models import ModelColumns
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import LoadData
from tidemill.sql.summarise import summarise

TABLES: Mapping[str, Sequence[str]] = {
    "a": ("id", "x", "y", "g", "s"),
    "b": ("id", "z", "w", "g"),
    "c": ("id", "items", "st"),
}


class Knows:
    """What is known besides the SQL: the columns of some tables and files."""

    connections: Collection[str] = ("crm",)

    def table_columns(self, name: str) -> Sequence[str] | None:
        return TABLES.get(name.lower())

    def file_columns(self, sql: str) -> Sequence[str] | str:
        return ("id", "day", "amount") if "known.csv" in sql else "its columns are not known: no such file"

    def source_columns(self, name: str) -> Sequence[str] | str:
        return ("id", "name") if name == "crm.public.customers" else "its columns are not known: no such table"

    def source_name(self, name: str) -> str:
        return name

    def load_query(self, statement: LoadData) -> str:
        return f"SELECT * FROM '{statement.uris[0]}'"

    def model(self, name: str) -> ModelColumns | None:  # noqa: ARG002
        return None


Build = Callable[..., ColumnGraph]


@pytest.fixture
def build() -> Build:
    def of(sql: str, *, dialect: str = "duckdb", around: Sequence[str] = ()) -> ColumnGraph:
        made = [
            Made(summary=summarise(statement, number), statement=lambda statement=statement: statement)  # type: ignore[misc]
            for number, statement in enumerate(parse_text(sql, file="a.sql", dialect=dialect))
        ]
        return build_column_graph(made, Knows(), around=around)

    return of


def edges(graph: ColumnGraph, node: str) -> dict[str, list[str]]:
    """Into each column of a node ('' is its rows): sources with their ways, as texts."""
    found: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.target.node == node:
            found.setdefault(edge.target.column, []).append(f"{graph.name(edge.source)} {edge.how}")
    return {column: sorted(sources) for column, sources in found.items()}
