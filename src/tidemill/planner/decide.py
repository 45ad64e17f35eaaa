"""What is to be done about one statement, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.core.errors import BindError
from tidemill.core.names import asset_key
from tidemill.core.source_tables import find_source, lake_name
from tidemill.planner.graph import Graph, place
from tidemill.planner.increments import Decision, check_again, decide, only_reads
from tidemill.planner.known import Known
from tidemill.planner.plan import Action
from tidemill.planner.settle import fingerprint_of
from tidemill.planner.state import MISSING_FILES, State
from tidemill.sql.statements import Summary

# Part of every fingerprint: raised when the same statement would be built into something else.
BUILDER_VERSION = 1
ACTIONS: Mapping[str, Action] = {
    "table": "build",
    "model": "train",
    "load": "load",
    "view": "view",
    "assert": "assert",
}
SAME_AS = "same as"
"""Part of a table that came out with the rows that it had: the fingerprint that it would have, had it been replaced."""
PART_ORDER = ("query", "options", "transform", "columns", "layout", "functions")


def reads_of(graph: Graph, key: str, fingerprints: Mapping[str, str], state: State) -> dict[str, str]:
    """What an asset is made from, by name: fingerprints of assets, versions of outside tables, digests of files."""
    reads = {graph.assets[read].name: fingerprints[read] for read in graph.reads[key]}
    reads |= {table: f"version {state.lake_tables[table]}" for table in graph.outside[key]}
    reads |= {name: state.sources[name].token for name in graph.sources[key] if name in state.sources}
    reads |= {name: state.log[asset_key(name)] for name in graph.assets[key].tables if asset_key(name) in state.log}
    for pattern in graph.assets[key].files:
        remote = state.remote_files.get(pattern)
        reads[f"file {pattern}"] = remote.token if remote else state.file_tokens.get(pattern, "")
    return reads


def checked_reads(graph: Graph, key: str, state: State) -> tuple[str, ...]:
    """The names among what an asset reads that only its checks look into."""
    names: list[str] = []
    for name in graph.assets[key].checked:
        source = find_source(name, state.connections)
        table = asset_key(lake_name(name))
        made = graph.assets.get(table)
        names.append(source.name if source else made.name if made else table)
    return tuple(names)


def base_of(summary: Summary, state: State) -> tuple[Any, ...]:
    """What a fingerprint is made of, besides what the asset reads."""
    algorithm = state.model_versions(summary.model_type) if summary.kind == "model" else 0
    return (BUILDER_VERSION, summary.kind, summary.digest, algorithm)


def decide_step(
    summary: Summary,
    reads: dict[str, str],
    checked: tuple[str, ...],
    upstream: Mapping[str, str],
    known: Known | None,
    state: State,
    *,
    forced: bool,
) -> Decision:
    """Say whether an asset is built, checked again or left as it is, and why."""
    base = base_of(summary, state)
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
    fingerprint, parts = fingerprint_of(base, reads, checked), summary.parts
    same_as = known.parts.get(SAME_AS) if known is not None else None
    of_rows = {name: token for name, token in reads.items() if name not in checked}
    stands = known is not None and fingerprint in (known.fingerprint, same_as)
    reason = asked or _reason(summary, of_rows, state, stands=stands)
    if known is not None and same_as is not None and not reason:
        fingerprint, parts = known.fingerprint, {**parts, SAME_AS: same_as}
    again = check_again(known, parts, reads, checked) if known is not None and not reason else ""
    # What was made by the same statement has nothing to do where what it reads turns out to be as it was.
    same = known is not None and known.present and not asked and only_reads(known, summary.parts)
    same = same and known is not None and fingerprint_of(base, known.reads, checked) in (known.fingerprint, same_as)
    return Decision(
        action=ACTIONS[summary.kind] if reason else "check" if again else "skip",
        reason=reason or again,
        fingerprint=fingerprint,
        made_of=base,
        parts=parts,
        before=known.fingerprint if known is not None and same else "",
        unless=dict(known.reads) if known is not None and same else None,
    )


def require_sources(graph: Graph, key: str, state: State) -> None:
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


def _reason(summary: Summary, reads: Mapping[str, str], state: State, *, stands: bool) -> str:
    """Why the asset must be made again, in words; empty when it need not be."""
    known = state.known.get(asset_key(summary.name))
    if known is None:
        return "new"
    if not known.present:
        return "its files are gone or damaged"
    if stands:
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
