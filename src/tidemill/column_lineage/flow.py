"""What flows into a value, and into the rows of a query: sources with the ways in which they act."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from tidemill.column_lineage.graph import HOWS, ColumnRef
from tidemill.core.names import name_key

Flow = Mapping[ColumnRef, frozenset[str]]
"""Sources, each with its ways (names of `HOWS`). The sources are columns of nodes, never of inner queries."""

NOTHING: Flow = {}
_DIRECT = [how.name for how in HOWS.values() if how.direct]


def merged(flows: Iterable[Flow]) -> Flow:
    """All that flows in any of them."""
    found: dict[ColumnRef, frozenset[str]] = {}
    for flow in flows:
        for ref, ways in flow.items():
            known = found.get(ref)
            found[ref] = ways if known is None else known | ways
    return found


def through(flow: Flow, how: str) -> Flow:
    """What becomes of a flow on its way through one more step.

    A direct step keeps the strongest of the direct ways and leaves the indirect ones; behind an indirect step all is
    indirect, in the way of that step.
    """
    if not HOWS[how].direct:
        return {ref: frozenset((how,)) for ref in flow}
    return {ref: frozenset(_stronger(way, how) for way in ways) for ref, ways in flow.items()}


def _stronger(way: str, how: str) -> str:
    if not HOWS[way].direct:
        return way
    return max(way, how, key=_DIRECT.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """A column that a query gives, and what flows into it."""

    name: str
    flow: Flow = field(default_factory=dict)
    role: str = ""


@dataclass(frozen=True, slots=True)
class Rest:
    """Columns of a node that pass under their own names, and of which nobody knows which they are."""

    node: str
    excepted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What a query, a table or a file gives.

    Parameters
    ----------
    rest
        Where further columns come from; empty when ``columns`` are all there are.
    other
        What flows into a column that is not listed, where there may be some and no node has them under their own
        names: the fields of an UNNEST, the columns of a PIVOT.
    rows
        What decides which rows there are.
    nodes
        The nodes whose rows these are.
    """

    columns: tuple[Out, ...] = ()
    rest: tuple[Rest, ...] = ()
    other: Flow | None = None
    rows: Flow = field(default_factory=dict)
    nodes: frozenset[str] = frozenset()

    @property
    def complete(self) -> bool:
        """Whether ``columns`` are all there are."""
        return not self.rest and self.other is None

    def lists(self, name: str) -> bool:
        """Whether a column of this name is listed."""
        key = name_key(name)
        return any(name_key(column.name) == key for column in self.columns)

    def find(self, name: str) -> Out | None:
        """A column by name, also one of those that are not listed; None when there is none of that name."""
        key = name_key(name)
        for column in self.columns:
            if name_key(column.name) == key:
                return column
        possible = [rest for rest in self.rest if key not in rest.excepted]
        if not possible:
            return None if self.other is None else Out(name=name, flow=self.other)
        # With several it may come from any of them: what is possible is shown, and a note says so.
        return Out(name=name, flow={ColumnRef(rest.node, key): frozenset(("identity",)) for rest in possible})

    def everything(self) -> Flow:
        """What flows into any column; for a whole row."""
        unknown = ({ColumnRef(rest.node): frozenset(("transformation",))} for rest in self.rest)
        return merged([*(column.flow for column in self.columns), *unknown, self.other or NOTHING])

    def counted(self) -> Flow:
        """What flows into a count of the rows."""
        return {ColumnRef(node): frozenset(("aggregation",)) for node in sorted(self.nodes)}

    def renamed(self, names: Iterable[str]) -> Relation:
        """Give the first columns new names, as ``AS t(a, b)`` does."""
        given = list(names)
        if not given:
            return self
        columns = list(_named(self.columns, given))
        if self.rest and len(given) > len(self.columns):
            # Which of the unknown columns each name is for, nobody knows.
            columns += [Out(name=name, flow=self.everything()) for name in given[len(self.columns) :]]
        return replace(self, columns=tuple(columns))


def _named(columns: tuple[Out, ...], names: list[str]) -> Iterator[Out]:
    for number, column in enumerate(columns):
        yield replace(column, name=names[number]) if number < len(names) else column


def base(node: str, names: Iterable[str], *, complete: bool) -> Relation:
    """A node as a query sees it: its columns, each from itself."""
    columns = tuple(Out(name=name, flow={ColumnRef(node, name_key(name)): frozenset(("identity",))}) for name in names)
    rest = () if complete else (Rest(node, frozenset(name_key(name) for name in names)),)
    return Relation(columns=columns, rest=rest, nodes=frozenset((node,)))
