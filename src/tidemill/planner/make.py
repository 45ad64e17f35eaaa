"""Statements and known state become a plan. Pure: it reads no file, no clock, no database."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tidemill.core.digest import digest_value
from tidemill.core.errors import BindError
from tidemill.core.names import asset_key, did_you_mean
from tidemill.planner.decide import base_of, checked_reads, decide_step, reads_of, require_sources
from tidemill.planner.graph import Graph, build_graph, readers_of_log
from tidemill.planner.increments import GENERATION, Decision
from tidemill.planner.known import Known
from tidemill.planner.plan import Action, Plan, Step
from tidemill.sql.statements import Summary

if TYPE_CHECKING:
    from tidemill.planner.state import State


def make_plan(
    summaries: Sequence[Summary], state: State, *, selectors: Sequence[str] = (), full_refresh: bool = False
) -> Plan:
    """Compare fingerprints and list what has to be done, in order, with the reason in words.

    Parameters
    ----------
    selectors
        Names or patterns; each brings what it reads with it. ``name+`` brings what hangs on it as well.
    full_refresh
        Build the selected assets whether they changed or not.

    Raises
    ------
    BindError
        Names clash or are unknown, assets read each other in a circle, or a selector matches nothing.
    """
    graph = build_graph(summaries, _outside_tables(summaries, state), state.connections)
    chosen, named = _select(graph, selectors)
    of_log = readers_of_log(graph)
    fingerprints: dict[str, str] = {}
    definitions: dict[str, str] = {}
    steps: list[Step] = []
    working: set[str] = set()
    for key in graph.order:
        reads = reads_of(graph, key, fingerprints, state)
        summary, known = graph.assets[key], state.known.get(key)
        checked = checked_reads(graph, key, state)
        upstream = {
            graph.assets[read].name: definitions[read]
            for read in graph.reads[key]
            if graph.assets[read].name not in checked
        }
        forced = full_refresh and key in named
        decided = decide_step(summary, reads, checked, upstream, known, state, forced=forced)
        fingerprints[key] = decided.fingerprint
        definitions[key] = digest_value(
            [*base_of(summary, state), sorted(upstream.items()), decided.parts.get(GENERATION)]
        )
        if key not in chosen:
            # What is not selected counts as it stands, so that its readers do not wait for a change nobody asked for.
            fingerprints[key] = known.fingerprint if known else fingerprints[key]
            continue
        require_sources(graph, key, state)
        if decided.action != "skip":
            working.add(key)
        depends = tuple(graph.assets[read].name for read in graph.reads[key] if read in working)
        step = _planned_step(len(steps), summary, decided, depends=depends, reads=reads, checked=checked)
        steps.append(replace(step, by_rows=key in of_log))
    steps += _drops(graph, summaries, state, selected=bool(selectors), first=len(steps))
    if not selectors:
        steps += _refusals(summaries, first=len(steps))
    return Plan(steps=tuple(steps))


def _refusals(summaries: Sequence[Summary], *, first: int) -> list[Step]:
    """Statements that are read but not carried out (INSERT, GRANT, ...): a run must not pass over them in silence."""
    refused = [summary for summary in summaries if summary.kind == "other"]
    return [
        _step(first + position, summary, action="refuse", reason="not carried out", depends=(),
              fingerprint=summary.digest, reads={})
        for position, summary in enumerate(refused)
    ]  # fmt: skip


def _outside_tables(summaries: Iterable[Summary], state: State) -> list[str]:
    """Tables of the lake that no statement of this project made: they count as outside data."""
    ours = {asset_key(s.name) for s in summaries} | {
        key for key, known in state.known.items() if known.origin == "file"
    }
    return [table for table in state.lake_tables if table not in ours]


def _select(graph: Graph, selectors: Sequence[str]) -> tuple[set[str], set[str]]:
    if not selectors:
        return set(graph.assets), set(graph.assets)
    readers: dict[str, list[str]] = {}
    for key, reads in graph.reads.items():
        for read in reads:
            readers.setdefault(read, []).append(key)
    named: set[str] = set()
    for selector in selectors:
        pattern = asset_key(selector.removeprefix("+").removesuffix("+"))  # +NAME says what NAME means anyway
        found = {key for key in graph.assets if fnmatch.fnmatchcase(key, pattern)}
        if not found:
            names = [summary.name for summary in graph.assets.values()]
            raise BindError(f"no asset is named {selector}", hint=did_you_mean(pattern, names))
        named |= found if not selector.endswith("+") else _closure(found, readers)
    return _closure(named, graph.reads), named


def _closure(start: set[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
    seen, todo = set(start), list(start)
    while todo:
        for other in edges.get(todo.pop(), ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def _step(ordinal: int, summary: Summary, *, action: Action, reason: str, depends: tuple[str, ...], fingerprint: str,
          reads: dict[str, str]) -> Step:  # fmt: skip
    return Step(
        ordinal=ordinal,
        asset=summary.name,
        kind=summary.kind,
        action=action,
        reason=reason,
        depends=depends,
        file=summary.file,
        line=summary.line,
        statement=summary.ordinal,
        fingerprint=fingerprint,
        reads=reads,
        parts=dict(summary.parts),
    )


def _planned_step(
    ordinal: int,
    summary: Summary,
    decided: Decision,
    *,
    depends: tuple[str, ...],
    reads: dict[str, str],
    checked: tuple[str, ...],
) -> Step:
    step = _step(ordinal, summary, action=decided.action, reason=decided.reason or "unchanged", depends=depends,
                 fingerprint=decided.fingerprint, reads=reads)  # fmt: skip
    return replace(
        step,
        parts=dict(decided.parts),
        checked=checked,
        made_of=decided.made_of,
        before=decided.before,
        unless=decided.unless,
    )


def _drops(graph: Graph, summaries: Sequence[Summary], state: State, *, selected: bool, first: int) -> list[Step]:
    """Assets whose statement is gone, and those a DROP statement names."""
    drops: list[tuple[Known, str, str, int, int]] = []
    if not selected:
        drops += [
            (known, "its statement is gone", "", 0, 0)
            for key, known in sorted(state.known.items())
            if known.origin == "file" and key not in graph.assets
        ]
    named = {asset_key(item[0].name) for item in drops}
    for summary in summaries:
        key = asset_key(summary.name)
        known = state.known.get(key)
        if summary.kind in {"drop_model", "drop_table"} and known and key not in graph.assets and key not in named:
            drops.append((known, "a DROP statement says so", summary.file, summary.line, summary.ordinal))
    return [
        Step(
            ordinal=first + position, asset=known.name, kind=known.kind, action="drop", reason=reason, depends=(),
            file=file, line=line, statement=ordinal, fingerprint=known.fingerprint, reads={}, parts={},
        )
        for position, (known, reason, file, line, ordinal) in enumerate(drops)
    ]  # fmt: skip
