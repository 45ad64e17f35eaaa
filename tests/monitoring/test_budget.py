"""Levels that follow from a budget: exact where they can be, bounded where windows share a reference."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from tidemill.monitoring.budget import (
    SHARES,
    Policy,
    benjamini_hochberg,
    chance,
    level_of,
    openings,
    windows_per_month,
)
from tidemill.monitoring.families import FAMILIES
from tidemill.monitoring.measurement import Window

DAY = Window(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize("level", [0.001, 0.05, 0.2])
def test_two_of_three_open_as_often_as_counting_by_hand_says(level: float) -> None:
    # The newest window and one of the two before it, and not the one that has left: 2 a^2 (1 - a)^2.
    assert openings(level, k=2, m=3) == pytest.approx(2 * level**2 * (1 - level) ** 2)


@pytest.mark.parametrize(("k", "m"), [(1, 1), (1, 3), (2, 2), (3, 5)])
def test_openings_are_those_of_every_possible_row_of_windows(k: int, m: int) -> None:
    level = 0.07
    rows = itertools.product((0, 1), repeat=m + 1)
    opens = (row for row in rows if sum(row[:m]) >= k and sum(row[1:]) < k)

    expected = sum(level ** sum(row) * (1 - level) ** (m + 1 - sum(row)) for row in opens)

    assert openings(level, k=k, m=m) == pytest.approx(expected)


@pytest.mark.parametrize("shared", [0.1, 0.5, 0.9])
def test_windows_that_share_a_reference_open_no_more_alarms_than_is_said(shared: float) -> None:
    random, level = np.random.default_rng(4), 0.05
    z = np.sqrt(shared) * random.standard_normal((400_000, 1)) + np.sqrt(1 - shared) * random.standard_normal(
        (400_000, 4)
    )
    breach = stats.norm.sf(z) <= level

    found = np.mean((breach[:, :3].sum(axis=1) >= 2) & (breach[:, 1:].sum(axis=1) < 2))

    said = openings(level, k=2, m=3, shared=shared)
    assert found <= said * 1.03  # four standard errors of the simulation
    if shared <= 0.5:
        assert found == pytest.approx(said, rel=0.03)


def test_asking_for_repeats_lets_the_level_be_larger() -> None:
    once, twice = (level_of(0.01, tests=20, k=k, m=m) for k, m in ((1, 1), (2, 3)))

    assert twice > 20 * once
    assert 20 * openings(twice, k=2, m=3) == pytest.approx(0.01, rel=1e-6)


def test_one_breach_is_no_evidence_where_two_are_asked_for() -> None:
    assert chance([1e-12, 0.9, 0.9], k=2, m=3) == 1.0
    assert chance([1e-12], k=2, m=3) == 1.0
    assert chance([0.01, 0.9, 0.001], k=2, m=3) == pytest.approx(openings(0.01, k=2, m=3))


def test_benjamini_and_hochberg_reject_what_their_paper_says() -> None:
    # The fifteen p-values of section 4 of the paper; at 0.05 the first four are rejected.
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p_values += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]

    assert benjamini_hochberg(p_values, 0.05) == {0, 1, 2, 3}
    assert benjamini_hochberg([], 0.05) == frozenset()


@pytest.mark.parametrize("pages", [True, False])
def test_families_share_the_whole_budget_and_none_is_left_out(pages: bool) -> None:
    shares = [SHARES[family.name] for family in FAMILIES if family.pages is pages]

    assert min(shares) > 0
    assert sum(shares) == pytest.approx(1.0)
    assert set(SHARES) == {family.name for family in FAMILIES}


def test_a_month_has_as_many_windows_as_fit_into_it() -> None:
    week = Window(start=DAY.start, end=DAY.start + timedelta(days=60))

    assert windows_per_month(DAY) == pytest.approx(30.4375)
    assert windows_per_month(week) == 1.0
    assert Policy(false_alarms_per_month=2.0).allowance("quality", DAY) == pytest.approx(0.5 / 30.4375)
