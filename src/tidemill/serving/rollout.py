"""What a trial's counts say: go back, go on, or wait. Pure; the evidence is what the audit trail keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tidemill.core.sections import RollbackSettings, RolloutSettings
from tidemill.evaluation.sequential import Counts, Verdict, judge_rollout
from tidemill.serving.board import LATENCY_EDGES, ArmCounts, TrialCounts
from tidemill.warehouse.control.outcomes import Outcomes

Decision = Literal["wait", "advance", "roll back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A decision, why, and the figures behind it."""

    decision: Decision
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def judge(
    counts: TrialCounts,
    *,
    stage: str,
    classifier: bool,
    seconds: float,
    rollout: RolloutSettings,
    rollback: RollbackSettings,
    outcomes: tuple[Outcomes, Outcomes] = (Outcomes(), Outcomes()),
) -> Judgement:
    """Judge a stage by all that was counted in it.

    Parameters
    ----------
    classifier
        Whether answers are decisions, which can be the same or not.
    seconds
        How long the stage has lasted.
    outcomes
        Labelled answers of champion and challenger.
    """
    seen = counts.challenger.answers
    told = _evidence(counts, stage)
    if seen >= rollback.min_requests:
        verdicts = judge_rollout(
            _counts(counts.champion, outcomes[0], stage),
            _counts(counts.challenger, outcomes[1], stage),
            rollback,
            latency_edges=LATENCY_EDGES,
            flips=(counts.agree, counts.differ) if classifier else (0, 0),
            stages=len(rollout.shares) + bool(rollout.shadow_requests),
        )
        told["verdicts"] = [_told(verdict) for verdict in verdicts]
        breaches = [verdict for verdict in verdicts if verdict.breached]
        if breaches:
            return Judgement(
                decision="roll back", why="; ".join(verdict.summary for verdict in breaches), evidence=told
            )
    wanted = rollout.shadow_requests if stage == "shadow" else rollout.requests_per_share
    least = 0.0 if stage == "shadow" else rollout.seconds_per_share
    doubt = _doubt(counts, outcomes, margin=rollback.quality_margin)
    if doubt:
        return Judgement(decision="wait", why=doubt, evidence=told)
    if seen >= max(wanted, rollback.min_requests) and seconds >= least:
        return Judgement(decision="advance", why=f"{seen:,} answers without a breach", evidence=told)
    return Judgement(decision="wait", why=f"{seen:,} of {max(wanted, rollback.min_requests):,} answers", evidence=told)


LABELLED_SHARE = 0.2
"""Where labels of this share of the champion's answers arrive within a stage, the challenger's are waited for."""


def _doubt(counts: TrialCounts, outcomes: tuple[Outcomes, Outcomes], *, margin: float) -> str:
    """Why the labels that have arrived speak against going on; empty when they do not.

    Not yet a breach, which needs evidence beyond chance; but no labels, or labels that look worse, are no good reason
    to give the challenger more.
    """
    old, new = outcomes
    if old.answers < LABELLED_SHARE * counts.champion.answers or not old.answers:
        return ""
    if new.answers < LABELLED_SHARE * counts.challenger.answers or new.answers < FEWEST_LABELLED:
        return f"waits for labels: {new.answers:,} of the challenger's {counts.challenger.answers:,} answers have one"
    before, after = old.loss_sum / old.answers, new.loss_sum / new.answers
    if after > before + margin:
        mean = f"mean loss {after:.4g} on {new.answers:,} labelled answers"
        return f"waits: {mean} looks worse than the champion's {before:.4g}"
    return ""


FEWEST_LABELLED = 30
"""Labelled answers of the challenger below which a mean says nothing."""


def _counts(arm: ArmCounts, outcomes: Outcomes, stage: str) -> Counts:
    return Counts(
        answers=arm.answers,
        errors=arm.errors,
        # The shadow is answered by a thread that waits for the others: its times are no fair comparison.
        latency=() if stage == "shadow" else arm.latency,
        scores=arm.scores,
        labelled=outcomes.answers,
        loss_sum=outcomes.loss_sum,
        loss_squares=outcomes.loss_squares,
    )


def _evidence(counts: TrialCounts, stage: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "stage": stage,
        "champion": {"answers": counts.champion.answers, "errors": counts.champion.errors},
        "challenger": {"answers": counts.challenger.answers, "errors": counts.challenger.errors},
    }
    if counts.agree or counts.differ:
        told["shadow"] = {
            "same_decision": counts.agree,
            "other_decision": counts.differ,
            "largest_score_difference": counts.largest_difference,
        }
    return told


def _told(verdict: Verdict) -> dict[str, Any]:
    return {
        "signal": verdict.signal,
        "breached": verdict.breached,
        "statistic": verdict.statistic,
        "threshold": verdict.threshold,
        "champion_n": verdict.champion_n,
        "challenger_n": verdict.challenger_n,
        "summary": verdict.summary,
    }
