"""The gate on slices: in none of the declared ones is the version worse than the champion by more than a margin.

A slice fails when its rows show it worse than the margin, with the chance of a false alarm over all slices held by
Holm's procedure. The gate passes when the interval of each slice lies above minus the margin: that all of them do is
one claim, which needs no correction.

References
----------
S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979),
https://www.jstor.org/stable/4615733
R. L. Berger, Multiparameter hypothesis testing and acceptance sampling, Technometrics 24 (1982),
https://doi.org/10.1080/00401706.1982.10487790
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.words import listed
from tidemill.serving.gates.case import Case, Champion, Missing, Scored
from tidemill.serving.gates.comparing import Gain, compare
from tidemill.serving.gates.quality import NO_CHAMPION, enough, shared_rows
from tidemill.serving.gates.verdict import Verdict, failed, passed, unsure


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The rows that have one value in a column; ``gain`` is None where it was not judged, ``why`` says why."""

    column: str
    value: str
    rows: int
    gain: Gain | None = None
    why: str = ""

    @property
    def name(self) -> str:
        """``column = value``."""
        return f"{self.column} = {self.value}"


def slices(case: Case) -> Verdict:
    """No declared slice is worse than with the champion by more than ``slice_margin``."""
    settings = case.settings
    if not settings.slices:
        return passed("no slices are declared", {})
    if case.champion is None:
        return passed(NO_CHAMPION, {})
    if isinstance(case.champion, Missing):
        return unsure(f"the champion did not answer these rows: {case.champion.reason}")
    scored = enough(case.champion.rows, case)
    if isinstance(scored, Verdict):
        return scored
    found = list(_each(scored, case.champion, case))
    judged = [one for one in found if one.gain is not None]
    margin = settings.slice_margin
    worse = shown_worse([one.gain for one in judged if one.gain], margin, settings.confidence)
    evidence: dict[str, Any] = {
        "slices": [_plain(one, adjusted) for one, adjusted in zip(judged, worse, strict=True)],
        "not_judged": [{"slice": one.name, "rows": one.rows, "why": one.why} for one in found if one.gain is None],
        "margin": margin,
    }
    level = (1 - settings.confidence) / 2
    bad = [one for one, adjusted in zip(judged, worse, strict=True) if adjusted < level]
    if bad:
        told = "; ".join(_told(one, settings.confidence) for one in bad[:3])
        return failed(
            f"worse than the champion by more than {margin:g} in {len(bad)} of {len(judged)}: {told}", evidence
        )
    small = f", {len(found) - len(judged)} too small or not comparable" if len(judged) < len(found) else ""
    if not judged:
        return unsure(f"none of {len(found)} slices has {settings.slice_min_rows:,} rows to compare", evidence)
    doubtful = [one for one in judged if one.gain and one.gain.against(margin) != "pass"]
    if doubtful:
        names = listed(one.name for one in doubtful)
        return unsure(f"rows are too few to show {names} no worse than {margin:g} below the champion{small}", evidence)
    lowest = min(judged, key=_low)
    return passed(
        f"{len(judged)} slices no worse than {margin:g} below the champion{small}; the least sure is "
        f"{_told(lowest, settings.confidence)}",
        evidence,
    )


def _each(scored: Scored, champion: Champion, case: Case) -> Iterator[Slice]:
    kept = shared_rows(scored, champion, case.settings.min_rows).kept
    for column in case.settings.slices:
        values = scored.columns.get(column)
        if values is None:
            yield Slice(column=column, value="*", rows=0, why="the rows both can answer have no such column")
            continue
        for value in np.unique(values[kept].astype(str)):
            mask = kept & (values.astype(str) == value)
            yield _one(scored, champion, case, column, str(value), mask)


def _one(scored: Scored, champion: Champion, case: Case, column: str, value: str, mask: np.ndarray) -> Slice:
    rows = int(mask.sum())
    least = case.settings.slice_min_rows
    if rows < least:
        return Slice(column=column, value=value, rows=rows, why=f"fewer than {least:,} rows")
    gain = compare(
        case.metric,
        scored.labels,
        scored.y[mask],
        scored.scores[mask],
        champion.scores[mask],
        confidence=case.settings.confidence,
    )
    if not (np.isfinite(gain.low) and np.isfinite(gain.high)):
        return Slice(column=column, value=value, rows=rows, why=gain.few or f"{case.metric} has no value there")
    return Slice(column=column, value=value, rows=rows, gain=gain)


def shown_worse(gains: Sequence[Gain], margin: float, confidence: float) -> list[float]:
    """Of each gain the chance of rows like these if it were no worse than the margin, adjusted by Holm."""
    if not gains:
        return []
    normal = NormalDist()
    width = 2 * normal.inv_cdf((1 + confidence) / 2)
    chances = np.empty(len(gains))
    for at, one in enumerate(gains):
        error = (one.high - one.low) / width
        distance = one.gain + margin
        chances[at] = normal.cdf(distance / error) if error > 0 else float(distance >= 0)
    order = np.argsort(chances, kind="stable")
    steps = chances[order] * np.arange(len(gains), 0, -1)
    adjusted = np.empty(len(gains))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return [float(value) for value in adjusted]


def _low(one: Slice) -> float:
    return one.gain.low if one.gain else 0.0


def _told(one: Slice, confidence: float) -> str:
    return f"{one.name} ({one.rows:,} rows) {one.gain.told(confidence) if one.gain else one.why}"


def _plain(one: Slice, adjusted: float) -> dict[str, Any]:
    return {"slice": one.name} | (one.gain.evidence if one.gain else {}) | {"adjusted_p": adjusted}
