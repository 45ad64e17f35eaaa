"""How well one column tells the classes apart, against scikit-learn's area under the curve."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from tidemill.sources.separation import area_under, separation


def _labels(count: int = 2_000, classes: int = 2) -> np.ndarray:
    return np.random.default_rng(1).integers(0, classes, count)


def _column(values: object) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values)])


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_counts_upwards_and_downwards(sign: int) -> None:
    y = _labels()
    values = y * 3.0 + np.random.default_rng(2).normal(size=y.size)

    found = separation(_column(sign * values), y, 2)

    assert found == pytest.approx(roc_auc_score(y, values), abs=0.005)
    assert area_under(values, y == 1) == pytest.approx(roc_auc_score(y, values), abs=1e-12)


def test_a_category_counts_by_the_share_of_the_class_beside_it() -> None:
    y = _labels()
    names = np.where(y == 1, "gone", "here")

    assert separation(_column(names), y, 2) == 1.0


def test_a_column_of_ids_tells_nothing() -> None:
    y = _labels()

    assert separation(_column([f"id-{i}" for i in range(y.size)]), y, 2) == 0.5


def test_whether_a_value_is_missing_can_tell_everything() -> None:
    y = _labels()

    assert separation(_column([None if one else 5.5 for one in y]), y, 2) == 1.0


def test_a_measurement_that_tells_one_class_of_three_is_no_leak_and_the_class_itself_is() -> None:
    y = _labels(classes=3)
    honest = np.where(y == 2, 100.0, 0.0) + np.random.default_rng(3).normal(size=y.size)

    one = separation(_column(honest), y, 3)
    leak = separation(_column(y * 1.0), y, 3)

    assert one is not None
    assert one < 0.9
    assert leak == 1.0


def test_times_are_compared_and_arrays_are_not() -> None:
    y = _labels(400)
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=int(one) * 40 + i % 30) for i, one in enumerate(y)]

    assert separation(_column(days), y, 2) == 1.0
    assert separation(_column([[1, 2]] * 400), y, 2) is None
    assert separation(pa.chunked_array([pa.nulls(400)]), y, 2) is None


def test_a_class_of_a_few_rows_says_nothing() -> None:
    y = np.zeros(400, dtype=np.int64)
    y[:3] = 1

    assert separation(_column(y * 1.0), y, 2) is None
