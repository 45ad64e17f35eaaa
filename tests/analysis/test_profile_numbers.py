"""Figures of a profile against numpy, scipy and pandas on real data, whole and sampled."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.analysis.conftest import ProfileOf

from tidemill.analysis import table as tables
from tidemill.analysis.bins import count_bins
from tidemill.analysis.profile.associations import correlation_ratio, cramers_v
from tidemill.analysis.table import Table

PENGUINS = "SELECT * FROM read_csv('{}', nullstr = 'NA')"
MEASURES = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")


@pytest.fixture
def penguins(shared_data: Path) -> str:
    return PENGUINS.format(shared_data / "penguins" / "penguins.csv")


@pytest.fixture
def flights(shared_data: Path) -> Path:
    return shared_data / "nycflights13" / "flights.parquet"


def test_moments_and_quantiles_are_those_of_scipy_and_numpy(
    penguins: str, profile_of: ProfileOf, shared_data: Path
) -> None:
    frame = pd.read_csv(shared_data / "penguins" / "penguins.csv")

    found = profile_of(penguins)

    for name in MEASURES:
        values, facts = frame[name].dropna().to_numpy(), found.column(name).facts
        assert facts["nulls"] == frame[name].isna().sum()
        assert facts["distinct"] == frame[name].nunique()
        assert facts["mean"] == pytest.approx(values.mean(), rel=1e-12)
        assert facts["sd"] == pytest.approx(values.std(ddof=1), rel=1e-12)
        assert facts["skew"] == pytest.approx(stats.skew(values), rel=1e-9)
        assert facts["kurtosis"] == pytest.approx(stats.kurtosis(values), rel=1e-9)
        for share, value in facts["quantiles"].items():
            assert value == pytest.approx(np.quantile(values, float(share)), rel=1e-12)


def test_correlations_are_those_of_pandas_over_the_rows_where_both_have_a_value(
    penguins: str, profile_of: ProfileOf, shared_data: Path
) -> None:
    frame = pd.read_csv(shared_data / "penguins" / "penguins.csv")[[*MEASURES, "year"]]

    found = profile_of(penguins).associations

    for measure in ("pearson", "spearman"):
        expected = frame.corr(method=measure)
        pairs = [one for one in found if one.measure == measure]
        assert len(pairs) == 10
        for one in pairs:
            assert one.value == pytest.approx(expected.loc[one.left, one.right], abs=1e-12)
            assert one.rows == frame[[one.left, one.right]].dropna().shape[0]


def test_cramers_v_is_bergsmas_corrected_value_of_scipys_chi_square(shared_data: Path) -> None:
    frame = pd.read_csv(shared_data / "adult" / "adult_train.csv")
    left, right = frame["education"].astype("category"), frame["occupation"].astype("category")
    n, r, c = len(frame), left.nunique(), right.nunique()
    phi2 = stats.chi2_contingency(pd.crosstab(left, right), correction=False).statistic / n
    corrected = max(0, phi2 - (r - 1) * (c - 1) / (n - 1))
    least = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1

    value, rows = cramers_v(left.cat.codes.to_numpy().astype("int64"), right.cat.codes.to_numpy().astype("int64"))

    assert rows == n
    assert value == pytest.approx((corrected / least) ** 0.5, rel=1e-12)


def test_the_correlation_ratio_is_kelleys_epsilon_from_an_analysis_of_variance(shared_data: Path) -> None:
    frame = pd.read_csv(shared_data / "adult" / "adult_train.csv")
    codes, values = frame["education"].astype("category").cat.codes.to_numpy(), frame["hours_per_week"].to_numpy(float)
    groups = [values[codes == code] for code in np.unique(codes)]
    n, k = len(values), len(groups)
    f = stats.f_oneway(*groups).statistic
    eta2 = f * (k - 1) / (f * (k - 1) + n - k)
    epsilon2 = 1 - (1 - eta2) * (n - 1) / (n - k)

    assert correlation_ratio(codes.astype("int64"), values)[0] == pytest.approx(epsilon2**0.5, rel=1e-9)


def test_independent_columns_do_not_go_together_however_many_categories_they_have() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.integers(0, 90, 2000), rng.integers(0, 90, 2000)

    assert cramers_v(left, right)[0] < 0.05
    assert correlation_ratio(left, rng.normal(size=2000))[0] < 0.1


def test_a_table_larger_than_its_sample_has_exact_moments_and_counts_and_near_quantiles(
    flights: Path, profile_of: ProfileOf
) -> None:
    frame = pd.read_parquet(flights)

    found = profile_of(f"SELECT *, air_time * 1.0 / (1 + minute) AS ratio FROM '{flights}'", stored=False)
    ratio = (frame["air_time"] / (1 + frame["minute"])).dropna().to_numpy()

    assert found.sample.startswith("a sample of 100,000 of 336,776 rows, in 2 runs of neighbouring rows")
    facts = found.column("ratio").facts
    assert facts["mean"] == pytest.approx(ratio.mean(), rel=1e-10)
    assert facts["skew"] == pytest.approx(stats.skew(ratio), rel=1e-8)
    assert facts["min"] == ratio.min()
    assert found.column("ratio").approximate == {"distinct", "quantiles"}
    ordered = np.sort(ratio)
    for share, value in facts["quantiles"].items():
        # The rank is what counts: within 0.2 % of the rows.
        assert np.searchsorted(ordered, value) / ratio.size == pytest.approx(float(share), abs=2e-3)
    histogram = facts["histogram"]
    counted = sum(histogram.counts) + histogram.below + histogram.above
    assert counted == ratio.size
    edges = np.array(histogram.edges)
    expected = [int(((ratio > low) & (ratio <= high)).sum()) for low, high in pairwise(edges)]
    assert list(histogram.counts)[1:] == expected[1:]
    delay = found.column("dep_delay").facts
    assert delay["distinct"] == frame["dep_delay"].nunique()
    assert delay["zeros"] == int((frame["dep_delay"] == 0).sum())
    assert delay["negatives"] == int((frame["dep_delay"] < 0).sum())
    assert delay["quantiles"]["0.95"] == np.nanquantile(frame["dep_delay"], 0.95)
    pair = next(one for one in found.associations if (one.left, one.right) == ("dep_delay", "arr_delay"))
    assert pair.value == pytest.approx(frame["dep_delay"].corr(frame["arr_delay"]), abs=1e-12)


def test_the_same_rows_give_the_same_profile_twice(flights: Path, profile_of: ProfileOf) -> None:
    first, again = (profile_of(f"SELECT tailnum, dep_delay FROM '{flights}'", stored=True) for _ in range(2))

    assert first.column("tailnum").facts == again.column("tailnum").facts
    assert first.associations == again.associations


def test_bins_count_what_numpy_counts_for_many_columns_at_once(flights: Path, table_of: Callable[[str], Table]) -> None:
    frame = pd.read_parquet(flights, columns=["dep_delay", "distance"])
    edges = {"dep_delay": [-20.0, 0.0, 15.5, 60.0], "distance": [500.0, 1000.0]}

    found = count_bins(table_of(f"SELECT dep_delay, distance FROM '{flights}'"), edges)

    for name, listed in edges.items():
        values = frame[name].dropna().to_numpy()
        places = np.searchsorted(listed, values, side="left")
        assert list(found[name].counts) == np.bincount(places, minlength=len(listed) + 1).tolist()


def test_a_sample_is_drawn_where_it_says_and_covers_the_table(table_of: Callable[[str], Table]) -> None:
    table = table_of("SELECT i FROM range(1_000_000) AS t(i)")

    sample = tables.draw_sample(table)

    assert (sample.rows, sample.blocks) == (100_000, 4)
    places = [row[0] for row in table.rows_of(f"SELECT i // 250_000 FROM {sample.relation} GROUP BY 1 ORDER BY 1")]
    assert places == [0, 1, 2, 3]
    assert table.rows_of(f"SELECT count(DISTINCT i) FROM {sample.relation}") == [(100_000,)]
