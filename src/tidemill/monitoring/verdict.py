"""What one window says of one figure: how far it is beyond what matters, and how likely chance is. Pure, no I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tidemill.monitoring.measurement import Measurement, Window

ONE_SIDED = frozenset({"contract", "new_category", "quality", "estimate", "staleness", "latency", "errors"})
"""Families where only more is worse; in the others a change either way is one."""

PREVIOUS = "previous"
RECENT = "recent"
"""What a figure is compared with: the same period before, and what is usual of late."""


class Key(NamedTuple):
    """What is measured again and again, window after window."""

    family: str
    subject: str
    slice: str
    test: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One figure of one window, judged.

    Parameters
    ----------
    p
        How likely chance gives as much; 1 where the effect is too small to matter, 0 where a declared limit is
        broken; None where there was not enough data.
    twin
        The same against the same period before; None where that is not compared.
    seasonal
        Whether the same period before is compared at all, though perhaps not for this window.
    value, low, high, limit, rows, reference_rows, weight, source, note, version
        As measured.
    """

    key: Key
    window: Window
    p: float | None
    twin: float | None = None
    seasonal: bool = False
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    p_value: float | None = None
    rows: int = 0
    reference_rows: int = 0
    weight: float = 0.0
    source: str = ""
    reference: str = "training"
    note: str = ""
    version: int | None = None

    @property
    def shared(self) -> float:
        """How much of the statistic's variance comes from a reference that all windows share."""
        if self.reference != "training" or not self.reference_rows:
            return 0.0
        return self.rows / (self.rows + self.reference_rows)

    @property
    def effect(self) -> float:
        """The effect's size, in units of the least that matters where that is known."""
        size = abs(self.value or 0.0)
        return size / self.limit if self.limit else size


def judge(
    measurements: Iterable[Measurement], window: Window, *, floors: Mapping[Key, float] | None = None
) -> dict[Key, Verdict]:
    """Judge each figure of a window by itself.

    Parameters
    ----------
    floors
        Effects that people found not worth an alert: only more than that counts.

    Returns
    -------
    dict[Key, Verdict]
        A figure against training (or a limit) and the one against the same period before make one verdict.
    """
    given: dict[Key, dict[str, Measurement]] = {}
    for one in measurements:
        if one.p_value is None and one.limit is None and one.value is not None:
            continue  # shown, not judged
        key = Key(one.family, one.subject, one.slice, one.test)
        given.setdefault(key, {})[one.reference] = one
    return {key: _verdict(key, window, found, (floors or {}).get(key, 0.0)) for key, found in given.items()}


def beyond(one: Measurement, floor: float = 0.0) -> bool:
    """Whether an effect is larger than what matters: its value, and the near end of its interval too."""
    if one.value is None:
        return False
    sign = 1.0 if one.value >= 0 or one.family in ONE_SIDED else -1.0
    near = one.low if sign > 0 else one.high
    least = max(one.limit or 0.0, floor)
    return sign * one.value > least and (near is None or sign * near >= least)


def strength(one: Measurement, floor: float = 0.0) -> float | None:
    """The p-value that counts: 1 for what does not matter, 0 for a broken limit that has no p-value."""
    if one.value is None or math.isnan(one.value):
        return None
    if not beyond(one, floor):
        return 1.0
    return 0.0 if one.p_value is None else one.p_value


def _verdict(key: Key, window: Window, found: Mapping[str, Measurement], floor: float) -> Verdict:
    main = next((one for reference, one in found.items() if reference != PREVIOUS), None)
    twin = found.get(PREVIOUS) if main is not None else None
    main = main or found[PREVIOUS]
    return Verdict(
        key=key,
        window=window,
        p=strength(main, floor),
        twin=None if twin is None else strength(twin, floor),
        seasonal=twin is not None,
        value=main.value,
        low=main.low,
        high=main.high,
        limit=main.limit,
        p_value=main.p_value,
        rows=main.rows,
        reference_rows=main.reference_rows,
        weight=main.weight,
        source=main.source,
        reference=main.reference,
        note=main.note,
        version=main.version,
    )
