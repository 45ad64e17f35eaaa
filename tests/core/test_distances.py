"""Distances of distributions: known values, scipy's, and what each says of what moved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from tidemill.analysis.distribution_arrays import distribution_of_numbers
from tidemill.analysis.distributions import bin_edges
from tidemill.core.distances import DISTANCES, Measured, compare, merged
from tidemill.core.distribution import Distribution, distribution_from_json
from tidemill.core.divergences import COUNT_MEASURES, chi_square, jensen_shannon


def numbers(values: np.ndarray, edges: tuple[float, ...] = (), **given: Any) -> Distribution:
    edges = edges or bin_edges(values, float(values.min()), float(values.max()))
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return Distribution(
        column="x",
        kind="number",
        counts=tuple(counts.tolist()),
        edges=edges,
        mean=float(values.mean()),
        deviation=float(values.std(ddof=1)),
        low=float(values.min()),
        high=float(values.max()),
        **given,
    )


def texts(counts: dict[str, int], **given: Any) -> Distribution:
    return Distribution(column="x", kind="text", counts=tuple(counts.values()), values=tuple(counts), **given)


def by_name(reference: Distribution, current: Distribution) -> dict[str, Measured]:
    return {one.distance.name: one for one in compare(reference, current)}


def test_measures_of_counts_have_their_known_values() -> None:
    old, new = [50, 50, 0], [50, 0, 50]

    assert {name: round(measure(old, old), 12) for name, measure in COUNT_MEASURES.items()} == dict.fromkeys(
        COUNT_MEASURES, 0
    )
    assert jensen_shannon([1, 0], [0, 1]) == chi_square([9, 0], [0, 9]) == pytest.approx(1)
    assert COUNT_MEASURES["L_INFINITY"](old, new) == COUNT_MEASURES["KOLMOGOROV_SMIRNOV"](old, new) == 0.5
    assert COUNT_MEASURES["TOTAL_VARIATION"](old, new) == 0.5
    # (0.6 - 0.4) ln(0.6 / 0.4) twice over.
    assert COUNT_MEASURES["PSI"]([60, 40], [40, 60]) == pytest.approx(0.16218604324, rel=1e-9)
    assert jensen_shannon([60, 30, 10], [40, 40, 20]) == pytest.approx(jensenshannon([6, 3, 1], [4, 4, 2], base=2))


def test_every_distance_says_what_it_is_in_and_from_where_it_matters() -> None:
    assert len({distance.name for distance in DISTANCES}) == len(DISTANCES)
    for distance in DISTANCES:
        assert distance.doc.endswith(".")
        assert distance.unit
        assert 0 < distance.limit < 1


def test_nothing_is_far_from_itself() -> None:
    one = numbers(np.random.default_rng(1).normal(size=500), nulls=5)

    for found in compare(one, one):
        assert found.value == pytest.approx(0, abs=1e-12)
        assert not found.matters
        assert found.p_value > 0.9


@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0])
def test_wasserstein_and_kolmogorov_smirnov_are_near_scipys_of_all_values(shift: float) -> None:
    rng = np.random.default_rng(2)
    old, new = rng.normal(size=20_000), rng.normal(shift, 1.2, size=20_000)

    found = by_name(numbers(old), numbers(new, numbers(old).edges))

    # What crosses is read off straight lines between twenty edges, and the greatest gap is looked for there only.
    assert found["wasserstein"].value == pytest.approx(stats.wasserstein_distance(old, new) / old.std(), rel=0.1)
    assert found["kolmogorov_smirnov"].value == pytest.approx(stats.ks_2samp(old, new).statistic, rel=0.05, abs=0.002)


def test_a_unit_error_moves_the_mean_as_far_as_it_does() -> None:
    values = np.random.default_rng(3).lognormal(size=2_000)

    found = by_name(numbers(values), numbers(values * 100, numbers(values).edges))

    assert found["wasserstein"].value == pytest.approx(99 * values.mean() / values.std(), rel=1e-3)
    assert found["wasserstein"].p_value < 1e-12
    assert found["psi"].value > 0.25


def test_rare_values_are_compared_together_and_ordered_bins_with_their_neighbours() -> None:
    old = texts({"a": 900, "b": 60, "c": 30, "d": 20})
    new = texts({"a": 90, "b": 5, "c": 3, "d": 3})
    ordered = [replace(one, kind="number", edges=(1.0, 2.0, 3.0), values=()) for one in (old, new)]

    assert merged(old, new) == ([900, 60, 50], [90, 5, 6])
    assert merged(*ordered) == ([900, 60, 50], [90, 5, 6])


def test_a_share_of_missing_values_has_a_signed_difference_with_its_interval() -> None:
    old, new = texts({"a": 980}, nulls=20), texts({"a": 90}, nulls=10)

    missing = by_name(old, new)["missing"]

    assert missing.value == pytest.approx(0.08)
    assert missing.low is not None
    assert missing.high is not None
    assert 0.02 < missing.low < 0.08 < missing.high < 0.16
    assert missing.p_value < 0.001


def test_new_values_are_told_where_the_reference_lists_all_of_its_own() -> None:
    old = texts({"a": 600, "b": 400})
    new = texts({"a": 50, "b": 45}, other=5)

    found = by_name(old, new)["new_values"]

    assert found.value == 0.05
    assert found.p_value == pytest.approx((100 / 1100) ** 5)
    assert "new_values" not in by_name(replace(old, complete=False), new)


def test_values_seen_once_make_new_ones_no_surprise() -> None:
    rng = np.random.default_rng(4)
    surprised = moved = 0
    for _ in range(300):
        drawn = rng.zipf(1.6, 2_000)
        old, new = drawn[:1_500], drawn[1_500:]
        counts = {str(value): int(rows) for value, rows in zip(*np.unique(old, return_counts=True), strict=True)}
        known = {value: int((new == int(value)).sum()) for value in counts}
        current = texts(known, other=len(new) - sum(known.values()))
        found = by_name(texts(counts), current)
        assert found["new_values"].value > 0
        surprised += found["new_values"].p_value < 0.05
        moved += found["psi"].p_value < 0.05

    assert surprised / 300 < 0.09
    assert moved / 300 < 0.09


def test_a_column_of_keys_has_new_ones_only_and_has_not_moved() -> None:
    old = texts({f"key {i}": 1 for i in range(500)})
    new = texts(dict.fromkeys(old.values, 0), other=300)

    assert all(one.p_value > 0.05 or not one.matters for one in compare(old, new))


def test_distributions_with_other_bins_are_not_compared() -> None:
    with pytest.raises(ValueError, match="counted in different bins"):
        compare(texts({"a": 1}), texts({"b": 1}))


def test_a_distribution_is_the_same_after_it_was_kept() -> None:
    for one in (numbers(np.arange(5.0), nulls=2), texts({"a": 1, "ä'": 2}, other=1, examples=("z",), complete=False)):
        assert distribution_from_json(one.as_json()) == one


def test_no_rows_give_no_figure() -> None:
    old = texts({"a": 10})
    empty = texts({"a": 0})

    assert compare(old, empty) == ()
    assert [one.distance.name for one in compare(old, replace(empty, nulls=3))] == ["missing"]


def test_numbers_as_large_as_a_double_holds_are_compared_all_the_same() -> None:
    old = distribution_of_numbers("x", np.array([-1.7e308, 0.0, 1.0, 1.7e308] * 5))
    new = replace(old, counts=(0, 0, 0, 0, 20, 0), mean=1.7e308)

    found = by_name(old, new)

    assert all(np.isfinite(one.value) and 0 <= one.p_value <= 1 for one in found.values())
    assert found["kolmogorov_smirnov"].value == 0.75
