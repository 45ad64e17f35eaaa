"""Distributions learnt from a table and counted in the same bins on another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tidemill.analysis.distribution_arrays import distribution_of
from tidemill.analysis.distributions import bin_edges, count_like, learn_distributions
from tidemill.analysis.table import Table
from tidemill.core.distances import compare

TableOf = Callable[[str], Table]

ODD = """
SELECT * FROM (VALUES
  (1, 1.5, 'nan'::FLOAT, 'a', true, DATE '2024-01-01', TIMESTAMP '2024-01-01 00:00:01', [1], 1::HUGEINT, 1.5),
  (2, NULL, 'inf'::FLOAT, 'it''s', false, NULL, 'infinity', NULL, 2, NULL),
  (3, 2.5, 4, NULL, NULL, DATE '2024-01-03', NULL, [2], NULL, 2.5),
  (3, -1e308, NULL, '', true, DATE 'infinity', TIMESTAMP '2024-01-02', [3], 4, 0)
) AS t(i, x, f, "a text", b, d, s, l, h, m)
"""


def test_every_type_is_counted_and_no_row_is_lost(table_of: TableOf) -> None:
    found = learn_distributions(table_of(ODD))

    assert list(found) == ["i", "x", "f", "a text", "b", "d", "s", "h", "m"]
    assert {one.rows for one in found.values()} == {4}
    assert found["f"].not_finite == 2
    assert (found["f"].mean, found["f"].low, found["f"].high) == (4, 4, 4)
    assert found["x"].deviation == pytest.approx(5.77e307, rel=0.01)
    assert dict(zip(found["a text"].values, found["a text"].counts, strict=True)) == {"": 1, "a": 1, "it's": 1}
    assert dict(zip(found["b"].values, found["b"].counts, strict=True)) == {"true": 2, "false": 1}
    assert (found["d"].nulls, found["d"].not_finite, found["d"].low) == (1, 1, 1_704_067_200)
    assert found["s"].not_finite == 1


def test_the_same_rows_are_counted_the_same(table_of: TableOf) -> None:
    table = table_of(ODD)

    learnt = learn_distributions(table)
    again = count_like(table, learnt)

    for name, one in learnt.items():
        assert (again[name].counts, again[name].nulls, again[name].not_finite) == (
            one.counts, one.nulls, one.not_finite,
        )  # fmt: skip
        assert (again[name].mean, again[name].low, again[name].high) == (one.mean, one.low, one.high)


def test_counts_are_those_of_numpy_for_all_rows_of_a_large_file(shared_data: Path, table_of: TableOf) -> None:
    file = shared_data / "nycflights13" / "flights.parquet"
    frame = pd.read_parquet(file)

    found = learn_distributions(table_of(f"SELECT * FROM '{file}'"), ["dep_delay", "distance", "carrier", "tailnum"])

    for name in ("dep_delay", "distance"):
        one, values = found[name], frame[name].dropna().to_numpy()
        places = np.searchsorted(one.edges, values)
        assert one.counts == tuple(np.bincount(places, minlength=len(one.edges) + 1).tolist())
        assert one.mean == pytest.approx(values.mean())
        assert one.deviation == pytest.approx(values.std(ddof=1), rel=0.05)  # of a sample
        assert one.nulls == frame[name].isna().sum()
        assert one.counts[0] == one.counts[-1] == 0
    carriers = frame["carrier"].value_counts()
    assert dict(zip(found["carrier"].values, found["carrier"].counts, strict=True)) == carriers.to_dict()
    assert found["carrier"].complete
    tails = found["tailnum"]
    assert not tails.complete
    assert len(tails.values) <= 100
    assert sum(tails.counts) + tails.other == frame["tailnum"].notna().sum()


def test_a_quantile_bin_has_about_its_share_of_the_rows(table_of: TableOf) -> None:
    found = learn_distributions(table_of("SELECT exp(sin(i * 12.9898) * 4) AS x FROM range(300_000) r(i)"))["x"]

    shares = np.array(found.counts[1:-1]) / 300_000

    assert len(shares) == 20
    assert np.abs(shares - 0.05).max() < 0.01


def test_new_texts_are_counted_apart_and_some_are_named(table_of: TableOf) -> None:
    learnt = learn_distributions(table_of("SELECT unnest(['a', 'b', 'a', NULL]) AS x"))

    found = count_like(table_of("SELECT unnest(['a', 'c', 'c', 'd', NULL, NULL]) AS x"), learnt)["x"]

    assert (found.counts, found.other, found.nulls, found.examples) == ((1, 0), 3, 2, ("c", "d"))


def test_an_empty_column_has_a_distribution_to_compare_with(table_of: TableOf) -> None:
    empty = table_of("SELECT NULL::DOUBLE AS x, NULL::VARCHAR AS y, NULL::DATE AS z FROM range(3)")
    learnt = learn_distributions(empty)

    found = count_like(table_of("SELECT 1.5::DOUBLE AS x, 'a' AS y, DATE '2024-01-01' AS z"), learnt)

    assert [(one.filled, one.missing) for one in learnt.values()] == [(0, 3)] * 3
    assert [(one.filled, one.missing) for one in found.values()] == [(1, 0)] * 3
    assert [one.distance.name for one in compare(learnt["x"], found["x"])] == ["missing"]
    assert learn_distributions(table_of("SELECT 1 AS x WHERE false"))["x"].rows == 0


def test_columns_of_another_kind_or_that_are_gone_are_left_out(table_of: TableOf) -> None:
    learnt = learn_distributions(table_of("SELECT 1 AS x, 'a' AS y, 2 AS z"))

    assert list(count_like(table_of("SELECT '1' AS x, 'b' AS \"Y\""), learnt)) == ["y"]


def test_keys_are_not_grouped_but_counted_as_others(table_of: TableOf) -> None:
    found = learn_distributions(table_of("SELECT 'k' || i AS x, repeat('long', 100) AS y FROM range(150_000) r(i)"))

    assert (found["x"].values, found["x"].other, found["x"].complete) == ((), 150_000, False)
    assert (found["y"].values, found["y"].other, found["y"].complete) == ((), 150_000, False)


@given(arrays(np.float64, st.integers(1, 200), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_edges_rise_and_leave_the_outermost_bins_empty(values: np.ndarray) -> None:
    edges = bin_edges(values, float(values.min()), float(values.max()))

    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)

    assert all(left < right for left, right in pairwise(edges))
    assert counts[-1] == 0
    assert counts[0] == 0 or values.min() == -np.finfo(float).max
    assert counts.sum() == len(values)


def test_a_value_that_many_rows_have_is_a_bin_of_its_own() -> None:
    values = np.concatenate([np.linspace(0, 10, 700), np.full(300, 4.0)])

    edges = bin_edges(values, 0.0, 10.0)
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)

    assert counts[edges.index(4.0)] == 300


def test_false_alarms_of_learnt_bins_are_as_many_as_promised(table_of: TableOf) -> None:
    """Windows of a reference whose own quantiles are the edges: 300 columns, nothing moved."""
    columns = ", ".join(
        f"random() AS u{i}, -ln(1 - random()) AS e{i}, floor(random() * 7)::INT AS k{i}" for i in range(100)
    )
    table = table_of(f"SELECT {columns} FROM range(400)")
    session = table.session
    reference = Table(session=session, relation=f"(FROM {table.relation} LIMIT 300)", rows=300, columns=table.columns)
    window = Table(session=session, relation=f"(FROM {table.relation} OFFSET 300)", rows=100, columns=table.columns)

    learnt = learn_distributions(reference)
    found = count_like(window, learnt)

    p_values: dict[str, list[float]] = {name: [] for name in ("chi_square", "kolmogorov_smirnov", "wasserstein")}
    for name, one in learnt.items():
        for measured in compare(one, found[name], tuple(p_values)):
            p_values[measured.distance.name].append(measured.p_value)
    for values in p_values.values():
        assert len(values) == 300
        # Four standard errors above 0.05.
        assert np.mean(np.array(values) < 0.05) < 0.1


def test_arrow_columns_have_the_distribution_that_the_engine_counts(table_of: TableOf) -> None:
    table = table_of(ODD.replace("1::HUGEINT", "1::BIGINT"))
    counted = learn_distributions(table)

    for name, one in counted.items():
        found = distribution_of(name, table.read(f"SELECT * FROM {table.relation}").column(name))
        assert found is not None
        assert found == replace(one, deviation=found.deviation, mean=found.mean)
        assert found.mean == (None if one.mean is None else pytest.approx(one.mean))
        assert found.deviation == (None if one.deviation is None else pytest.approx(one.deviation))
    assert distribution_of("l", table.read(f"SELECT l FROM {table.relation}").column("l")) is None
