"""How far the columns of some rows moved from those of a reference."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tidemill.analysis.distributions import KINDS, count_like, learn_distributions
from tidemill.core.distances import Measured, compare
from tidemill.core.distribution import Distribution, without_values
from tidemill.core.errors import BindError
from tidemill.core.names import name_key
from tidemill.core.words import listed

if TYPE_CHECKING:
    from tidemill.analysis.table import Table

LEVEL = 0.01  # how often, with nothing wrong, a report may call any column moved
NAMED = 8  # columns that an error, or the first line, tells
ASPECTS = {"missing": "missing", "new_values": "new values"}

Listener = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """One column of both.

    Parameters
    ----------
    found
        Every distance, in the order of `core.distances.DISTANCES`.
    level
        The p-value below which a distance of this column is no chance.
    type
        What the reference holds: number, date, time, text or bool.
    hidden
        Whether both distributions are shown without their values: they are personal data.
    """

    name: str
    reference: Distribution
    current: Distribution
    found: tuple[Measured, ...]
    level: float
    type: str = ""
    hidden: bool = False

    @property
    def kind(self) -> str:
        """What it is compared as: number, time or text."""
        return self.reference.kind

    @property
    def moved(self) -> tuple[str, ...]:
        """What moved as far as matters and farther than chance: ``values``, ``missing``, ``new values``."""
        names = (ASPECTS.get(one.distance.name, "values") for one in self.found if self.tells(one))
        return tuple(dict.fromkeys(names))

    @property
    def effect(self) -> float:
        """The greatest distance, in times of what matters."""
        return max((abs(one.value) / one.distance.limit for one in self.found), default=0.0)

    def tells(self, one: Measured) -> bool:
        """Whether a distance is far enough to matter, and no chance."""
        return one.matters and one.p_value <= self.level

    def value(self, name: str) -> float | None:
        """The value of a distance; None when it does not say anything of this column."""
        return next((one.value for one in self.found if one.distance.name == name), None)

    @property
    def p_value(self) -> float | None:
        """The least p-value of all distances."""
        return min((one.p_value for one in self.found), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """All columns, the farthest first.

    Parameters
    ----------
    gone, added
        Columns that only the reference has, and only the other rows.
    changed
        Columns that hold another kind of values now.
    skipped
        Columns of types that have no distribution.
    """

    reference: str
    current: str
    reference_rows: int
    rows: int
    columns: tuple[ColumnDrift, ...]
    gone: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def moved(self) -> tuple[ColumnDrift, ...]:
        """The columns that moved."""
        return tuple(column for column in self.columns if column.moved)

    def as_json(self) -> dict[str, Any]:
        """Plain data: every distance with its p-value, and both distributions of each column."""
        return {
            "reference": {"name": self.reference, "rows": self.reference_rows},
            "current": {"name": self.current, "rows": self.rows},
            "moved": [column.name for column in self.moved],
            "gone": list(self.gone),
            "added": list(self.added),
            "changed": list(self.changed),
            "skipped": list(self.skipped),
            "columns": [
                {
                    "name": column.name,
                    "type": column.type,
                    "kind": column.kind,
                    "moved": list(column.moved),
                    "level": column.level,
                    "distances": [
                        {
                            "name": one.distance.name,
                            "value": one.value,
                            "low": one.low,
                            "high": one.high,
                            "unit": one.distance.unit,
                            "limit": one.distance.limit,
                            "p_value": one.p_value,
                        }
                        for one in column.found
                    ],
                    "reference": column.reference.as_json(),
                    "current": column.current.as_json(),
                }
                for column in self.columns
            ],
        }


def make_report(
    reference: Table,
    current: Table,
    *,
    names: tuple[str, str],
    hidden: Collection[str] = (),
    listen: Listener = lambda _: None,
) -> DriftReport:
    """Learn how the reference is distributed, and count the other rows in the same bins.

    Parameters
    ----------
    names
        What both are called in the report.
    hidden
        The keys of columns of which the report shows no value.
    listen
        Told what is being done.

    Raises
    ------
    BindError
        They have no column in common.
    """
    listen(f"counting {reference.rows:,} rows of {names[0]}")
    old, new = ({name_key(column.name): column for column in table.columns} for table in (reference, current))
    shared = {key: column.name for key, column in old.items() if key in new}
    if not shared:
        theirs = (", ".join(column.name for column in list(table.values())[:NAMED]) for table in (old, new))
        hint = "; ".join(f"{name} has {columns}" for name, columns in zip(names, theirs, strict=True))
        raise BindError(f"{names[0]} and {names[1]} have no column in common", hint=hint)
    learnt = learn_distributions(reference, list(shared.values()))
    listen(f"counting {current.rows:,} rows of {names[1]}")
    counted = count_like(current, learnt)
    found = [(name, compare(learnt[name], one)) for name, one in counted.items()]
    tests = sum(len(distances) for _, distances in found)
    columns = [
        _shown(
            ColumnDrift(
                name=name,
                reference=learnt[name],
                current=counted[name],
                found=distances,
                level=LEVEL / max(1, tests),
                type=old[name_key(name)].kind,
                hidden=name_key(name) in hidden,
            )
        )
        for name, distances in found
    ]
    return DriftReport(
        reference=names[0],
        current=names[1],
        reference_rows=reference.rows,
        rows=current.rows,
        columns=tuple(sorted(columns, key=lambda column: (not column.moved, -column.effect))),
        gone=tuple(column.name for key, column in old.items() if key not in new),
        added=tuple(column.name for key, column in new.items() if key not in old),
        changed=tuple(name for key, name in shared.items() if KINDS.get(old[key].kind) != KINDS.get(new[key].kind)),
        skipped=tuple(
            name for key, name in shared.items() if old[key].kind not in KINDS and new[key].kind not in KINDS
        ),
    )


def _shown(column: ColumnDrift) -> ColumnDrift:
    if not column.hidden:
        return column
    return replace(column, reference=without_values(column.reference), current=without_values(column.current))


def timed(report: DriftReport, seconds: float) -> DriftReport:
    """The report with how long it took."""
    return replace(report, seconds=seconds)


def told_p(value: float | None) -> str:
    """A p-value as people read it."""
    if value is None:
        return "-"
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def head_lines(report: DriftReport) -> list[str]:
    """What a reader must know before the columns."""
    lines = []
    moved = report.moved
    if moved:
        names = listed([column.name for column in moved], NAMED)
        lines.append(f"{len(moved)} of {len(report.columns)} columns moved: {names}")
    elif not report.columns:
        lines.append("no column is compared")
    elif not report.reference_rows or not report.rows:
        empty = report.current if report.reference_rows else report.reference
        lines.append(f"{empty} has no rows: nothing is compared")
    else:
        lines.append(f"none of {len(report.columns)} columns moved farther than chance, and as far as matters")
    for word, names_of in (
        ("only in the reference", report.gone),
        ("not in the reference", report.added),
        ("of another kind now", report.changed),
        ("not compared for their types", report.skipped),
    ):
        if names_of:
            lines.append(f"{word}: {listed(names_of, 12)}")
    return lines
