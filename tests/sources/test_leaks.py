from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.sources.leaks import find_leaks

ROWS = 600


def _random(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_summands_of_the_label_are_found_and_named() -> None:
    random = _random()
    casual, registered = random.integers(0, 300, ROWS), random.integers(0, 700, ROWS)
    noise = random.normal(size=ROWS)
    table = pa.table({"noise": noise, "casual": casual, "registered": registered, "cnt": casual + registered})
    (leak,) = find_leaks(table, "cnt", regression=True)
    assert leak.columns == ("casual", "registered")
    assert leak.why == "cnt = casual + registered in every row"


def test_a_difference_is_written_with_its_sign() -> None:
    random = _random()
    income, cost = random.uniform(0, 9, ROWS), random.uniform(0, 9, ROWS)
    table = pa.table({"cost": cost, "income": income, "profit": income - cost})
    (leak,) = find_leaks(table, "profit", regression=True)
    assert leak.why == "profit = income - cost in every row"


def test_the_label_in_other_units_is_found() -> None:
    inches = _random().uniform(50, 80, ROWS)
    (leak,) = find_leaks(pa.table({"inches": inches, "cm": inches * 2.54}), "cm", regression=True)
    assert leak.why == "cm = 2.54 * inches in every row"


def test_a_curved_copy_of_the_label_is_found() -> None:
    price = _random().uniform(1, 1e6, ROWS)
    (leak,) = find_leaks(pa.table({"log_price": np.log(price), "price": price}), "price", regression=True)
    assert leak.columns == ("log_price",)


def test_a_code_of_the_class_is_found_and_a_good_feature_is_not() -> None:
    random = _random()
    label = random.integers(0, 3, ROWS)
    names = np.array(["adelie", "chinstrap", "gentoo"])[label]
    good = label + random.normal(scale=0.6, size=ROWS)
    table = pa.table({"code": label * 10, "good": good, "species": names})
    assert [leak.columns for leak in find_leaks(table, "species", regression=False)] == [("code",)]


def test_a_number_that_splits_the_classes_is_found() -> None:
    random = _random()
    label = random.integers(0, 2, ROWS)
    score = np.where(label == 1, random.uniform(0.5, 1, ROWS), random.uniform(0, 0.5, ROWS))
    table = pa.table({"score": score, "label": label.astype(bool)})
    assert [leak.columns for leak in find_leaks(table, "label", regression=False)] == [("score",)]


def test_few_measurements_may_part_the_classes_honestly() -> None:
    length = np.concatenate([_random().uniform(1, 2, 50), _random().uniform(3, 7, 100)])
    table = pa.table({"petal_length": length, "setosa": length < 2.5})
    assert find_leaks(table, "setosa", regression=False) == []


def test_a_column_filled_in_only_for_one_class_is_found() -> None:
    random = _random()
    left = random.integers(0, 4, ROWS) == 0
    reason = [f"because {random.integers(10_000)}" if gone else None for gone in left]
    table = pa.table({"reason": reason, "left": left})
    (leak,) = find_leaks(table, "left", regression=False)
    assert leak.why == "whether it is filled in gives the answer away"


def test_classes_that_take_turns_hide_no_leak() -> None:
    turns = np.arange(ROWS) % 2
    table = pa.table({"copy": turns * 3, "label": turns.astype(bool)})
    assert [leak.columns for leak in find_leaks(table, "label", regression=False)] == [("copy",)]


def test_a_rare_class_needs_more_than_a_constant_guess() -> None:
    random = _random()
    rare = random.integers(0, 50, ROWS) == 0
    table = pa.table({"colour": random.integers(0, 5, ROWS), "rare": rare})
    assert find_leaks(table, "rare", regression=False) == []


def test_few_rows_are_never_called_a_leak() -> None:
    assert find_leaks(pa.table({"x": [1, 2, 3], "y": [2, 4, 6]}), "y", regression=True) == []


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_chance_never_looks_like_a_leak(seed: int, regression: bool) -> None:
    random = _random(seed)
    columns = {f"x{number}": random.normal(size=200) for number in range(4)}
    columns["few"] = random.integers(0, 4, 200).astype("float64")
    label = random.normal(size=200) if regression else random.integers(0, 2, 200)
    assert find_leaks(pa.table({**columns, "label": label}), "label", regression=regression) == []


@pytest.mark.filterwarnings("error")
def test_nulls_and_infinities_are_passed_over() -> None:
    random = _random()
    odd = random.normal(size=ROWS)
    odd[::7], odd[::11] = np.inf, np.nan
    table = pa.table({"odd": odd, "empty": pa.nulls(ROWS, pa.float64()), "y": random.normal(size=ROWS)})
    assert find_leaks(table, "y", regression=True) == []
