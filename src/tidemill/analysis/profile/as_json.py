"""A profile as JSON: one shape, described in docs/how-to/profile-a-table.md, whose keys are the names of the tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from tidemill.analysis.profile.associations import MEASURES
from tidemill.analysis.profile.result import FORMAT, ColumnProfile, Profile
from tidemill.analysis.profile.statistics import STATISTICS


def as_json(profile: Profile) -> dict[str, Any]:
    """The whole profile; every key is always there."""
    return {
        "format": FORMAT,
        "name": profile.name,
        "rows": profile.rows,
        "sample": {"rows": profile.sample_rows, "text": profile.sample},
        "seconds": round(profile.seconds, 3),
        "duplicate_rows": profile.duplicates,
        "keys": [list(key) for key in profile.keys],
        "label": profile.label or None,
        "leaks": [{"columns": list(leak.columns), "why": leak.why} for leak in profile.leaks],
        "notes": list(profile.notes),
        "warnings": [
            {"name": one.name, "column": one.column or None, "text": one.text} for one in profile.notices
        ],
        "columns": [_column(column) for column in profile.columns],
        "associations": {
            measure.name: [
                {"left": one.left, "right": one.right, "value": one.value, "rows": one.rows, "sampled": one.sampled}
                for one in profile.associations
                if one.measure == measure.name
            ]
            for measure in MEASURES
        },
    }  # fmt: skip


def _column(column: ColumnProfile) -> dict[str, Any]:
    facts = {row.name: _plain(column.facts[row.name]) for row in STATISTICS if row.name in column.facts}
    return {
        "name": column.name,
        "type": column.type,
        "kind": column.kind,
        "rows": column.rows,
        "approximate": sorted(column.approximate),
        "sampled": sorted(column.sampled),
        "description": column.description or None,
        "declared_personal": column.declared or None,
        **facts,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
