"""Compare two versions of a model: what is recorded of them, and what they answer on the same held-out rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import DataError, StateError, StatementError
from tidemill.core.names import name_key
from tidemill.registry.compare import Comparison, OnSameRows, compare_recorded
from tidemill.registry.describe import Description, describe_version

if TYPE_CHECKING:
    import numpy as np

    from tidemill.model_types.base import Labels
    from tidemill.registry.decisions import Decisions
    from tidemill.runner.held_out import HeldOut
    from tidemill.runner.stations import Stations


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    """The same rows, scored by both versions; ``unfair``: rows equal to each of them trained one of the two."""

    held: HeldOut
    labels: Labels
    y: np.ndarray
    old: np.ndarray
    new: np.ndarray
    unfair: bool


def compare_versions(
    stations: Stations, model: str, old: int | str, new: int | str, *, confidence: float = 0.95
) -> Comparison:
    """Compare two versions of a model, by number or alias; differences are new less old.

    Raises
    ------
    NotFoundError
        There is no such model, version or alias.
    """
    before = describe_version(stations.db, stations.store, model, old)
    after = describe_version(stations.db, stations.store, model, new)
    recorded = compare_recorded(before, after)
    try:
        scored = _score(stations, before, after)
    except (StateError, DataError, StatementError) as error:
        return replace(recorded, notes=(f"not scored on the same rows: {error.message}",))
    return replace(
        recorded,
        rows_of=_rows_of(scored.held),
        on_same_rows=_on_same_rows(scored, confidence=confidence),
        decisions=_decisions(scored),
        notes=_notes(scored),
    )


def _score(stations: Stations, before: Description, after: Description) -> _Scored:
    """Score the same rows with both: those held out of the new version, or of the old one where it reads more."""
    from tidemill.runner.functions.facts import ModelFacts
    from tidemill.runner.held_out import fair_rows, held_out_rows
    from tidemill.runner.judging import judged_table

    if before.classes != after.classes or before.label != after.label:
        raise StateError(
            f"version {before.row.version} predicts {_predicts(before)}, version {after.row.version} {_predicts(after)}"
        )
    old = stations.load_model(before.row.name, before.row.version)
    new = stations.load_model(after.row.name, after.row.version)
    base, other = (after, before) if _reads(before) <= _reads(after) else (before, after)
    held = fair_rows(stations, base.row, other.row)
    unfair = not held.table.num_rows
    if unfair:
        held = held_out_rows(stations, base.row)
    y, scores_new = judged_table(stations, new, held.table)
    _, scores_old = judged_table(stations, old, held.table)
    return _Scored(held=held, labels=ModelFacts(new).labels, y=y, old=scores_old, new=scores_new, unfair=unfair)


def _reads(one: Description) -> set[str]:
    return {name_key(column["name"]) for column in one.manifest.get("inputs", ())}


def _predicts(one: Description) -> str:
    return f"{one.label} ({', '.join(map(str, one.classes))})" if one.classes else one.label


def _rows_of(held: HeldOut) -> str:
    if held.kind == "training":
        return f"{held.table.num_rows:,} rows that trained version {held.version}"
    return f"{held.table.num_rows:,} rows held out of version {held.version}"


def _on_same_rows(scored: _Scored, *, confidence: float) -> tuple[OnSameRows, ...]:
    from tidemill.evaluation.judge import metric_names
    from tidemill.evaluation.paired import paired_difference

    found = []
    for metric in metric_names(scored.labels):
        one = paired_difference(metric, scored.labels, scored.y, scored.new, scored.old, confidence=confidence)
        if not math.isfinite(one.difference):  # it has no value on these rows
            continue
        found.append(
            OnSameRows(metric=metric, old=one.old, new=one.new, difference=one.difference, low=one.low, high=one.high)
        )
    return tuple(found)


def _decisions(scored: _Scored) -> Decisions:
    from tidemill.registry.decisions import compare_decisions

    def values(at: int) -> dict[str, Any]:
        row: dict[str, Any] = scored.held.table.slice(at, 1).to_pylist()[0]
        return row

    return compare_decisions(scored.labels, scored.y, scored.old, scored.new, values=values)


def _notes(scored: _Scored) -> tuple[str, ...]:
    """What a reader must know before believing the figures."""
    held, notes = scored.held, []
    if scored.unfair:
        notes.append(
            f"rows equal to those held out of version {held.version} trained the other version: its figures may "
            "flatter it"
        )
    if held.kind == "training":
        notes.append(f"nothing was held out of version {held.version}: it has seen these rows, its figures flatter it")
    if held.left_out:
        notes.append(
            f"{held.left_out:,} more rows held out of version {held.version} were left out: the other version was "
            "trained on them"
        )
    return tuple(notes)
