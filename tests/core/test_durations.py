"""Spans of time as a person writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tidemill.core.durations import read_duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1 day 12 hours", timedelta(hours=36)),
        ("90m", timedelta(minutes=90)),
        ("0 s", None),
        ("yesterday", None),
        ("365250 days", timedelta(days=365_250)),
        ("365251 days", None),
        ("9" * 400 + " days", None),
    ],
)
def test_a_span_is_read_or_is_none_however_large(text: str, span: timedelta | None) -> None:
    assert read_duration(text) == span
