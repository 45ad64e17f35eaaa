"""The table of ML functions: each row says all that messages, docs and checks need."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.model_types.bad_values import bad_values

from tidemill.core.errors import BindError, OptionError, StatementError, UnsupportedError
from tidemill.model_types.base import Option
from tidemill.model_types.table import ALL_MODEL_TYPES
from tidemill.sql.functions import ML_FUNCTIONS, find_function, supported_table_functions
from tidemill.sql.functions_base import MLFunction
from tidemill.sql.options import check_settings, ignored_settings
from tidemill.sql.values import read_value
from tidemill.testing.reference import reference_page

ROWS = list(ML_FUNCTIONS.values())
BUILT = [row for row in ROWS if row.status != "rejected"]
SETTINGS = [pytest.param(row, option, id=f"{row.name}-{option.name}") for row in ROWS for option in row.settings]
BUILT_SETTINGS = [pytest.param(row, option, id=f"{row.name}-{option.name}") for row in BUILT for option in row.settings]
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "bigquery-ml.md"

# Names from bigquery-ml's reference pages, so that a row cannot be lost unnoticed.
REFERENCE = """
ML.EVALUATE ML.CONFUSION_MATRIX ML.ROC_CURVE ML.TRAINING_INFO ML.TRIAL_INFO ML.FEATURE_INFO ML.ARIMA_EVALUATE
ML.PREDICT ML.RECOMMEND ML.FORECAST ML.DETECT_ANOMALIES ML.RECONSTRUCTION_LOSS ML.TRANSFORM AI.FORECAST
AI.DETECT_ANOMALIES AI.EVALUATE AI.KEY_DRIVERS AI.SEARCH VECTOR_SEARCH ML.WEIGHTS ML.ADVANCED_WEIGHTS
ML.EXPLAIN_PREDICT ML.GLOBAL_EXPLAIN ML.FEATURE_IMPORTANCE ML.EXPLAIN_FORECAST ML.CENTROIDS
ML.PRINCIPAL_COMPONENTS ML.PRINCIPAL_COMPONENT_INFO ML.ARIMA_COEFFICIENTS ML.HOLIDAY_INFO ML.GET_INSIGHTS
ML.DESCRIBE_DATA ML.VALIDATE_DATA_SKEW ML.VALIDATE_DATA_DRIFT ML.TFDV_DESCRIBE ML.TFDV_VALIDATE
ML.FEATURES_AT_TIME ML.ENTITY_FEATURES_AT_TIME ML.CORRELATION ML.TREND ML.SEASONALITY ML.DETECT_CHANGE_POINTS
ML.BUCKETIZE ML.QUANTILE_BUCKETIZE ML.STANDARD_SCALER ML.MIN_MAX_SCALER ML.MAX_ABS_SCALER ML.ROBUST_SCALER
ML.NORMALIZER ML.IMPUTER ML.POLYNOMIAL_EXPAND ML.FEATURE_CROSS ML.HASH_BUCKETIZE ML.LABEL_ENCODER
ML.ONE_HOT_ENCODER ML.MULTI_HOT_ENCODER ML.NGRAMS ML.BAG_OF_WORDS ML.TF_IDF ML.DISTANCE ML.LP_NORM
ML.DECODE_IMAGE ML.RESIZE_IMAGE ML.CONVERT_COLOR_SPACE ML.CONVERT_IMAGE_TYPE ML.GENERATE_TEXT AI.GENERATE_TEXT
ML.GENERATE_EMBEDDING ML.GENERATE_TEXT_EMBEDDING AI.GENERATE_EMBEDDING AI.GENERATE_TABLE AI.GENERATE
AI.GENERATE_BOOL AI.GENERATE_INT AI.GENERATE_DOUBLE AI.IF AI.SCORE AI.CLASSIFY AI.AGG AI.EMBED AI.SIMILARITY
AI.COUNT_TOKENS ML.TRANSLATE ML.UNDERSTAND_TEXT ML.ANNOTATE_IMAGE ML.PROCESS_DOCUMENT ML.TRANSCRIBE
"""


def test_the_table_has_every_function_of_the_reference() -> None:
    assert sorted(ML_FUNCTIONS) == sorted(REFERENCE.split())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_says_what_and_where_from(row: MLFunction) -> None:
    assert row.doc
    assert row.output
    assert row.url.startswith("https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/")
    assert row.inputs[0] <= row.inputs[1]
    assert row.arguments[0] <= row.arguments[1]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_function_that_is_not_built_says_what_to_do(row: MLFunction) -> None:
    if row.status == "rejected":
        assert len(row.reason) > 50
        assert row.reason.endswith(".")
        with pytest.raises(UnsupportedError) as caught:
            find_function(row.name.lower())
        assert caught.value.message == f"{row.name} is not supported. {row.reason}"
    else:
        assert row.reason == ""
        assert find_function(row.name.lower()) is row


@pytest.mark.parametrize("name", sorted(ML_FUNCTIONS))
def test_a_misspelt_function_is_guessed(name: str) -> None:
    with pytest.raises(BindError) as caught:
        find_function(name + "Q")
    assert caught.value.message == f"there is no function {name}Q"
    assert caught.value.hint.startswith("did you mean ")


def test_each_model_function_has_a_model_type_that_takes_it() -> None:
    taken = {name for row in ALL_MODEL_TYPES for name in row.functions}
    needs_model = {row.name for row in ROWS if row.model == "required" and row.kind == "table"}
    clouds = {"AI.GENERATE_TEXT", "AI.GENERATE_EMBEDDING", "AI.GENERATE_TABLE", "ML.GENERATE_TEXT_EMBEDDING"}
    clouds |= {"ML.TRANSLATE", "ML.UNDERSTAND_TEXT", "ML.ANNOTATE_IMAGE", "ML.PROCESS_DOCUMENT", "ML.TRANSCRIBE"}
    assert needs_model - taken == clouds


def test_each_built_function_is_taken_by_a_built_type() -> None:
    taken = {name for row in ALL_MODEL_TYPES if row.status == "supported" for name in row.functions}
    with_model = {name for name in supported_table_functions() if ML_FUNCTIONS[name].model != "none"}
    assert with_model <= taken


@pytest.mark.parametrize(("row", "option"), SETTINGS)
def test_a_setting_is_said_completely(row: MLFunction, option: Option) -> None:
    assert option.name == option.name.lower()
    assert option.doc.endswith((".", "].", ").")), option.doc
    assert (option.status == "supported") == (option.reason == "")
    if option.default is not None:
        assert read_value(option, option.default) == option.default


@pytest.mark.parametrize(("row", "option"), BUILT_SETTINGS)
def test_each_bad_value_of_a_setting_is_refused_by_name(row: MLFunction, option: Option) -> None:
    for value in bad_values(option):
        with pytest.raises(StatementError) as caught:
            check_settings(row, {option.name: value})
        assert caught.value.message.startswith(option.name)
        assert caught.value.facts == {"option": option.name, "function": row.name}


def test_defaults_of_settings_are_filled_in() -> None:
    assert check_settings(ML_FUNCTIONS["ML.EVALUATE"], {}) == {"threshold": 0.5}
    assert check_settings(ML_FUNCTIONS["ML.EVALUATE"], {"THRESHOLD": 1}) == {"threshold": 1.0}
    found = check_settings(ML_FUNCTIONS["ML.EXPLAIN_PREDICT"], {"top_k_features": 3})
    assert found == {"top_k_features": 3, "threshold": 0.5}


def test_a_setting_that_is_ignored_is_left_out_and_noted() -> None:
    row = ML_FUNCTIONS["ML.EXPLAIN_PREDICT"]
    assert "approx_feature_contrib" not in check_settings(row, {"approx_feature_contrib": True})
    assert [note.partition(":")[0] for note in ignored_settings(row, {"approx_feature_contrib": True})] == [
        "approx_feature_contrib"
    ]


@pytest.mark.parametrize(
    ("function", "given", "message", "hint"),
    [
        ("ML.PREDICT", {"treshold": 0.5}, "ML.PREDICT has no setting treshold", "did you mean threshold?"),
        ("ML.TRAINING_INFO", {"x": 1}, "ML.TRAINING_INFO has no setting x", "ML.TRAINING_INFO has no settings"),
        ("ML.PREDICT", {"threshold": 2}, "threshold takes a number from 0 to 1, not 2", ""),
    ],
)
def test_a_wrong_setting_has_this_message(function: str, given: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        check_settings(ML_FUNCTIONS[function], given)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_the_reference_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), "run: python -m tidemill.testing.reference"


def test_the_reference_page_names_every_row_once() -> None:
    page = reference_page()
    for row in ALL_MODEL_TYPES:
        assert page.count(f"### {row.name}\n") == 1
    for name in ML_FUNCTIONS:
        assert page.count(f"| [{name}](") == 1
