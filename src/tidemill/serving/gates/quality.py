"""Gates on quality: better than any constant answer, and no worse than the champion on the same rows.

Both ask for the bound of an interval, never for a bare number. "Fail" means that the rows show the version to be too
bad; "not enough evidence" that they do not show it to be good enough.

References
----------
G. Piaggio et al., Reporting of noninferiority and equivalence randomized trials, JAMA 308 (2012),
https://doi.org/10.1001/jama.2012.87802
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.model_types.base import Labels
from tidemill.registry.decisions import compare_decisions
from tidemill.serving.gates.case import Case, Champion, Missing, Scored, default_metric
from tidemill.serving.gates.comparing import compare, require_metric
from tidemill.serving.gates.verdict import Verdict, passed, unsure
from tidemill.warehouse.control.deployments import GateStatus

NO_CHAMPION = "no champion to compare with"

# No constant answer has a value of its own in the others: they are judged by the task's own metric.
_WITH_CONSTANT = frozenset({"accuracy", "roc_auc", "log_loss"})
_BY_MEDIAN = frozenset({"mean_absolute_error", "median_absolute_error"})


def enough(scored: Scored | Missing, case: Case) -> Scored | Verdict:
    """The held-out rows, or why they are no evidence."""
    if isinstance(scored, Missing):
        return unsure(scored.reason)
    if not scored.held_out:
        return unsure(
            f"no row was held out of the {len(scored.y):,}: say DATA_SPLIT_METHOD = 'RANDOM' in OPTIONS, "
            "or train on more rows",
            {"rows": 0, "min_rows": case.settings.min_rows},
        )
    if len(scored.y) < case.settings.min_rows:
        return unsure(
            f"{len(scored.y):,} held-out rows are fewer than the {case.settings.min_rows:,} of min_rows",
            {"rows": len(scored.y), "min_rows": case.settings.min_rows},
        )
    return scored


def better_than_a_constant(case: Case) -> Verdict:
    """The lower bound of the gain over the constant that would have been best on these very rows is above 0.

    That constant (the share of each class, the mean or the median of the labels) is chosen in hindsight: what is better
    than it is better than any constant known beforehand.
    """
    scored = enough(case.scored, case)
    if isinstance(scored, Verdict):
        return scored
    labels = scored.labels
    require_metric(case.metric, labels)
    metric = case.metric if not labels.classes or case.metric in _WITH_CONSTANT else default_metric(labels)
    constant = best_constant(metric, labels, scored.y)
    found = compare(metric, labels, scored.y, scored.scores, constant, confidence=case.settings.confidence)
    status: GateStatus = "pass" if found.low > 0 else "fail" if found.high <= 0 else "not enough evidence"
    summary = (
        f"{metric} {found.new:.4g} against {found.old:.4g} of the best constant answer on {found.rows:,} rows: "
        f"{found.told(case.settings.confidence)}"
    )
    return Verdict(status=status, summary=summary, evidence=found.evidence | _positives(scored))


def best_constant(metric: str, labels: Labels, y: np.ndarray) -> np.ndarray:
    """Scores that are the same for each row, and no worse by the metric than any other such scores."""
    if labels.classes:
        shares = np.bincount(y, minlength=len(labels.classes)) / len(y)
        return np.tile(shares, (len(y), 1))
    return np.full(len(y), np.median(y) if metric in _BY_MEDIAN else np.mean(y))


def no_worse_than_the_champion(case: Case) -> Verdict:
    """The lower bound of the gain over the champion, on rows that neither was trained on, is above minus the margin."""
    if case.champion is None:
        return passed(NO_CHAMPION, {})
    if isinstance(case.champion, Missing):
        return unsure(f"the champion did not answer these rows: {case.champion.reason}")
    scored = enough(case.champion.rows, case)
    if isinstance(scored, Verdict):
        return scored
    shared = shared_rows(scored, case.champion, case.settings.min_rows)
    found = compare(
        case.metric,
        scored.labels,
        scored.y[shared.kept],
        scored.scores[shared.kept],
        case.champion.scores[shared.kept],
        confidence=case.settings.confidence,
    )
    margin = case.settings.margin
    summary = (
        f"{found.metric} {found.new:.4g} against {found.old:.4g} of version {case.champion.version} on "
        f"{found.rows:,} rows{shared.said}: {found.told(case.settings.confidence)}, margin "
        + (f"{margin:.1%}" if found.relative else f"{margin:g}")
    )
    evidence = found.evidence | {"champion": case.champion.version, "margin": margin, "seen": shared.seen}
    evidence |= _positives(scored, shared.kept) | {"changed": changed_answers(scored, case.champion)}
    return Verdict(status=found.against(margin), summary=summary, evidence=evidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedRows:
    """Which rows two versions are compared on, how many of all the champion was trained on, and that in words."""

    kept: np.ndarray
    seen: int | None
    said: str


def shared_rows(scored: Scored, champion: Champion, min_rows: int) -> SharedRows:
    """Leave out the rows the champion was trained on, unless too few would be left.

    On rows it was trained on the champion looks better than it is: a version that is no worse there is no worse.
    """
    everything = np.ones(len(scored.y), dtype=bool)
    if champion.seen is None:
        return SharedRows(
            kept=everything, seen=None, said=" (the champion may have been trained on some, which flatters it)"
        )
    seen = int(champion.seen.sum())
    if not seen:
        return SharedRows(kept=everything, seen=0, said=" that neither was trained on")
    if len(scored.y) - seen >= min_rows:
        return SharedRows(
            kept=~champion.seen, seen=seen, said=f" that neither was trained on ({seen:,} more were left out)"
        )
    return SharedRows(kept=everything, seen=seen, said=f" ({seen:,} of them trained the champion, which flatters it)")


def changed_answers(scored: Scored, champion: Champion, *, most: int = 10) -> dict[str, Any]:
    """How many answers change with the version, and where they change most."""
    found = compare_decisions(scored.labels, scored.y, champion.scores, scored.scores, most=most)
    return {
        "rows": found.rows,
        "flipped": found.flipped,
        "share": found.share,
        "became_right": found.became_right,
        "became_wrong": found.became_wrong,
        "mean_move": found.moved,
        "largest_move": found.most_moved,
        "movers": [
            {
                "key": str(champion.keys[mover.row]),
                "label": mover.label,
                "old": mover.old,
                "new": mover.new,
                "score_old": mover.score_old,
                "score_new": mover.score_new,
            }
            for mover in found.movers
        ],
    }


def _positives(scored: Scored, kept: np.ndarray | None = None) -> dict[str, int]:
    if len(scored.labels.classes) != 2:
        return {}
    y = scored.y if kept is None else scored.y[kept]
    return {"positives": int((y == 1).sum())}
