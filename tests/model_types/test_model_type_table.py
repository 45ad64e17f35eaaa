"""The table of model types: each row says all that messages, docs and checks need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tidemill.model_types.base import ModelType, Option
from tidemill.model_types.table import ALL_MODEL_TYPES, MODEL_TYPES, find_model_type, supported_model_types
from tidemill.sql.functions import ML_FUNCTIONS
from tidemill.sql.values import expected, read_value

SUPPORTED = [row for row in ALL_MODEL_TYPES if row.status == "supported"]
OPTIONS = [
    pytest.param(row, option, id=f"{row.name}-{option.name}") for row in ALL_MODEL_TYPES for option in row.options
]


@pytest.mark.parametrize("row", ALL_MODEL_TYPES, ids=lambda row: row.name)
def test_a_row_has_a_sentence_and_a_page(row: ModelType) -> None:
    assert row.name == row.name.upper()
    assert row.doc.endswith(".")
    assert row.url.startswith("https://docs.cloud.google.com/bigquery/docs/")
    assert len({option.name for option in row.options}) == len(row.options)


@pytest.mark.parametrize("row", ALL_MODEL_TYPES, ids=lambda row: row.name)
def test_a_row_that_is_not_built_says_what_to_do(row: ModelType) -> None:
    if row.status == "supported":
        assert row.reason == ""
        assert row.fit is not None
        assert row.load is not None
        assert row.encoding in ("linear", "tree")
    else:
        assert row.fit is None
        assert len(row.reason) > 80
        assert row.reason.endswith(".")


@pytest.mark.parametrize("row", ALL_MODEL_TYPES, ids=lambda row: row.name)
def test_the_functions_of_a_row_exist_in_the_other_table(row: ModelType) -> None:
    assert set(row.functions) <= set(ML_FUNCTIONS)
    assert all(ML_FUNCTIONS[name].model != "none" for name in row.functions)


@pytest.mark.parametrize(("row", "option"), OPTIONS)
def test_an_option_is_said_completely(row: ModelType, option: Option) -> None:
    assert option.name == option.name.upper()
    assert option.doc.endswith((".", ").")), option.doc
    assert (option.status == "supported") == (option.reason == "")
    assert option.kind != "enum" or option.choices
    assert expected(option)


@pytest.mark.parametrize(("row", "option"), OPTIONS)
def test_a_default_is_a_value_the_option_takes(row: ModelType, option: Option) -> None:
    if option.default is not None:
        assert read_value(option, option.default) == option.default


@pytest.mark.parametrize("row", SUPPORTED, ids=lambda row: row.name)
def test_the_defaults_of_a_type_break_none_of_its_rules(row: ModelType) -> None:
    values = {option.name.lower(): option.default for option in row.options if option.status == "supported"}
    assert [rule.message for rule in row.rules if rule.broken(values, frozenset())] == []
    assert {rule.option for rule in row.rules} <= {option.name for option in row.options}


def test_six_types_train_in_this_version() -> None:
    assert supported_model_types() == (
        "LINEAR_REG",
        "LOGISTIC_REG",
        "BOOSTED_TREE_CLASSIFIER",
        "BOOSTED_TREE_REGRESSOR",
        "RANDOM_FOREST_CLASSIFIER",
        "RANDOM_FOREST_REGRESSOR",
    )


def test_an_old_name_finds_its_row_in_any_case() -> None:
    assert find_model_type("arima") is MODEL_TYPES["ARIMA_PLUS"]
    assert find_model_type("Linear_Reg") is MODEL_TYPES["LINEAR_REG"]
    assert find_model_type("prophet") is None


def test_reading_the_tables_imports_no_heavy_package() -> None:
    heavy = "numpy", "pyarrow", "duckdb", "xgboost", "sqlglot", "onnx", "onnxruntime"
    code = (
        "import sys; import tidemill.model_types.table, tidemill.sql.functions, tidemill.sql.options; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
