"""The exact message for every bad value of every option, one golden file per model type.

``TIDEMILL_REWRITE_GOLDEN=1 pytest tests/model_types/test_option_messages.py`` writes the files anew; the diff is the
review.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.model_types.bad_values import bad_values, option_of, source_of

from tidemill.core.errors import OptionError, StatementError, UnsupportedError
from tidemill.model_types.base import ModelType, Option
from tidemill.model_types.table import MODEL_TYPES
from tidemill.sql.options import check_model_options

GOLDEN = Path(__file__).parent / "messages"
SUPPORTED = [row for row in MODEL_TYPES.values() if row.status == "supported"]
REJECTED = [row for row in MODEL_TYPES.values() if row.status != "supported"]


def message_of(row: ModelType, option: Option, value: Any) -> str:
    options = (option_of("MODEL_TYPE", row.name), option_of(option.name, value, column=40))
    with pytest.raises(StatementError) as caught:
        check_model_options(options, source=source_of("CREATE MODEL m OPTIONS (...) AS SELECT 1"))
    error = caught.value
    assert error.where is not None
    assert error.where.column == 40 + len(option.name) + 3
    assert error.facts["option"] == option.name
    return f"{error.message} | {error.hint}" if error.hint else error.message


def messages(row: ModelType) -> str:
    lines = []
    for option in row.options:
        lines.append(f"# {option.name}")
        lines.extend(f"{value!r}: {message_of(row, option, value)}" for value in bad_values(option))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("row", SUPPORTED, ids=lambda row: row.name)
def test_each_bad_value_has_the_message_on_file(row: ModelType) -> None:
    found, path = messages(row), GOLDEN / f"{row.name}.txt"
    if os.environ.get("TIDEMILL_REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("row", REJECTED, ids=lambda row: row.name)
def test_a_type_that_is_not_built_is_refused_with_its_reason(row: ModelType) -> None:
    for name in (row.name, row.name.lower(), *row.aliases):
        with pytest.raises(UnsupportedError) as caught:
            check_model_options([option_of("MODEL_TYPE", name)], source=source_of("CREATE MODEL m"))
        assert caught.value.message == f"{row.name} is not supported. {row.reason}"


@pytest.mark.parametrize("row", SUPPORTED, ids=lambda row: row.name)
def test_a_misspelt_option_is_guessed(row: ModelType) -> None:
    for option in row.options:
        if option.status == "rejected":
            continue
        wrong = option.name + "X"
        with pytest.raises(OptionError) as caught:
            check_model_options(
                [option_of("MODEL_TYPE", row.name), option_of(wrong, 1, column=30)], source=source_of("CREATE MODEL m")
            )
        assert caught.value.message == f"{row.name} has no option {wrong}"
        assert caught.value.hint.startswith("did you mean ")
        assert caught.value.where is not None
        assert caught.value.where.column == 30


def test_golden_files_and_built_types_are_the_same() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {row.name for row in SUPPORTED}
