"""Which asset reads which: names resolved, clashes and cycles refused, an order found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tidemill.core.connections import ConnectionSettings
from tidemill.core.errors import BindError, StatementError, Where
from tidemill.core.names import asset_key, did_you_mean
from tidemill.core.source_tables import SourceTable, find_source, lake_name, made_name, near_source, refuse_source_name
from tidemill.sql.statements import Summary

ASSET_KINDS = ("table", "view", "model", "load", "assert")
SYSTEM_SCHEMA = "tidemill."


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Assets by key, what each reads of its own project, of the lake besides, and of connections (by their names)."""

    assets: Mapping[str, Summary]
    reads: Mapping[str, tuple[str, ...]]
    outside: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, tuple[str, ...]]
    order: tuple[str, ...]


def place(summary: Summary) -> Where:
    """Where a statement begins."""
    return Where(file=summary.file, line=summary.line, column=summary.column)


def build_graph(
    summaries: Iterable[Summary],
    lake_tables: Iterable[str],
    connections: Mapping[str, ConnectionSettings] = MappingProxyType({}),
) -> Graph:
    """Resolve every name that is read, and order the assets so that each stands after what it reads.

    Raises
    ------
    BindError
        Two statements make one name, a name is not known or is a connection's, or assets read each other in a circle.
    """
    assets = _by_key(summaries, connections)
    lake = {asset_key(table): table for table in lake_tables}
    reads: dict[str, tuple[str, ...]] = {}
    outside: dict[str, tuple[str, ...]] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for key, summary in assets.items():
        own: list[str] = []
        others: list[str] = []
        theirs = sources_of(summary, connections)
        for name in summary.tables:
            if name not in theirs:
                _resolve(
                    summary,
                    name,
                    want="table",
                    assets=assets,
                    lake=lake,
                    own=own,
                    others=others,
                    connections=connections,
                )
        for name in summary.models:
            _resolve(summary, name, want="model", assets=assets, lake={}, own=own, others=others)
        reads[key] = tuple(dict.fromkeys(own))
        outside[key] = tuple(dict.fromkeys(others))
        sources[key] = tuple(dict.fromkeys(source.name for source in theirs.values()))
    return Graph(assets=assets, reads=reads, outside=outside, sources=sources, order=_order(assets, reads))


def sources_of(summary: Summary, connections: Mapping[str, ConnectionSettings]) -> dict[str, SourceTable]:
    """The tables of connections that a statement reads, by the names it has for them.

    Raises
    ------
    BindError
        A name of a connection names no table.
    """
    try:
        found = {name: find_source(name, connections) for name in summary.tables if connections}
    except StatementError as error:
        error.where = error.where or place(summary)
        raise
    return {name: source for name, source in found.items() if source is not None}


def readers_of_log(graph: Graph) -> frozenset[str]:
    """Keys of the assets that read the prediction log, or a view that does."""
    found: set[str] = set()
    for key in graph.order:
        views = [read for read in graph.reads[key] if graph.assets[read].kind == "view"]
        own = any(asset_key(name).startswith(SYSTEM_SCHEMA) for name in graph.assets[key].tables)
        if own or not found.isdisjoint(views):
            found.add(key)
    return frozenset(found)


def _by_key(summaries: Iterable[Summary], connections: Mapping[str, ConnectionSettings]) -> dict[str, Summary]:
    assets: dict[str, Summary] = {}
    for summary in summaries:
        if summary.kind not in ASSET_KINDS:
            continue
        if summary.kind != "assert":
            refuse_source_name(made_name(summary.name, summary.project), connections, place(summary))
        key = asset_key(summary.name)
        other = assets.get(key)
        if other is not None:
            raise BindError(
                f"{summary.name} is made twice: here and at {place(other)}",
                where=place(summary),
                hint="rename one of them, or delete the one you do not want",
            )
        assets[key] = summary
    return assets


def _resolve(
    summary: Summary,
    name: str,
    *,
    want: str,
    assets: Mapping[str, Summary],
    lake: Mapping[str, str],
    own: list[str],
    others: list[str],
    connections: Iterable[str] = (),
) -> None:
    key = asset_key(lake_name(name))
    if key.startswith(SYSTEM_SCHEMA):
        return
    target = assets.get(key)
    if target is not None and (target.kind == "model") == (want == "model"):
        own.append(key)
    elif key in lake:
        others.append(key)
    elif target is not None:
        raise BindError(f"{summary.name} reads {name} as a {want}, but it is a {target.kind}", where=place(summary))
    else:
        known = [item.name for item in assets.values() if (item.kind == "model") == (want == "model")]
        raise BindError(
            f"{summary.name} reads the {want} {name}, which no statement makes",
            where=place(summary),
            hint=near_source(name, connections) or did_you_mean(lake_name(name), [*known, *lake.values()]),
            name=name,
        )


def _order(assets: Mapping[str, Summary], reads: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Depth first in the order of files and lines; a circle is reported with its members."""
    done: dict[str, bool] = {}
    order: list[str] = []
    for root in sorted(assets, key=lambda key: (assets[key].file, assets[key].line)):
        trail: list[tuple[str, int]] = [(root, 0)] if root not in done else []
        while trail:
            key, position = trail.pop()
            done.setdefault(key, False)
            if position < len(reads[key]):
                trail.append((key, position + 1))
                child = reads[key][position]
                if child not in done:
                    trail.append((child, 0))
                elif not done[child]:
                    _refuse_cycle(assets, [step for step, _ in trail], child)
            else:
                done[key] = True
                order.append(key)
    return tuple(order)


def _refuse_cycle(assets: Mapping[str, Summary], trail: list[str], child: str) -> None:
    cycle = [*trail[trail.index(child) :], child]
    raise BindError(
        "these read each other in a circle: " + " -> ".join(assets[key].name for key in cycle),
        where=place(assets[child]),
        hint="one of them must read something else",
        cycle=[assets[key].name for key in cycle],
    )
