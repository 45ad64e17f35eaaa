"""Statements and known state become a plan. Pure: it reads no file, no clock, no database."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tidemill.core.connections import ConnectionSettings, find_source, lake_name
from tidemill.core.digest import digest_value
from tidemill.core.errors import BindError
from tidemill.core.names import asset_key, did_you_mean
from tidemill.planner.graph import Graph, build_graph, place
from tidemill.planner.increments import GENERATION, Decision, check_again, decide, only_reads
from tidemill.planner.known import Known
from tidemill.planner.plan import Action, Plan, Step
from tidemill.planner.settle import fingerprint_of
from tidemill.sql.statements import Summary

# Part of every fingerprint: raised when the same statement would be built into something else.
BUILDER_VERSION = 1
# The token of a path pattern that no file matches.
MISSING_FILES = "missing"

ACTIONS: Mapping[str, Action] = {
    "table": "build",
    "model": "train",
    "load": "load",
    "view": "view",
    "assert": "assert",
}
PART_ORDER = ("query", "options", "transform", "columns", "layout", "functions")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """A table of a connection as a plan finds it.

    Parameters
    ----------
    token
        The same text as the last time says that its rows are the same.
    said
        What another text means, in words that follow the table's name.
    whole
        A sentence in place of the name and those words: one for all tables of a connection.
    missing
        Why there is no such table; '' where there is one, or nobody looked.
    hint
        What may have been meant.
    """

    token: str
    said: str = "changed"
    whole: str = ""
    missing: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the planner knows of the world.

    Parameters
    ----------
    known
        Recorded assets by key.
    lake_tables
        Tables in the lake by key, with the version that last changed each.
    file_tokens
        For each path pattern that is read, a digest of the files behind it.
    connections
        The project's connections by name.
    sources
        For each table of a connection that is read, how it is found.
    remote_files
        For each path pattern that names files of other machines, how they are found.
    model_versions
        The algorithm version of each model type.
    log
        For each relation of the prediction log that is read, by key, a token of what it holds.
    """

    known: Mapping[str, Known] = field(default_factory=dict)
    lake_tables: Mapping[str, int] = field(default_factory=dict)
    file_tokens: Mapping[str, str] = field(default_factory=dict)
    connections: Mapping[str, ConnectionSettings] = field(default_factory=dict)
    sources: Mapping[str, SourceState] = field(default_factory=dict)
    remote_files: Mapping[str, SourceState] = field(default_factory=dict)
    model_versions: Callable[[str], int] = lambda _: 1
    log: Mapping[str, str] = field(default_factory=dict)


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
    fingerprints: dict[str, str] = {}
    definitions: dict[str, str] = {}
    steps: list[Step] = []
    working: set[str] = set()
    for key in graph.order:
        reads = _reads(graph, key, fingerprints, state)
        summary, known = graph.assets[key], state.known.get(key)
        checked = _checked(graph, key, state)
        upstream = {
            graph.assets[read].name: definitions[read]
            for read in graph.reads[key]
            if graph.assets[read].name not in checked
        }
        forced = full_refresh and key in named
        decided = _decide(summary, reads, checked, upstream, known, state, forced=forced)
        fingerprints[key] = decided.fingerprint
        definitions[key] = digest_value(
            [*_base(summary, state), sorted(upstream.items()), decided.parts.get(GENERATION)]
        )
        if key not in chosen:
            # What is not selected counts as it stands, so that its readers do not wait for a change nobody asked for.
            fingerprints[key] = known.fingerprint if known else fingerprints[key]
            continue
        _require_sources(graph, key, state)
        if decided.action != "skip":
            working.add(key)
        depends = tuple(graph.assets[read].name for read in graph.reads[key] if read in working)
        steps.append(_planned_step(len(steps), summary, decided, depends=depends, reads=reads, checked=checked))
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


def _reads(graph: Graph, key: str, fingerprints: Mapping[str, str], state: State) -> dict[str, str]:
    """What an asset is made from, by name: fingerprints of assets, versions of outside tables, digests of files."""
    reads = {graph.assets[read].name: fingerprints[read] for read in graph.reads[key]}
    reads |= {table: f"version {state.lake_tables[table]}" for table in graph.outside[key]}
    reads |= {name: state.sources[name].token for name in graph.sources[key] if name in state.sources}
    reads |= {name: state.log[asset_key(name)] for name in graph.assets[key].tables if asset_key(name) in state.log}
    for pattern in graph.assets[key].files:
        remote = state.remote_files.get(pattern)
        reads[f"file {pattern}"] = remote.token if remote else state.file_tokens.get(pattern, "")
    return reads


def _checked(graph: Graph, key: str, state: State) -> tuple[str, ...]:
    """The names among what an asset reads that only its checks look into."""
    names: list[str] = []
    for name in graph.assets[key].checked:
        source = find_source(name, state.connections)
        table = asset_key(lake_name(name))
        made = graph.assets.get(table)
        names.append(source.name if source else made.name if made else table)
    return tuple(names)


def _base(summary: Summary, state: State) -> tuple[Any, ...]:
    """What a fingerprint is made of, besides what the asset reads."""
    algorithm = state.model_versions(summary.model_type) if summary.kind == "model" else 0
    return (BUILDER_VERSION, summary.kind, summary.digest, algorithm)


def _decide(
    summary: Summary,
    reads: dict[str, str],
    checked: tuple[str, ...],
    upstream: Mapping[str, str],
    known: Known | None,
    state: State,
    *,
    forced: bool,
) -> Decision:
    base = _base(summary, state)
    asked = "a full refresh was asked for" if forced else ""
    if summary.incremental:
        damage = "its files are gone or damaged" if known is not None and not known.present else ""
        said = {name: found.said for name, found in state.sources.items()}
        return decide(
            summary,
            base=base,
            reads=reads,
            checked=checked,
            upstream=upstream,
            known=known,
            said=said,
            why_whole=asked or damage,
        )
    fingerprint = fingerprint_of(base, reads, checked)
    of_rows = {name: token for name, token in reads.items() if name not in checked}
    reason = asked or _reason(summary, fingerprint, of_rows, state)
    again = check_again(known, summary.parts, reads, checked) if known is not None and not reason else ""
    # What was made by the same statement has nothing to do where what it reads turns out to be as it was.
    same = known is not None and known.present and not asked and only_reads(known, summary.parts)
    same = same and known is not None and fingerprint_of(base, known.reads, checked) == known.fingerprint
    return Decision(
        action=ACTIONS[summary.kind] if reason else "check" if again else "skip",
        reason=reason or again,
        fingerprint=fingerprint,
        made_of=base,
        parts=summary.parts,
        before=known.fingerprint if known is not None and same else "",
        unless=dict(known.reads) if known is not None and same else None,
    )


def _require_sources(graph: Graph, key: str, state: State) -> None:
    """Refuse a table of a connection that is not there, as long as nothing was made from it.

    One that is gone since then stops its step, and with it only what hangs on it.
    """
    known = state.known.get(key)
    for name in graph.sources[key]:
        if known is not None and name in known.reads:
            continue
        found = state.sources.get(name)
        if found is not None and found.missing:
            summary = graph.assets[key]
            message = f"{summary.name} reads {name}: {found.missing}"
            raise BindError(message, where=place(summary), hint=found.hint, name=name)


def _reason(summary: Summary, fingerprint: str, reads: Mapping[str, str], state: State) -> str:
    """Why the asset must be made again, in words; empty when it need not be."""
    known = state.known.get(asset_key(summary.name))
    if known is None:
        return "new"
    if not known.present:
        return "its files are gone or damaged"
    if known.fingerprint == fingerprint:
        return ""
    if known.kind != summary.kind:
        return f"was a {known.kind}"
    changed = [part for part in PART_ORDER if known.parts.get(part) != summary.parts.get(part)]
    reasons = [f"{part} changed" for part in changed]
    for name, token in reads.items():
        if name not in known.reads:
            reasons.append(f"reads {name}")
        elif known.reads[name] != token:
            became = "is gone" if token == MISSING_FILES else "changed"
            found = state.sources.get(name) or state.remote_files.get(name.removeprefix("file "))
            became = found.said if found else became
            whole = found.whole if found else ""
            reasons.append(whole or f"{name.removeprefix('file ')} {became}")
    return ", ".join(dict.fromkeys(reasons)) or "built by another version of Tidemill"


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
