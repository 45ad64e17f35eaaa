"""What changed between two versions of a model: what they were made from, and what they decide on the same rows.

Pure: `runner.compare` gives it the recorded facts, and labels and scores of the rows.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tidemill.registry.describe import Description

if TYPE_CHECKING:
    from tidemill.registry.decisions import Decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something with a name that was one thing and is another; None where it was not there."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureShift:
    """How a feature's training values moved.

    Parameters
    ----------
    mean
        The mean's move in standard deviations of the old version; None for features that are not numbers.
    nulls
        The change of the share of NULLs, in [-1, 1].
    categories
        How many categories there were and are; None for numbers.
    """

    name: str
    mean: float | None = None
    nulls: float = 0.0
    categories: tuple[int, int] | None = None

    @property
    def size(self) -> float:
        """By what features are sorted: the largest move."""
        low, high = sorted(self.categories or (1, 1))
        return max(abs(self.mean or 0.0), abs(self.nulls), math.log(max(high, 1) / max(low, 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class OnSameRows:
    """A metric of both versions on the same rows, with an interval for the difference (new less old)."""

    metric: str
    old: float
    new: float
    difference: float
    low: float
    high: float

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two versions, side by side.

    Parameters
    ----------
    same
        The two have the same digest: they answer alike to the last bit.
    sql
        A unified diff of the two statements, without comments and layout; empty when they say the same.
    metrics
        As recorded, each version on its own rows.
    on_same_rows, decisions
        On the rows of `rows_of`; empty and None where they could not be scored, which `notes` explain.
    """

    model: str
    old: int
    new: int
    same: bool
    sql: tuple[str, ...]
    options: tuple[Change, ...]
    data: tuple[Change, ...]
    features: tuple[FeatureShift, ...]
    made_with: tuple[Change, ...]
    metrics: tuple[Change, ...]
    rows_of: str = ""
    on_same_rows: tuple[OnSameRows, ...] = ()
    decisions: Decisions | None = None
    notes: tuple[str, ...] = field(default=())


def compare_recorded(old: Description, new: Description) -> Comparison:
    """Compare what is recorded of two versions; nothing is scored."""
    return Comparison(
        model=new.row.name,
        old=old.row.version,
        new=new.row.version,
        same=old.row.digest == new.row.digest,
        sql=tuple(_sql(old, new)),
        options=tuple(_options(old, new)),
        data=tuple(_data(old, new)),
        features=tuple(_features(old, new)),
        made_with=tuple(_made_with(old, new)),
        metrics=changes(old.metrics, new.metrics),
    )


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """The names whose values differ, in order."""
    names = sorted(dict.fromkeys([*old, *new]))
    return tuple(
        Change(name=name, old=old.get(name), new=new.get(name)) for name in names if old.get(name) != new.get(name)
    )


def _options(old: Description, new: Description) -> list[Change]:
    """Options that differ; those that only one of two model types has count where somebody gave them."""
    both = old.row.options.keys() & new.row.options.keys()
    said = old.given.keys() | new.given.keys()
    return [change for change in changes(old.row.options, new.row.options) if change.name in both | said]


def _sql(old: Description, new: Description) -> list[str]:
    """The statement and the views it read, as one diff."""
    from tidemill.sql.canonical import canonical_sql

    def meaning(one: Description) -> list[str]:
        views = [canonical_sql(view["query"], view["dialect"]) for _, view in sorted(one.lineage.views.items())]
        return [canonical_sql(one.lineage.statement, one.lineage.dialect), *views]

    if meaning(old) == meaning(new):
        return []
    lines = difflib.unified_diff(
        _lines(old), _lines(new), f"version {old.row.version}", f"version {new.row.version}", lineterm="", n=2
    )
    return list(lines)


def _lines(one: Description) -> list[str]:
    from tidemill.sql.canonical import canonical_lines

    lines = canonical_lines(one.lineage.statement, one.lineage.dialect)
    for name, view in sorted(one.lineage.views.items()):
        lines += [f"view {name}:", *(f"  {line}" for line in canonical_lines(view["query"], view["dialect"]))]
    return lines


def _data(old: Description, new: Description) -> list[Change]:
    tables = changes(
        {f"table {name}": f"version {version}" for name, version in old.lineage.tables.items()},
        {f"table {name}": f"version {version}" for name, version in new.lineage.tables.items()},
    )
    read = changes(
        {f"model {name}": f"version {version}" for name, version in old.lineage.models.items()},
        {f"model {name}": f"version {version}" for name, version in new.lineage.models.items()},
    )
    rows = changes(
        {"rows trained on": old.row.rows_train, "rows judged on": old.row.rows_eval},
        {"rows trained on": new.row.rows_train, "rows judged on": new.row.rows_eval},
    )
    return [*tables, *read, *changes(_files(old), _files(new)), *rows]


def _files(one: Description) -> dict[str, str]:
    return {f"file {path}": digest for files in one.lineage.files.values() for path, digest in files.items()}


def _made_with(old: Description, new: Description) -> list[Change]:
    def facts(one: Description) -> dict[str, Any]:
        lineage = one.lineage
        own = {"seed": lineage.seed, "threads": lineage.threads, "source of tidemill": lineage.code_digest[:12]}
        return {**(lineage.libraries or one.manifest.get("libraries", {})), **own, "model type": one.row.model_type}

    return list(changes(facts(old), facts(new)))


def _features(old: Description, new: Description) -> list[FeatureShift]:
    """Features of both that moved by more than chance, most first; added and removed ones stand in the SQL's diff."""
    before = {row["input"]: row for row in old.row.feature_info}
    found = [
        _shift(before[row["input"]], row, old.row.rows_train, new.row.rows_train)
        for row in new.row.feature_info
        if row["input"] in before
    ]
    # Two samples of one population differ by less than this, nineteen times in twenty.
    chance = 2 * math.sqrt(1 / max(old.row.rows_train, 1) + 1 / max(new.row.rows_train, 1))
    return sorted((shift for shift in found if shift.size > chance), key=lambda shift: -shift.size)


def _shift(old: Mapping[str, Any], new: Mapping[str, Any], rows_old: int, rows_new: int) -> FeatureShift:
    mean = None
    if old.get("mean") is not None and new.get("mean") is not None:
        spread = old.get("stddev") or 0.0
        moved = new["mean"] - old["mean"]
        mean = moved / spread if spread else math.copysign(math.inf, moved) if moved else 0.0
    categories = None
    if old.get("category_count") is not None and new.get("category_count") is not None:
        categories = (int(old["category_count"]), int(new["category_count"]))
    nulls = _share(new.get("null_count"), rows_new) - _share(old.get("null_count"), rows_old)
    return FeatureShift(name=str(new["input"]), mean=mean, nulls=nulls, categories=categories)


def _share(part: Any, whole: int) -> float:
    return int(part or 0) / whole if whole else 0.0
