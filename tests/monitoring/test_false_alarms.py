"""The budget of false alarms holds on simulated months in which nothing happens, and planted faults are found."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from benchmarks.alarms_run import follow, new_alerts
from benchmarks.alarms_world import FAULTS, Fault, World, draw, moved
from scipy import stats

MONTHS, DAYS, BEFORE = 40, 30, 8


def most_by_chance(budget: float) -> int:
    """So many alerts in all months together are exceeded once in ten thousand runs of a process on the budget."""
    return int(stats.poisson.ppf(1 - 1e-4, budget * MONTHS))


@pytest.mark.parametrize(
    "world",
    [
        World(features=6, rows=100),
        World(features=6, rows=2_000, reference_rows=2_000),
        World(features=6, rows=300, reference_rows=3_000, rho=0.5),
    ],
    ids=["few rows", "a reference no larger than a window", "features that go together"],
)
def test_p_values_alone_keep_the_budget_where_nothing_happens(world: World) -> None:
    random = np.random.default_rng(20)
    found: Counter[str] = Counter()
    for _ in range(MONTHS):
        found += new_alerts(follow(draw(world, DAYS + BEFORE, random), floors=False), after=BEFORE)

    assert found["page"] <= most_by_chance(1.0)
    assert found["diagnosis"] <= most_by_chance(1.0)


def test_the_budget_holds_for_distances_as_the_monitor_measures_them() -> None:
    random = np.random.default_rng(23)
    found: Counter[str] = Counter()
    for _ in range(MONTHS // 2):
        traffic = draw(World(features=4, rows=500, reference_rows=5_000), DAYS + BEFORE, random)
        found += new_alerts(follow(traffic, floors=False, apart=moved), after=BEFORE)

    assert max(found["page"], found["diagnosis"]) <= stats.poisson.ppf(1 - 1e-4, MONTHS / 2)


def test_days_that_differ_a_little_open_nothing() -> None:
    random = np.random.default_rng(21)
    world = World(features=6, rows=20_000, weekly=0.1, wobble=0.05)
    found: Counter[str] = Counter()
    for _ in range(10):
        found += new_alerts(follow(draw(world, DAYS + BEFORE, random)), after=BEFORE)

    assert not found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found_within_a_week(fault: Fault) -> None:
    random = np.random.default_rng(22)
    traffic = draw(World(features=6, rows=2_000), BEFORE + 7, random, fault, at=BEFORE)

    found = new_alerts(follow(traffic), after=BEFORE)

    assert found["page"] >= 1
