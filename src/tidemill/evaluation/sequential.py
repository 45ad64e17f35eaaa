"""Tests of a challenger against a champion that may be looked at as often as one likes, on counts alone.

A test with a fixed sample size that is looked at every hundred requests rejects a good version in two of five rollouts.
These keep their promise at all looks together: with no difference, the chance that any look ever breaches is at most
alpha.

References
----------
.. [1] Ramdas, Grünwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid inference", Statistical
   Science 38(4), 2023, doi 10.1214/23-STS894 (test martingales, Ville's inequality).
.. [2] Howard, Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm
   identification", Bernoulli 28(3), 2022, doi 10.3150/21-BEJ1388 (the band around a distribution function).
.. [3] `evaluation.bounded_means`, for mean losses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tidemill.core.sections import RollbackSettings
from tidemill.evaluation.bounded_means import Sums, evidence_of_higher_mean, log_sum

SIGNALS = {"errors": 0.5, "quality": 0.2, "latency": 0.1, "scores": 0.1, "flips": 0.1}
"""The share of alpha that each signal has. Errors have most: they must be seen soonest."""

QUANTILES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Where latencies are compared; one band holds for all of them at once."""

# Log odds ratios that the errors' test mixes over: an exponential with the mean of a ratio of about 1.6.
_SCALE, _NODES = 0.5, 64
_SHIFTS = tuple(-_SCALE * math.log(1.0 - (node + 0.5) / _NODES) for node in range(_NODES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is known of one version in one stage.

    Parameters
    ----------
    answers, errors
        Requests, and those of them that failed.
    latency, scores
        Histograms over the same bins for both versions; an empty one is not compared.
    labelled, loss_sum, loss_squares
        Answers whose label is known, the sum of their losses, each in [0, 1], and of the squares of these.
    """

    answers: int
    errors: int
    latency: tuple[int, ...] = ()
    scores: tuple[int, ...] = ()
    labelled: int = 0
    loss_sum: float = 0.0
    loss_squares: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one signal says.

    Parameters
    ----------
    statistic, threshold
        It is a breach when the statistic is above the threshold.
    summary
        The figures in words.
    """

    signal: str
    breached: bool
    statistic: float
    threshold: float
    champion_n: int
    challenger_n: int
    summary: str


def judge_rollout(
    champion: Counts,
    challenger: Counts,
    rules: RollbackSettings,
    *,
    latency_edges: Sequence[float] = (),
    flips: tuple[int, int] = (0, 0),
    stages: int = 1,
) -> tuple[Verdict, ...]:
    """Judge every signal there are counts for; ``rules.alpha`` holds for all signals and stages together.

    Parameters
    ----------
    latency_edges
        Where the bins of the latency histograms meet, in seconds.
    flips
        Of the decisions both took on the same rows: how many are the same, and how many are not.
    stages
        How many stages of a rollout share alpha; counts begin anew with each.
    """
    alpha = {signal: rules.alpha * share / stages for signal, share in SIGNALS.items()}
    found = [judge_errors(champion, challenger, margin=rules.error_margin, alpha=alpha["errors"])]
    if champion.labelled and challenger.labelled:
        found.append(judge_quality(champion, challenger, margin=rules.quality_margin, alpha=alpha["quality"]))
    if sum(champion.latency) and sum(challenger.latency):
        ratio = rules.latency_ratio
        found.append(judge_latency(champion, challenger, latency_edges, ratio=ratio, alpha=alpha["latency"]))
    if sum(champion.scores) and sum(challenger.scores):
        found.append(judge_scores(champion, challenger, distance=rules.score_distance, alpha=alpha["scores"]))
    if sum(flips):
        found.append(judge_flips(*flips, requests=challenger.answers, limit=rules.flip_share, alpha=alpha["flips"]))
    return tuple(found)


def judge_errors(champion: Counts, challenger: Counts, *, margin: float, alpha: float) -> Verdict:
    """Whether the challenger fails more often, by more than a margin.

    Of all requests that fail, the challenger's part is its part of the requests when both fail equally often; a margin
    raises that part. The likelihood of the part seen is held against it, mixed over larger parts: a test
    martingale that needs no normal approximation, so it also holds where failures are rare.
    """
    n0, n1, k0, k1 = champion.answers, challenger.answers, champion.errors, challenger.errors
    rate0, rate1 = k0 / max(n0, 1), k1 / max(n1, 1)
    base = max(rate0, 1.0 / max(n0 + n1, 1))
    weight = n1 * (base + margin)
    evidence = _log_mixture(k1, k0, null=weight / (weight + n0 * base)) if n0 and n1 else 0.0
    threshold = -math.log(alpha)
    return Verdict(
        signal="errors",
        breached=evidence > threshold,
        statistic=evidence,
        threshold=threshold,
        champion_n=n0,
        challenger_n=n1,
        summary=f"{k1:,} of {n1:,} requests failed ({rate1:.2%}), of the champion's {k0:,} of {n0:,} ({rate0:.2%})",
    )


def judge_quality(champion: Counts, challenger: Counts, *, margin: float, alpha: float) -> Verdict:
    """Whether the challenger's mean loss on labelled answers is higher, by more than a margin: [3]."""
    mean0, mean1 = (arm.loss_sum / arm.labelled for arm in (champion, challenger))
    old, new = (Sums(n=arm.labelled, total=arm.loss_sum, squares=arm.loss_squares) for arm in (champion, challenger))
    evidence, threshold = evidence_of_higher_mean(old, new, margin=margin), -math.log(alpha)
    return Verdict(
        signal="quality",
        breached=evidence > threshold,
        statistic=evidence,
        threshold=threshold,
        champion_n=champion.labelled,
        challenger_n=challenger.labelled,
        summary=f"mean loss {mean1:.4g} on {challenger.labelled:,} labelled answers, "
        f"the champion's {mean0:.4g} on {champion.labelled:,}",
    )


def judge_scores(champion: Counts, challenger: Counts, *, distance: float, alpha: float) -> Verdict:
    """Whether the scores are distributed otherwise: Kolmogorov-Smirnov distance, less what chance can do.

    A shift by one bin is not counted (as in Lévy's distance): scores that lie together near an edge would count in full
    for moving by next to nothing. Chance can do as much as with one row a request, as rows of one may be alike.
    """
    n0, n1 = sum(champion.scores), sum(challenger.scores)
    old = [0.0, *(seen / n0 for seen in accumulate(champion.scores)), 1.0]
    new = [seen / n1 for seen in accumulate(challenger.scores)]
    found = max(max(value - old[at + 2], old[at] - value, 0.0) for at, value in enumerate(new))
    away = sum(band(min(n, arm.answers), alpha / 2) for n, arm in ((n0, champion), (n1, challenger)))
    threshold = distance + away
    return Verdict(
        signal="scores",
        breached=found > threshold,
        statistic=found,
        threshold=threshold,
        champion_n=n0,
        challenger_n=n1,
        summary=f"scores are {found:.3f} apart from the champion's (Kolmogorov-Smirnov, allowed {distance:g} and "
        f"{away:.3f} for chance)",
    )


def judge_flips(same: int, other: int, *, requests: int, limit: float, alpha: float) -> Verdict:
    """Whether the challenger decides otherwise on more than a share of the same rows.

    Rows of one request may be alike, so that they flip together: all rows of a request count as much as one.
    """
    weight = min(1.0, requests / (same + other))
    evidence, threshold = _log_mixture(weight * other, weight * same, null=limit), -math.log(alpha)
    total = same + other
    return Verdict(
        signal="flips",
        breached=evidence > threshold,
        statistic=evidence,
        threshold=threshold,
        champion_n=total,
        challenger_n=total,
        summary=f"{other:,} of {total:,} decisions differ from the champion's on the same rows ({other / total:.1%})",
    )


def judge_latency(
    champion: Counts, challenger: Counts, edges: Sequence[float], *, ratio: float, alpha: float
) -> Verdict:
    """Whether the challenger is slower by more than a ratio, at any quantile that both are known at."""
    n0, n1 = sum(champion.latency), sum(challenger.latency)
    away0, away1 = band(n0, alpha / 2), band(n1, alpha / 2)
    worst, at, low, high = 0.0, 0.0, 0.0, 0.0
    for quantile in QUANTILES:
        upper = _upper(champion.latency, edges, quantile + away0)
        lower = _lower(challenger.latency, edges, quantile - away1)
        if upper is not None and lower / upper > worst:
            worst, at, low, high = lower / upper, quantile, lower, upper
    seen = f"at the {at:.0%} quantile at least {low * 1e3:.3g} ms, the champion's at most {high * 1e3:.3g} ms"
    return Verdict(
        signal="latency",
        breached=worst > ratio,
        statistic=worst,
        threshold=ratio,
        champion_n=n0,
        challenger_n=n1,
        summary=f"answers take {seen}" if worst else "too few answers to compare their duration",
    )


def band(n: int, alpha: float) -> float:
    """How far a distribution function may be from the true one, at every n at once, with probability 1 - alpha.

    References
    ----------
    Theorem 2 of [2].
    """
    if not n:
        return 1.0
    return min(1.0, 0.85 * math.sqrt((math.log(math.log(math.e * n)) + 0.8 * math.log(1612 / alpha)) / n))


def _log_mixture(hits: float, misses: float, *, null: float) -> float:
    """Log likelihood ratio of shares above ``null``, mixed, against ``null`` itself."""
    start = math.log(null / (1.0 - null))
    logs = []
    for shift in _SHIFTS:
        share = 1.0 / (1.0 + math.exp(-start - shift))
        logs.append(hits * math.log(share / null) + misses * math.log((1.0 - share) / (1.0 - null)))
    return log_sum(logs) - math.log(_NODES)


def _upper(histogram: Sequence[int], edges: Sequence[float], share: float) -> float | None:
    """The value below which at least a share lies, rounded up to an edge; None above the last edge."""
    if share >= 1.0:
        return None
    wanted, seen = share * sum(histogram), 0
    for count, edge in zip(histogram, edges, strict=False):
        seen += count
        if seen >= wanted:
            return edge
    return None


def _lower(histogram: Sequence[int], edges: Sequence[float], share: float) -> float:
    """The value that at least ``1 - share`` lie above, rounded down to an edge."""
    if share <= 0.0:
        return 0.0
    wanted, seen, below = share * sum(histogram), 0, 0.0
    for count, edge in zip(histogram, [*edges, math.inf], strict=False):
        seen += count
        if seen >= wanted:
            return below
        below = edge
    return below
