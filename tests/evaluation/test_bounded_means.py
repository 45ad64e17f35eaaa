"""Evidence of a higher mean: a supermartingale for bounded values of any distribution, and it grows where it should."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from tidemill.evaluation.bounded_means import Sums, evidence_of_higher_mean

Draw = Callable[[np.random.Generator, int], np.ndarray]


def wrong(share: float) -> Draw:
    return lambda rng, n: (rng.random(n) < share).astype(np.float64)


def steady(middle: float) -> Draw:
    return lambda rng, n: middle + 0.01 * (rng.random(n) - 0.5)


def rarely_one(share: float, else_: float) -> Draw:
    return lambda rng, n: np.where(rng.random(n) < share, 1.0, else_)


def heavy(rng: np.random.Generator, n: int) -> np.ndarray:
    values: np.ndarray = np.minimum(1.0, rng.lognormal(-3.0, 1.5, n))
    return values


class Growing:
    """The sums of one version's losses as they arrive."""

    def __init__(self, draw: Draw) -> None:
        self.draw, self.n, self.total, self.squares = draw, 0, 0.0, 0.0

    def grow(self, rng: np.random.Generator, n: int) -> Sums:
        values = self.draw(rng, n)
        self.n, self.total, self.squares = self.n + n, self.total + values.sum(), self.squares + (values**2).sum()
        return Sums(n=self.n, total=float(self.total), squares=float(self.squares))


def first_sure(seed: int, old: Draw, new: Draw, *, share: float, alpha: float, most: int = 3_000) -> int | None:
    rng, first, second = np.random.default_rng(seed), Growing(old), Growing(new)
    for n in range(100, most + 1, 100):
        sums = first.grow(rng, round(100 * (1 - share) / share)), second.grow(rng, 100)
        if evidence_of_higher_mean(*sums, margin=0.02) > -math.log(alpha):
            return n
    return None


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (wrong(0.05), wrong(0.07)),
        (wrong(0.5), wrong(0.52)),
        (heavy, heavy),
        # The champion's first losses nearly always lack what makes up its mean, and vary by nothing.
        (rarely_one(0.04, 0.27), steady(0.319)),
        (wrong(0.03), steady(0.05)),
    ],
    ids=["rare", "common", "heavy tail", "rare ones", "steady challenger"],
)
def test_a_difference_of_the_margin_is_found_as_rarely_as_promised(old: Draw, new: Draw, share: float) -> None:
    found = [first_sure(seed, old, new, share=share, alpha=0.1) for seed in range(60)]

    # At a true rate of 10 %, 60 rollouts have more than 13 with a chance of 0.002.
    assert sum(one is not None for one in found) <= 13


@pytest.mark.parametrize(
    ("old", "new", "most"),
    [(wrong(0.1), wrong(0.2), 1_500), (wrong(0.02), wrong(0.1), 1_200), (steady(0.2), steady(0.3), 800)],
)
def test_a_clearly_higher_mean_is_found(old: Draw, new: Draw, most: int) -> None:
    found = [first_sure(seed, old, new, share=0.5, alpha=0.001, most=most) for seed in range(30)]

    assert sum(one is not None for one in found) >= 27


def bets(values: np.ndarray, mean: np.ndarray, sign: int) -> np.ndarray:
    """Wealth of bets that the mean is above (or with sign -1 below) each one supposed, row by row from the papers."""
    weights = {("idle", 0.0): 0.4}
    weights |= {("chord", a): 0.35 / 6 for a in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)}
    weights |= {("square", a): 0.25 / 4 for a in (0.05, 0.15, 0.35, 0.57)}
    wealth = np.zeros(len(mean))
    for (kind, a), weight in weights.items():
        each = np.ones((len(mean), len(values)))
        away = sign * (values[None, :] - mean[:, None])
        if kind == "chord":
            each = np.exp(sign * a * values)[None, :] / (1 - mean + mean * np.exp(sign * a))[:, None]
        elif kind == "square":
            each = np.exp(a * away - (-np.log(1 - a) - a) * away**2)
        wealth += weight * each.prod(axis=1)
    return wealth


@pytest.mark.parametrize("low", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("high", [0.7, 1.0])
@pytest.mark.parametrize("chance", [0.01, 0.3, 0.9])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_bet_on_the_true_mean_gains_nothing_on_average(low: float, high: float, chance: float, sign: int) -> None:
    mean = np.array([(1 - chance) * low + chance * high])

    expected = sum(
        part * other * bets(np.array([one, two]), mean, sign)[0]
        for one, part in ((low, 1 - chance), (high, chance))
        for two, other in ((low, 1 - chance), (high, chance))
    )

    assert expected <= 1.0


@pytest.mark.parametrize(("old", "new"), [(wrong(0.1), wrong(0.3)), (heavy, steady(0.25)), (steady(0.2), heavy)])
def test_the_evidence_is_the_least_wealth_over_all_means(old: Draw, new: Draw) -> None:
    rng = np.random.default_rng(3)
    first, second = old(rng, 300), new(rng, 200)
    means = np.linspace(0.0, 0.98, 2_001)
    least = math.log((bets(first, means, -1) * bets(second, means + 0.02, 1)).min())

    sums = (Sums(n=len(x), total=float(x.sum()), squares=float((x * x).sum())) for x in (first, second))
    found = evidence_of_higher_mean(*sums, margin=0.02)

    assert found <= max(least, 0.0) + 1e-9
    assert found > least - 1.5


def test_nothing_is_known_of_no_rows_and_of_a_lower_mean() -> None:
    none, some = Sums(n=0, total=0.0, squares=0.0), Sums(n=9, total=3.0, squares=3.0)

    assert evidence_of_higher_mean(none, some, margin=0.0) == 0.0
    assert evidence_of_higher_mean(some, none, margin=0.0) == 0.0
    assert evidence_of_higher_mean(some, some, margin=0.0) == 0.0


def test_losses_at_the_ends_of_their_range_are_no_trouble() -> None:
    never, always = Sums(n=500, total=0.0, squares=0.0), Sums(n=500, total=500.0, squares=500.0)

    assert evidence_of_higher_mean(never, always, margin=0.0) > 100
    assert evidence_of_higher_mean(never, always, margin=1.0) == 0.0
