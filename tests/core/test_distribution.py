"""Distributions add up, and are read back as they were written."""

from __future__ import annotations

import json

import pytest

from tidemill.core.distribution import Distribution, added, distribution_from_json

NUMBERS = Distribution(
    column="x", kind="number", edges=(1.0, 2.0), counts=(1, 2, 1), nulls=1, mean=1.5, deviation=0.5, low=0.0, high=3.0
)
TEXTS = Distribution(column="c", kind="text", values=("a", "b"), counts=(3, 1), other=2, nulls=1, examples=("z",))


def test_parts_of_a_window_add_up_to_it() -> None:
    more = Distribution(column="x", kind="number", edges=(1.0, 2.0), counts=(0, 4, 0), mean=1.75, low=1.5, high=2.0)
    both = added(NUMBERS, more)

    assert both.counts == (1, 6, 1)
    assert (both.nulls, both.low, both.high, both.deviation) == (1, 0.0, 3.0, None)
    assert both.mean == pytest.approx((4 * 1.5 + 4 * 1.75) / 8)
    assert added(TEXTS, TEXTS).counts == (6, 2)
    assert added(TEXTS, TEXTS).other == 4


def test_a_part_without_values_changes_no_mean() -> None:
    empty = Distribution(column="x", kind="number", edges=(1.0, 2.0), counts=(0, 0, 0), nulls=7)

    assert added(NUMBERS, empty).mean == added(empty, NUMBERS).mean == 1.5
    assert added(empty, empty).mean is None


def test_other_bins_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="different bins"):
        added(NUMBERS, TEXTS)


@pytest.mark.parametrize("one", [NUMBERS, TEXTS])
def test_what_was_written_is_read_back(one: Distribution) -> None:
    assert distribution_from_json(json.loads(json.dumps(one.as_json()))) == one
