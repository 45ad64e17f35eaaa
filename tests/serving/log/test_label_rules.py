"""What is a label: the same over HTTP, from a table and from a file."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tidemill.core.errors import InputError
from tidemill.serving.log.label_rules import LabelRules
from tidemill.serving.log.label_values import LabelValues, values_of

RULES = LabelRules(key="", now=datetime(2026, 10, 5, tzinfo=UTC), values=values_of(()))


NONE = [float("inf"), float("-inf"), Decimal("Infinity"), 10**400, float("nan"), Decimal("NaN")]


@pytest.mark.parametrize("label", NONE)
@pytest.mark.parametrize("values", [values_of(()), values_of((False, True)), LabelValues()])
def test_what_is_no_finite_number_is_no_label(label: Any, values: LabelValues) -> None:
    rules = LabelRules(key="", now=RULES.now, values=values)

    with pytest.raises(InputError, match=r"label 3 is (no finite number|not a number \(NaN\))"):
        rules.read(3, {"id": "r1", "label": label})


@pytest.mark.parametrize("label", [1.7e308, -1.7e308, 10**300, 0, Decimal("1.5")])
def test_a_finite_number_is_a_label_however_large(label: Any) -> None:
    assert RULES.read(1, {"id": "r1", "label": label}).label == label
