"""When two values, and two sets of rows, are the same."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tidemill.runner.unit_tests.compare import compare, same


@pytest.mark.parametrize(
    ("expected", "found", "equal"),
    [
        (1, 1.0, True),
        (Decimal("0.5"), 0.5, True),
        (0.333333, 1 / 3, True),
        (0.3333, 1 / 3, False),
        (Decimal("0.10"), Decimal("0.1"), True),
        (None, None, True),
        (None, 0, False),
        (float("nan"), float("nan"), True),
        (float("inf"), float("inf"), True),
        (True, 1, False),
        ("1", 1, False),
        ("a", 1.5, False),
        ([1, None], [1.0, None], True),
        ({"a": 1}, {"a": 1.0000000001}, True),
        ({"a": 1}, {"b": 1}, False),
        (date(2026, 1, 1), date(2026, 1, 1), True),
        (datetime(2026, 1, 1), datetime(2026, 1, 2), False),  # noqa: DTZ001
    ],
)
def test_values_are_the_same_or_not(expected: Any, found: Any, equal: bool) -> None:
    assert same(expected, found) is equal


def test_order_does_not_matter_and_number_does() -> None:
    assert compare("t", ["a"], [(1,), (2,), (2,)], [(2,), (1,), (2.0,)]).none
    assert compare("t", ["a"], [(1,), (2,)], [(2,), (1,), (2,)]).unexpected == ((2,),)


def test_floats_within_their_tolerance_are_not_a_difference() -> None:
    one = compare("t", ["k", "v"], [("a", 0.333333), ("b", 0.1)], [("b", 0.1 + 1e-12), ("a", 1 / 3)])

    assert one.none
    assert one.matching == 2


def test_rows_with_nothing_in_common_are_not_paired() -> None:
    one = compare("t", ["a", "b", "c"], [(1, 2, 3)], [(4, 5, 3)])

    assert (one.changed, one.missing, one.unexpected) == ((), ((1, 2, 3),), ((4, 5, 3),))
