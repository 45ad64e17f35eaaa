"""P-values and intervals against scipy, against published tables, and against what chance really does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tidemill.core.chance import (
    area_chance,
    binomial_upper,
    chi_squared_upper,
    difference_of_shares,
    gamma_upper,
    greatest_gap_chance,
    homogeneity,
    homogeneity_chance,
    share_chance,
)

# 0.05 of 3,000 trials: three standard errors are 0.012, and of 0.01 they are 0.0055. Of 600 trials: 0.027 and 0.012.
TRIALS, FEW = 3_000, 600
EVEN = [1 / 20] * 20
SKEWED = [share / 6.6 for share in (3, 1.5, 0.8, 0.5, 0.3, 0.2, 0.1, 0.1, 0.05, 0.03, 0.01, 0.01)]


@pytest.mark.parametrize("shape", [0.5, 1.0, 9.5, 950.0])
@pytest.mark.parametrize("ratio", [0.01, 0.5, 1.0, 1.1, 3.0])
def test_the_incomplete_gamma_function_is_scipys(shape: float, ratio: float) -> None:
    x = shape * ratio

    assert gamma_upper(shape, x) == pytest.approx(stats.gamma.sf(x, shape), rel=1e-9, abs=1e-290)


def test_chi_squared_has_the_critical_values_of_the_tables() -> None:
    # NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.4.
    for level, degrees, value in ((0.05, 1, 3.841), (0.01, 9, 21.666), (0.001, 9, 27.877), (0.05, 50, 67.505)):
        assert chi_squared_upper(value, degrees) == pytest.approx(level, rel=2e-3)


@given(st.integers(1, 400), st.integers(1, 400), st.floats(0, 1), st.floats(0, 1))
def test_two_shares_are_compared_by_fishers_exact_test(n: int, m: int, old: float, new: float) -> None:
    a, b = round(n * old), round(m * new)
    upper = stats.hypergeom.sf(b - 1, n + m, a + b, m)
    lower = stats.hypergeom.cdf(b, n + m, a + b, m)

    assert share_chance((a, n), (b, m)) == pytest.approx(min(1.0, 2 * min(upper, lower)), rel=1e-6, abs=1e-12)


@given(st.integers(0, 60), st.integers(0, 60), st.floats(1e-4, 0.999))
def test_the_binomial_tail_is_scipys(k: int, n: int, share: float) -> None:
    assert binomial_upper(k, n, share) == pytest.approx(stats.binom.sf(k - 1, n, share), rel=1e-7, abs=1e-12)


def test_the_difference_of_two_shares_has_newcombes_interval() -> None:
    # Newcombe 1998, table II, method 10: 56/70 less 48/80 is 0.2, from 0.0524 to 0.3339.
    assert difference_of_shares((48, 80), (56, 70)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    # 9/10 less 3/10: from 0.1705 to 0.8090.
    assert difference_of_shares((3, 10), (9, 10)) == pytest.approx((0.6, 0.1705, 0.8090), abs=5e-5)


def test_homogeneity_is_the_chi_squared_statistic_of_the_table() -> None:
    assert homogeneity([60, 40], [40, 60]) == pytest.approx(8.0)
    old, new = [312, 80, 55, 9], [1502, 300, 305, 60]

    assert homogeneity(old, new) == pytest.approx(stats.chi2_contingency([old, new], correction=False).statistic)


def test_the_p_value_of_large_tables_is_that_of_chi_squared() -> None:
    old, new = [3120, 800, 550, 900], [1502, 300, 305, 460]

    expected = stats.chi2_contingency([old, new], correction=False).pvalue

    assert homogeneity_chance(old, new) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("shares", [EVEN, SKEWED], ids=["even", "skewed"])
@pytest.mark.parametrize(("n", "m"), [(100, 100), (1_000, 100), (10_000_000, 10_000)])
def test_p_values_are_as_often_small_as_they_say_when_nothing_moved(n: int, m: int, shares: list[float]) -> None:
    rng = np.random.default_rng(5)
    olds = rng.multinomial(n, shares, TRIALS).tolist()
    news = rng.multinomial(m, shares, TRIALS).tolist()

    chi = np.array([homogeneity_chance(old, new) for old, new in zip(olds, news, strict=True)])
    gaps = [_gaps(old, new) for old, new in zip(olds[:FEW], news[:FEW], strict=True)]
    ks = np.array([greatest_gap_chance(gap.max(), old, new) for gap, old, new in zip(gaps, olds, news, strict=False)])
    area = np.array(
        [area_chance(gap.sum(), [1.0] * len(gap), old, new) for gap, old, new in zip(gaps, olds, news, strict=False)]
    )

    assert (chi < 0.05).mean() == pytest.approx(0.05, abs=0.012)
    assert (chi < 0.01).mean() <= 0.018
    assert (
        0.015 < (ks < 0.05).mean() < 0.08
    )  # a count has steps: the p-value of a small window is above what it need be
    assert 0.025 < (area < 0.05).mean() < 0.085
    assert max((ks < 0.005).mean(), (area < 0.005).mean()) < 0.016


def test_kolmogorovs_p_value_at_very_many_edges_nears_his_series() -> None:
    old = [500] * 400
    gap = 1.36 * math.sqrt(2 / 200_000)

    assert greatest_gap_chance(gap, old, old) == pytest.approx(stats.kstwobign.sf(1.36), rel=0.25)


def test_no_rows_or_one_bin_are_never_a_surprise() -> None:
    assert homogeneity_chance([5], [9]) == homogeneity_chance([], []) == homogeneity_chance([3, 2], [0, 0]) == 1
    assert greatest_gap_chance(0.0, [5, 5], [5, 5]) == area_chance(0.0, [1.0], [5, 5], [5, 5]) == 1
    assert share_chance((0, 0), (1, 5)) == 1


def _gaps(old: list[int], new: list[int]) -> np.ndarray:
    return np.abs(np.cumsum(old) / sum(old) - np.cumsum(new) / sum(new))[:-1]
