"""What steps read and write, named as OpenLineage names data sources, with what is known of each.

References
----------
Naming of datasets: https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tidemill.core.connections import kind_of
from tidemill.core.errors import NotFoundError
from tidemill.core.names import asset_key, name_key
from tidemill.core.secrets import expand
from tidemill.core.source_tables import SourceTable, find_source
from tidemill.planner.plan import Step
from tidemill.runner.openlineage.columns import column_facet
from tidemill.runner.openlineage.message import Dataset, facet
from tidemill.runner.report import StepReport
from tidemill.sources.patterns import is_remote
from tidemill.sql.column_options import column_notes
from tidemill.sql.statements import CreateModel, CreateTable, Statement
from tidemill.warehouse.control.models import get_version

if TYPE_CHECKING:
    from tidemill.column_lineage.graph import ColumnGraph, Node
    from tidemill.runner.stations import Stations

FILE = "file "
"""Stands before a file pattern among the things a step reads."""

KINDS = {"table": "TABLE", "load": "TABLE", "view": "VIEW", "model": "MODEL"}


def namespace_of(stations: Stations) -> str:
    """The namespace of a project's jobs, tables and models."""
    return stations.settings.openlineage.namespace or f"tidemill://{stations.settings.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """How an asset stands: its kind, and its version where it has one."""

    kind: str
    version: int | None


def source_dataset(table: SourceTable, stations: Stations) -> Dataset:
    """A table of a connection: by its server without user and password, or by its file."""
    connection = stations.settings.connections[table.connection]
    kind = kind_of(connection)
    rest = connection.url.partition("://")[2]
    facets = _type_of("table")
    if kind.local or not kind.extra:
        place = rest.lstrip("/") if kind.local else connection.url.rpartition(":")[2]
        namespace = f"{kind.name}://{stations.root.resolve() / place}"
        return Dataset(namespace=namespace, name=".".join(table.path), facets=facets)
    address = expand(rest.partition("?")[0].rpartition("@")[2], f"connections.{connection.name}.url", os.environ)
    server, _, database = address.partition("/")
    host, _, port = server.partition(":")
    known = _SERVERS[kind.name]
    names = (database, *table.path) if known.database else table.path
    return Dataset(namespace=f"{known.scheme}://{host}:{port or known.port}", name=".".join(names), facets=facets)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """How OpenLineage names the tables of a kind of server; ``database`` where the database stands in the name."""

    scheme: str
    port: str
    database: bool


_SERVERS: Mapping[str, _Server] = {
    "postgresql": _Server(scheme="postgres", port="5432", database=True),
    "mysql": _Server(scheme="mysql", port="3306", database=False),
}


def place_of(node: Node, stations: Stations) -> Dataset | None:
    """The dataset that a node of the graph of columns is; None for what is none, such as a table function."""
    if node.kind == "file":
        return _file(node.name, stations)
    if node.kind in ("table", "view", "load", "model", "lake"):
        return Dataset(namespace=namespace_of(stations), name=node.name)
    if node.kind == "connection" and (table := find_source(node.name, stations.settings.connections)):
        return source_dataset(table, stations)
    return None


def inputs_of(step: Step, known: Mapping[str, Stand], stations: Stations) -> list[Dataset]:
    """What a step reads: files, tables and models, each with its version.

    Parameters
    ----------
    known
        How the project's assets stand, by key.
    """
    namespace = namespace_of(stations)
    found = []
    for name in step.reads:
        if name.startswith(FILE):
            found.append(_file(name.removeprefix(FILE), stations))
            continue
        table = find_source(name, stations.settings.connections)
        if table is not None:
            found.append(source_dataset(table, stations))
            continue
        stand = known.get(asset_key(name))
        facets = _type_of(stand.kind) if stand else {}
        if stand and stand.version is not None:
            facets["version"] = facet("version", datasetVersion=str(stand.version))
        found.append(Dataset(namespace=namespace, name=name, facets=facets))
    return found


def _file(pattern: str, stations: Stations) -> Dataset:
    """A pattern of files: on this machine its absolute path, elsewhere its address in two parts."""
    facets = {"datasetType": facet("datasetType", datasetType="FILE")}
    if not is_remote(pattern):
        return Dataset(namespace="file", name=str(stations.root.resolve() / pattern), facets=facets)
    address = urlsplit(pattern)
    host = address.netloc.rpartition("@")[2]
    return Dataset(namespace=f"{address.scheme}://{host}", name=address.path.lstrip("/"), facets=facets)


def output_of(
    step: Step, statement: Statement | None, report: StepReport, stations: Stations, columns: ColumnGraph | None
) -> Dataset | None:
    """What a step has made, or dropped; None where it makes nothing that others read.

    Parameters
    ----------
    columns
        The graph of the project's columns, where it is known.
    """
    if step.kind not in KINDS:
        return None
    facets = _type_of(step.kind)
    if step.action == "drop":
        facets["lifecycleStateChange"] = facet("lifecycleStateChange", lifecycleStateChange="DROP")
        return Dataset(namespace=namespace_of(stations), name=step.asset, facets=facets)
    facets |= _documentation(statement)
    if columns is not None:
        facets |= column_facet(columns, step.asset, lambda node: place_of(node, stations))
    side: dict[str, Any] = {}
    if report.version is not None:
        facets["version"] = facet("version", datasetVersion=str(report.version))
    if step.kind in ("table", "load"):
        facets["schema"] = _schema(step.asset, statement, stations)
        side["outputStatistics"] = _statistics(step.asset, report, stations)
    if step.kind == "model" and report.version is not None:
        facets["tidemill_model"] = _model(step.asset, report, stations)
    return Dataset(namespace=namespace_of(stations), name=step.asset, facets=facets, side=side)


def _type_of(kind: str) -> dict[str, Any]:
    return {"datasetType": facet("datasetType", datasetType=KINDS[kind])} if kind in KINDS else {}


def _documentation(statement: Statement | None) -> dict[str, Any]:
    options = statement.options if isinstance(statement, CreateTable | CreateModel) else ()
    said = next((option.value for option in options if option.name.lower() == "description"), None)
    return {"documentation": facet("documentation", description=said)} if isinstance(said, str) else {}


def _schema(table: str, statement: Statement | None, stations: Stations) -> dict[str, Any]:
    """The table's columns, with what the statement says of each."""
    declared = statement.columns if isinstance(statement, CreateTable) else ()
    notes = column_notes(declared, statement.source)[0] if isinstance(statement, CreateTable) else {}
    notes = {**notes, **stations.settings.tables.get(asset_key(table), {})}
    about: Mapping[str, Any] = {key: note.said.get("description") for key, note in notes.items()}
    fields: Sequence[Mapping[str, Any]] = [
        {"name": column.name, "type": column.type, "ordinal_position": position}
        | ({"description": str(said)} if (said := about.get(name_key(column.name))) else {})
        for position, column in enumerate(stations.warehouse.columns(table), 1)
    ]
    return facet("schema", fields=fields)


def _statistics(table: str, report: StepReport, stations: Stations) -> dict[str, Any]:
    files = stations.warehouse.files(table, report.version)
    return facet("outputStatistics", rowCount=report.rows, size=sum(file.bytes for file in files), fileCount=len(files))


def _model(name: str, report: StepReport, stations: Stations) -> dict[str, Any]:
    try:
        version = get_version(stations.db, name, report.version)
    except NotFoundError:  # dropped since, by somebody else
        return facet("tidemill_model", metrics=dict(report.metrics))
    return facet("tidemill_model", modelType=version.model_type, digest=version.digest, metrics=dict(report.metrics))
