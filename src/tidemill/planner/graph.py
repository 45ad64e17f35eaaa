"""Which asset reads which: names resolved, clashes and cycles refused, an order found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidemill.core.errors import BindError, Where
from tidemill.core.names import asset_key, did_you_mean
from tidemill.sql.statements import Summary

ASSET_KINDS = ("table", "view", "model", "load", "assert")
SYSTEM_SCHEMA = "tidemill."


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Assets by key, what each reads of its own project, and the outside tables it reads."""

    assets: Mapping[str, Summary]
    reads: Mapping[str, tuple[str, ...]]
    outside: Mapping[str, tuple[str, ...]]
    order: tuple[str, ...]


def place(summary: Summary) -> Where:
    """Where a statement begins."""
    return Where(file=summary.file, line=summary.line, column=summary.column)


def build_graph(summaries: Iterable[Summary], lake_tables: Iterable[str]) -> Graph:
    """Resolve every name that is read, and order the assets so that each stands after what it reads.

    Raises
    ------
    BindError
        Two statements make one name, a name is not known, or assets read each other in a circle.
    """
    assets = _by_key(summaries)
    lake = {asset_key(table): table for table in lake_tables}
    reads: dict[str, tuple[str, ...]] = {}
    outside: dict[str, tuple[str, ...]] = {}
    for key, summary in assets.items():
        own: list[str] = []
        others: list[str] = []
        for name in summary.tables:
            _resolve(summary, name, want="table", assets=assets, lake=lake, own=own, others=others)
        for name in summary.models:
            _resolve(summary, name, want="model", assets=assets, lake={}, own=own, others=others)
        reads[key] = tuple(dict.fromkeys(own))
        outside[key] = tuple(dict.fromkeys(others))
    return Graph(assets=assets, reads=reads, outside=outside, order=_order(assets, reads))


def _by_key(summaries: Iterable[Summary]) -> dict[str, Summary]:
    assets: dict[str, Summary] = {}
    for summary in summaries:
        if summary.kind not in ASSET_KINDS:
            continue
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
) -> None:
    key = asset_key(name)
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
            hint=did_you_mean(name, [*known, *lake.values()]),
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
