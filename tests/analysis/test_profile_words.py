"""A column on one line: what is even is drawn even, and numbers are cut alike."""

from __future__ import annotations

import pytest

from tidemill.analysis.profile.result import Histogram
from tidemill.analysis.profile.words import number, sparkline


def histogram(*counts: int) -> Histogram:
    return Histogram(edges=tuple(float(edge) for edge in range(len(counts) + 1)), counts=counts)


@pytest.mark.parametrize("bars", [3, 16, 17, 22, 24, 31, 32, 50])
def test_bars_of_one_height_are_blocks_of_one_height(bars: int) -> None:
    assert set(sparkline(histogram(*[2000] * bars))) == {"█"}


def test_values_that_stand_evenly_apart_leave_no_gaps_and_those_that_do_not_do() -> None:
    assert sparkline(histogram(7, 0, 7, 0, 0, 7, 0, 7)) == "████"  # ratings by halves, bars by fifths
    assert sparkline(histogram(7, 7, 0, 0, 0, 7)) == "██   █"
    assert sparkline(histogram(1, 0, 0, 0, 0, 0, 0, 7)) == "▂      █"


def test_a_few_rows_are_seen_beside_many() -> None:
    assert sparkline(histogram(1, 1_000_000)) == "▂█"


@pytest.mark.parametrize(
    ("whole", "fraction"),
    [(491_234_567_849, 491_230_000_000.5), (9_007_199_254_740_993, 9_007_199_254_740_992.0), (10**12, 1e12)],
)
def test_whole_numbers_and_others_are_cut_alike(whole: int, fraction: float) -> None:
    assert ("e" in number(whole)) == ("e" in number(fraction))
    assert len(number(whole)) == len(number(fraction))
    assert number(-5e-324) == "0"
