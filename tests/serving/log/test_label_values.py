"""Which values are labels of a model, however a source spells them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from tidemill.core.errors import InputError
from tidemill.serving.log.label_rules import LabelRules
from tidemill.serving.log.label_values import TRUTHS, LabelValues, values_of

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)


def read(values: LabelValues, label: Any, **more: Any) -> Any:
    """The label as the rules take it."""
    return LabelRules(key="customer", now=NOW, values=values).read(1, {"id": "r1", "label": label, **more}).label


@pytest.mark.parametrize("word", [*TRUTHS, "TRUE", "True", "No", "F"])
def test_a_truth_is_what_the_engine_casts_to_one(word: str) -> None:
    ((cast,),) = duckdb.execute("SELECT CAST(? AS BOOL)", [word]).fetchall()

    assert read(values_of((False, True)), word) is cast


@pytest.mark.parametrize(("given", "truth"), [(1, True), (0, False), (1.0, True), (True, True)])
def test_databases_keep_truths_as_numbers(given: Any, truth: bool) -> None:
    assert read(values_of((False, True)), given) is truth


@pytest.mark.parametrize("given", [2, 0.5, -1, "2", "maybe", "on", "", " true", "1.0"])
def test_what_might_be_either_is_no_truth(given: Any) -> None:
    with pytest.raises(InputError, match="which is no class of the model"):
        read(values_of((False, True)), given)


def test_texts_of_numbers_are_numbers_for_a_model_that_predicts_them() -> None:
    number, classes = values_of(()), values_of((1, 2))

    assert [read(number, text) for text in ("7", "-1.50", "1e3", ".5")] == [7, -1.5, 1000.0, 0.5]
    assert [read(classes, text) for text in ("1", 2, "2.0")] == [1, 2, 2.0]
    for values, text in ((number, "1,5"), (number, "nan"), (number, "1e999"), (number, True), (classes, "3")):
        with pytest.raises(InputError, match="which is no|is no number|is no finite number"):
            read(values, text)


def test_classes_that_are_texts_are_spelled_as_they_are() -> None:
    with pytest.raises(InputError, match="its classes|no class"):
        read(values_of(("no", "yes")), "YES")


def test_a_field_that_no_label_has_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(InputError, match="'tiem', which no label has") as told:
        read(LabelValues(), "left", tiem="2026-05-01")

    assert told.value.hint == "did you mean time?"
    assert read(LabelValues(), "left", Customer="k1") == "left"
