"""The chart of an alert: what a bar is named by, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from tidemill.monitoring.chart import chart_lines, chart_svg

WINDOWS = [
    {"start": "2026-03-01T00:00:00+00:00", "end": "2026-03-02T00:00:00+00:00", "value": -0.27},
    {"start": "2026-03-02T00:00:00+00:00", "end": "2026-03-03T00:00:00+00:00", "value": 0.06},
]


def chart(**more: Any) -> dict[str, Any]:
    return {"title": "loss", "limit": 0.03, "since": "2026-03-02T00:00:00+00:00", "windows": WINDOWS} | more


def test_a_window_is_named_by_its_start_as_in_the_headline() -> None:
    assert [line[2:18] for line in chart_lines(chart())[1:3]] == ["2026-03-01 00:00", "2026-03-02 00:00"]
    picture = chart_svg(chart())
    assert "<title>2026-03-02 00:00: 0.06</title>" in picture
    assert picture.count('fill="#b3261e"') == 1


def test_a_chart_kept_before_is_named_by_what_it_has() -> None:
    old = [{"end": one["end"], "value": one["value"]} for one in WINDOWS]

    assert chart_lines(chart(windows=old))[2].startswith("  2026-03-03 00:00")


def test_what_is_better_than_before_is_no_bar_where_only_worse_matters() -> None:
    better, worse = chart_lines(chart(either_way=False), plain=True)[1:3]

    assert better.count("#") == 0
    assert better.endswith("-0.27")
    assert worse.index("|") < worse.rindex("#")
    assert 'height="1.0"' in chart_svg(chart(either_way=False))


@pytest.mark.parametrize("shown", [chart(), chart(either_way=True)])
def test_a_change_either_way_is_a_bar(shown: dict[str, Any]) -> None:
    assert chart_lines(shown, plain=True)[1].count("#") > 30


def test_windows_of_another_version_are_marked_apart_and_the_legend_says_so() -> None:
    windows = [WINDOWS[0] | {"version": 2}, WINDOWS[1] | {"version": 3}]

    assert [line.endswith("  version 2") for line in chart_lines(chart(windows=windows))[1:3]] == [True, False]
    picture = chart_svg(chart(windows=windows))
    assert "<title>2026-03-01 00:00: -0.27, version 2</title>" in picture
    assert "red: since 2026-03-02 00:00; pale: another version answered" in picture
    assert "pale" not in chart_svg(chart())
