"""A version of a model, a comparison of two, and what a policy leaves, as people read them in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.cli.words import columns_of_text, duration
from tidemill.core.words import count
from tidemill.registry.compare import Change, Comparison, FeatureShift
from tidemill.registry.describe import Description
from tidemill.registry.retention import Verdict
from tidemill.runner.result import text_table

if TYPE_CHECKING:
    from tidemill.registry.decisions import Decisions
    from tidemill.warehouse.control.erasures import Flag

_MOST_FEATURES = 8
_MOST_VALUES = 6


def describe(one: Description) -> str:
    """Everything that is recorded of a version; its statement last."""
    row, lineage = one.row, one.lineage
    known = [*(["current"] if one.current else []), *(f"alias {alias}" for alias in one.aliases)]
    when = f"{row.created_at:%Y-%m-%d %H:%M:%S} UTC" if row.created_at else "?"
    classes = f" ({', '.join(map(str, one.classes))})" if one.classes else ""
    why = f", because: {lineage.why}" if lineage.why else ""
    facts: list[tuple[str, str]] = [
        ("predicts", f"{one.label}{classes} from {count(len(one.manifest.get('inputs', [])), 'column')}"),
        ("type", row.model_type),
        ("trained", f"{when} by {lineage.who or 'somebody not recorded'} in {duration(row.seconds)}{why}"),
        ("rows", f"{row.rows_train:,} trained, {row.rows_eval:,} held out"),
        ("metrics", f"{_numbers(one.metrics.items())} (on the {row.evaluated_on} rows)"),
        ("read", _read(one)),
        ("options", ", ".join(f"{name} = {value}" for name, value in sorted(one.given.items())) or "all by default"),
        ("seed", f"{lineage.seed}, {count(lineage.threads or 0, 'thread')}" if lineage.pinned else "not recorded"),
        ("made with", ", ".join(f"{name} {version}" for name, version in lineage.libraries.items()) or "not recorded"),
        ("source", lineage.code_digest or "not recorded"),
        ("run", row.run_id),
        ("digest", row.digest),
        ("files", f"{count(len(row.files), 'file')}, {row.bytes:,} bytes"),
    ]
    for deployment in one.deployments:
        facts.append(("deployment", f"{deployment.name}: {deployment.state} {deployment.reason}".strip()))
        for gate in deployment.gates:
            over = f"; overridden by {gate.overridden_by}: {gate.override_reason}" if gate.overridden_by else ""
            facts.append(("gate", f"{gate.gate}: {gate.status}, {gate.summary}{over}"))
    facts += [("erased since", _erased(flag)) for flag in one.erased]
    facts += [("warning", text) for text in row.warnings]
    head = f"{row.name} version {row.version}{': ' if known else ''}{', '.join(known)}"
    return "\n".join([head, *columns_of_text(facts, widest=12), "", lineage.statement.strip()])


def _erased(flag: Flag) -> str:
    return f"rows of {', '.join(flag.tables)} that it was trained on (erasure {flag.number}, {flag.asked_at:%Y-%m-%d})"


def _read(one: Description) -> str:
    lineage = one.lineage
    if not lineage.pinned:
        return "not recorded"
    parts = [f"{name} version {version}" for name, version in lineage.tables.items()]
    parts += [f"model {name} version {version}" for name, version in lineage.models.items()]
    parts += [f"{path} ({sha[:12]})" for files in lineage.files.values() for path, sha in files.items()]
    parts += [f"view {name}" for name in lineage.views]
    return f"{', '.join(parts) or 'no table'}; snapshot {lineage.snapshot}"


def _numbers(items: Iterable[tuple[str, float | None]]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in items if value is not None)


def compare(one: Comparison, *, confidence: float) -> str:
    """What changed from one version to another, the decisions last."""
    lines = [f"{one.model}: version {one.old} -> version {one.new}"]
    if one.same:
        lines.append("the same digest: the two answer alike")
    lines += _block("SQL", list(one.sql) or ["the same"])
    for title, changes in (("options", one.options), ("data", one.data), ("made with", one.made_with)):
        lines += _block(title, _changes(changes) or ["the same"])
    lines += _block("features that moved", _shifts(one.features) or ["none"])
    if one.on_same_rows:
        lines += _block(f"metrics on the same rows: {one.rows_of}", _metrics(one, confidence))
    else:
        lines += _block("metrics, each on its own rows", _changes(one.metrics) or ["the same"])
    if one.decisions is not None:
        lines += _block("decisions on the same rows", _decisions(one.decisions, one))
    return "\n".join([*lines, *(f"note: {note}" for note in one.notes)])


def _block(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *(f"  {line}".rstrip() for line in lines)]


def _changes(changes: Sequence[Change]) -> list[str]:
    rows = [(change.name, f"{_shown(change.old)} -> {_shown(change.new)}") for change in changes]
    return columns_of_text(rows) if rows else []


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = "-" if value is None else str(value)
    return text[:12] if len(text) == 64 and text.isalnum() else text


def _shifts(shifts: Sequence[FeatureShift]) -> list[str]:
    rows = []
    for shift in shifts[:_MOST_FEATURES]:
        mean = "" if shift.mean is None else f"mean {shift.mean:+.3g} standard deviations"
        kinds = "" if shift.categories is None else f"{shift.categories[0]} -> {shift.categories[1]} categories"
        nulls = f"NULL {shift.nulls:+.1%}" if shift.nulls else ""
        rows.append((shift.name, ", ".join(part for part in (mean, kinds, nulls) if part)))
    more = len(shifts) - _MOST_FEATURES
    return [*(columns_of_text(rows) if rows else []), *([f"and {more} more"] if more > 0 else [])]


def _metrics(one: Comparison, confidence: float) -> list[str]:
    columns = ["metric", f"version {one.old}", f"version {one.new}", "difference", f"{confidence:.0%} interval", ""]
    rows = [
        (
            each.metric,
            f"{each.old:.4g}",
            f"{each.new:.4g}",
            f"{each.difference:+.4g}",
            f"{each.low:+.4g} to {each.high:+.4g}" if math.isfinite(each.low) else "unknown",
            "differs" if each.told_apart else "",
        )
        for each in one.on_same_rows
    ]
    return text_table(columns, rows).split("\n")


def _decisions(one: Decisions, both: Comparison) -> list[str]:
    lines = []
    if one.flips or one.flipped:
        right = f"{one.became_right:,} become right, {one.became_wrong:,} become wrong"
        lines.append(f"{one.flipped:,} of {one.rows:,} rows flip ({one.share:.1%}): {right}")
        lines += [f"  {flip.old} -> {flip.new}: {count(flip.rows, 'row')}" for flip in one.flips]
    elif one.movers and isinstance(one.movers[0].label, float):
        lines.append(f"{one.rows:,} predictions")
    else:
        lines.append(f"none of {one.rows:,} rows flips")
    lines.append(f"scores move by {one.moved:.3g} on average, {one.most_moved:.3g} at most")
    for mover in one.movers:
        values = ", ".join(f"{name} {value}" for name, value in list(mover.values.items())[:_MOST_VALUES])
        lines.append(
            f"  row {mover.row}, label {_shown(mover.label)}: {mover.score_old:.3g} ({_shown(mover.old)}) in version "
            f"{both.old}, {mover.score_new:.3g} ({_shown(mover.new)}) in version {both.new}; {values}"
        )
    return lines


def verdicts(found: Sequence[Verdict], *, done: bool) -> str:
    """What a policy does to each version, and why one stays."""
    rows = [
        (
            one.version.name,
            one.version.version,
            ("gone" if done else "would go") if one.goes else "stays",
            one.stays,
        )
        for one in found
    ]
    return text_table(["model", "version", "then", "because"], rows, widest=120)
