"""How often a version that is no worse goes back, and how soon one that is worse does: 200 simulated rollouts each."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from benchmarks.common import Options, Result, Target
from tidemill.core.sections import one_deployment
from tidemill.evaluation.sequential import Counts, judge_rollout
from tidemill.serving.board import LATENCY_BINS, LATENCY_EDGES, SCORE_BINS

LOOK, MOST, SOON = 100, 10_000, 2_000
RULES = one_deployment("d", {}).rollback
SAME = [(rate, share) for rate in (0.001, 0.02, 0.1) for share in (0.01, 0.05, 0.25, 0.5)]
WORSE = [(rate, rate + 0.05, share) for rate in (0.0, 0.02, 0.1) for share in (0.05, 0.25, 0.5)]


def run(options: Options) -> Result:
    runs = 20 if options.quick else 200
    lines = [
        (
            f"{runs} rollouts a line, looked at every {LOOK} requests of the challenger; default settings, alpha "
            f"{RULES.alpha:g} over all signals. With no difference up to {MOST:,} requests, with one up to {SOON:,}."
        ),
        "",
        "| failing requests: champion, challenger | share | taken back | by a z-test | requests: median, 90 % |",
        "|---|---|---|---|---|",
    ]
    wrong, found = [], []
    for rate, share in SAME:
        ours, theirs = zip(*(rollout(seed, rate, rate, share, MOST) for seed in range(runs)), strict=True)
        wrong.append(part(ours))
        lines.append(f"| {rate:.1%}, {rate:.1%} | {share:.0%} | {part(ours):.1%} | {part(theirs):.1%} | |")
    for old, new, share in WORSE:
        ours, theirs = zip(*(rollout(seed, old, new, share, SOON) for seed in range(runs)), strict=True)
        found.append(part(ours))
        when = np.quantile([one if one is not None else np.inf for one in ours], [0.5, 0.9], method="lower")
        lines.append(
            f"| {old:.1%}, {new:.1%} | {share:.0%} | {part(ours):.1%} | {part(theirs):.1%} |"
            f" {when[0]:,.0f}, {when[1]:,.0f} |"
        )
    return Result(
        job="rollback",
        lines=lines,
        targets=[
            Target(what="No difference, worst line: taken back", value=100 * max(wrong), limit=5, unit="%"),
            Target(what="Five points worse, worst line: missed", value=100 * (1 - min(found)), limit=10, unit="%"),
        ],
    )


def part(rollouts: tuple[int | None, ...]) -> float:
    return sum(one is not None for one in rollouts) / len(rollouts)


def rollout(seed: int, old: float, new: float, share: float, most: int) -> tuple[int | None, int | None]:
    """When our tests and a z-test of the error rates take the challenger back; None where they do not."""
    rng = np.random.default_rng(seed)
    looks = most // LOOK
    others = round(LOOK * (1 - share) / share)
    errors = [rng.binomial(others, old, looks).cumsum(), rng.binomial(LOOK, new, looks).cumsum()]
    histograms = [(grow(rng, n, looks, 30, LATENCY_BINS), grow(rng, n, looks, 16, SCORE_BINS)) for n in (others, LOOK)]
    ours = theirs = None
    for look in range(looks):
        arms = [
            Counts(
                answers=n * (look + 1),
                errors=int(errors[arm][look]),
                latency=tuple(histograms[arm][0][look].tolist()),
                scores=tuple(histograms[arm][1][look].tolist()),
            )
            for arm, n in enumerate((others, LOOK))
        ]
        seen = LOOK * (look + 1)
        if ours is None and any(one.breached for one in judge_rollout(*arms, RULES, latency_edges=LATENCY_EDGES)):
            ours = seen
        if theirs is None and z_test(arms[0], arms[1]):
            theirs = seen
        if ours is not None and theirs is not None:
            break
    return ours, theirs


def grow(rng: np.random.Generator, n: int, looks: int, centre: int, bins: int) -> np.ndarray:
    """Histograms as they grow, of values around a bin."""
    shares = np.array([math.exp(-(((at - centre) / 4) ** 2)) for at in range(bins)])
    return rng.multinomial(n, shares / shares.sum(), looks).cumsum(axis=0)


def z_test(champion: Counts, challenger: Counts) -> bool:
    """The test of a textbook, made for one look."""
    pooled = (champion.errors + challenger.errors) / (champion.answers + challenger.answers)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / champion.answers + 1 / challenger.answers))
    if not spread:
        return False
    z = (challenger.errors / challenger.answers - champion.errors / champion.answers) / spread
    return z > NormalDist().inv_cdf(0.95)


if __name__ == "__main__":
    print("\n".join(run(Options(rounds=1, quick=True)).lines))
