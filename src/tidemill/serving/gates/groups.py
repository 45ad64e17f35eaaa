"""The gate on protected groups: the gap between them in positive predictions, and in true positives.

Fails when the rows show a gap above the limit; passes when the intervals of all gaps lie within it. In between nobody
can tell. The first is asked of all pairs of groups at once, so its intervals are widened by Bonferroni's rule.

References
----------
M. Hardt, E. Price, N. Srebro, Equality of opportunity in supervised learning, NeurIPS 2016,
https://doi.org/10.48550/arXiv.1610.02413
R. G. Newcombe, Interval estimation for the difference between independent proportions: comparison of eleven methods,
Statistics in Medicine 17 (1998), method 10
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.chance import wilson
from tidemill.core.words import listed
from tidemill.evaluation.confusion import called_classes
from tidemill.serving.gates.case import Case, Scored
from tidemill.serving.gates.quality import enough
from tidemill.serving.gates.verdict import Verdict, failed, passed, unsure


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """In one group: so many of so many."""

    group: str
    hits: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The difference between two groups in one share, the higher less the lower, and its interval."""

    column: str
    measure: str
    higher: Share
    lower: Share
    gap: float
    low: float
    high: float
    low_of_all: float

    @property
    def told(self) -> str:
        """The gap in words."""
        return (
            f"{self.measure} {self.higher.hits / self.higher.rows:.3f} for {self.column} {self.higher.group}, "
            f"{self.lower.hits / self.lower.rows:.3f} for {self.lower.group} (gap {self.gap:.3f}, "
            f"{self.low:.3f} to {self.high:.3f})"
        )


def group_gaps(case: Case) -> Verdict:
    """Groups differ by no more than ``max_group_gap`` in the share of positive predictions and of true positives."""
    settings = case.settings
    if not settings.groups:
        return passed("no groups are declared", {})
    scored = enough(case.scored, case)
    if isinstance(scored, Verdict):
        return scored
    if not scored.labels.classes:
        return unsure(f"{scored.labels.column} is a number: nothing is called positive", {})
    if len(scored.labels.classes) > 2:
        return unsure(f"{scored.labels.column} has {len(scored.labels.classes)} classes: none of them is positive", {})
    gaps: list[Gap] = []
    small: list[str] = []
    for column in settings.groups:
        for measure, shares in _measures(scored, column):
            large = [share for share in shares if share.rows >= settings.slice_min_rows]
            small += [f"{column} {one.group} ({one.rows:,} {measure})" for one in shares if one not in large]
            gaps += _gaps(column, measure, large, settings.confidence)
    limit = settings.max_group_gap
    evidence: dict[str, Any] = {
        "max_group_gap": limit,
        "gaps": [_plain(gap) for gap in sorted(gaps, key=lambda gap: -gap.gap)],
        "too_small": small,
    }
    if not gaps:
        return unsure(f"no two groups have {settings.slice_min_rows:,} rows", evidence)
    bad = [gap for gap in gaps if gap.low_of_all > limit]
    if bad:
        return failed(f"above {limit:g}: {max(bad, key=lambda gap: gap.gap).told}", evidence)
    doubtful = [gap for gap in gaps if gap.high > limit]
    if doubtful:
        return unsure(f"perhaps above {limit:g}: {max(doubtful, key=lambda gap: gap.high).told}", evidence)
    left = f"; too small to judge: {listed(small, 3)}" if small else ""
    return passed(f"within {limit:g}; the largest: {max(gaps, key=lambda gap: gap.gap).told}{left}", evidence)


def _measures(scored: Scored, column: str) -> Iterator[tuple[str, list[Share]]]:
    """Demographic parity compares the shares of positive predictions, equal opportunity those among positive rows."""
    groups = scored.columns[column].astype(str)
    called = called_classes(scored.scores) == 1
    names = np.unique(groups)
    for measure, among in (
        ("positive predictions", np.ones(len(called), dtype=bool)),
        ("true positives", scored.y == 1),
    ):
        yield (
            measure,
            [
                Share(
                    group=str(name),
                    hits=int((called & among & (groups == name)).sum()),
                    rows=int((among & (groups == name)).sum()),
                )
                for name in names
            ],
        )


def _gaps(column: str, measure: str, shares: Sequence[Share], confidence: float) -> Iterator[Gap]:
    pairs = list(combinations(sorted(shares, key=lambda one: -one.hits / one.rows), 2))
    for higher, lower in pairs:
        low, high = difference_interval(higher, lower, confidence)
        yield Gap(
            column=column,
            measure=measure,
            higher=higher,
            lower=lower,
            gap=higher.hits / higher.rows - lower.hits / lower.rows,
            low=low,
            high=high,
            low_of_all=difference_interval(higher, lower, 1 - (1 - confidence) / len(pairs))[0],
        )


def difference_interval(first: Share, second: Share, confidence: float) -> tuple[float, float]:
    """Interval of the difference of two independent shares, the first less the second."""
    p, q = first.hits / first.rows, second.hits / second.rows
    p_low, p_high = wilson(p, first.rows, confidence=confidence)
    q_low, q_high = wilson(q, second.rows, confidence=confidence)
    return p - q - math.hypot(p - p_low, q_high - q), p - q + math.hypot(p_high - p, q - q_low)


def _plain(gap: Gap) -> dict[str, Any]:
    return {
        "column": gap.column,
        "measure": gap.measure,
        "higher": gap.higher.group,
        "lower": gap.lower.group,
        "gap": gap.gap,
        "low": gap.low,
        "high": gap.high,
        "rows": [gap.higher.rows, gap.lower.rows],
    }
