"""The key of a prediction and the key of its label are one text, however JSON has them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tidemill.serving.log.texts import text_of
from tidemill.serving.online.parsed import key_text


@pytest.mark.parametrize("value", ["A-7", "", 7, 7.0, -0.5, 1e-7, 1e16, 1e300, 2**70, True, False])
def test_a_predictions_key_is_the_text_of_its_labels(value: Any) -> None:
    assert key_text(value) == text_of(value)


def test_whole_numbers_are_one_key_however_they_are_written() -> None:
    assert key_text(7) == key_text(7.0) == key_text("7") == "7"


def test_no_key_stays_none() -> None:
    assert key_text(None) is None
    assert key_text(msgspec.UNSET) is None
