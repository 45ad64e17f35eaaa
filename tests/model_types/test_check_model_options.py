"""Options that hold, and options that contradict one another."""

from __future__ import annotations

from typing import Any

import pytest
from tests.model_types.bad_values import option_of, source_of

from tidemill.core.errors import OptionError, UnsupportedError
from tidemill.sql.options import CheckedOptions, check_model_options
from tidemill.sql.statements import HparamSpace


def check(model_type: str, **options: Any) -> CheckedOptions:
    given = [option_of("MODEL_TYPE", model_type), *(option_of(name, value) for name, value in options.items())]
    return check_model_options(given, source=source_of("CREATE MODEL m OPTIONS (...) AS SELECT 1"))


def test_defaults_are_filled_in_under_lower_case_names() -> None:
    checked = check("linear_reg", L2_REG=1)
    assert checked.model_type.name == "LINEAR_REG"
    assert checked.values["l2_reg"] == 1.0
    assert isinstance(checked.values["l2_reg"], float)
    assert checked.values["max_iterations"] == 20
    assert checked.values["input_label_cols"] == ["label"]
    assert checked.values["data_split_col"] is None
    assert checked.given == {"l2_reg"}
    assert checked.notes == ()


def test_labels_is_the_old_name_of_the_label_option() -> None:
    checked = check("logistic_reg", labels=["y"])
    assert checked.values["input_label_cols"] == ["y"]
    assert checked.given == {"input_label_cols"}


def test_a_choice_is_taken_in_any_case() -> None:
    assert check("boosted_tree_regressor", tree_method="hist").values["tree_method"] == "HIST"


def test_a_base_score_is_a_number_or_the_mean() -> None:
    assert check("random_forest_regressor").values["base_score"] == 0.5
    assert check("random_forest_regressor", base_score="mean").values["base_score"] == "MEAN"
    assert check("boosted_tree_regressor", base_score=-3).values["base_score"] == -3.0
    with pytest.raises(OptionError, match="a number above 0 and below 1, or 'MEAN', not 1"):
        check("boosted_tree_classifier", base_score=1.0)


def test_class_weights_become_a_weight_per_class() -> None:
    for written in (
        [["no", 1], ["yes", 2.5]],
        [{"label": "no", "w": 1}, {"l": "yes", "w": 2.5}],
        {"no": 1, "yes": 2.5},
    ):
        assert check("logistic_reg", class_weights=written).values["class_weights"] == {"no": 1.0, "yes": 2.5}


def test_what_is_ignored_is_noted_and_recorded() -> None:
    checked = check("linear_reg", model_registry="vertex_ai", vertex_ai_model_id="x")
    assert [note.partition(":")[0] for note in checked.notes] == ["MODEL_REGISTRY", "VERTEX_AI_MODEL_ID"]
    assert checked.values["model_registry"] == "VERTEX_AI"


def test_a_refused_option_at_its_default_is_no_error() -> None:
    checked = check("linear_reg", data_split_test_fraction=0.0)
    assert "data_split_test_fraction" not in checked.values
    with pytest.raises(UnsupportedError, match="DATA_SPLIT_TEST_FRACTION is not supported"):
        check("linear_reg", data_split_test_fraction=0.1)


@pytest.mark.parametrize(
    ("model_type", "options", "message"),
    [
        ("LINEAR_REG", {"learn_rate": 0.1}, "LEARN_RATE is read only with LEARN_RATE_STRATEGY = 'CONSTANT'"),
        (
            "LINEAR_REG",
            {"l1_reg": 1.0, "optimize_strategy": "normal_equation"},
            "L1_REG and OPTIMIZE_STRATEGY = 'NORMAL_EQUATION' exclude each other",
        ),
        (
            "LINEAR_REG",
            {"warm_start": True, "optimize_strategy": "normal_equation"},
            "WARM_START and OPTIMIZE_STRATEGY = 'NORMAL_EQUATION' exclude each other",
        ),
        (
            "LOGISTIC_REG",
            {"calculate_p_values": True, "l2_reg": 0.1},
            "CALCULATE_P_VALUES needs a model without L1_REG and L2_REG",
        ),
        (
            "LOGISTIC_REG",
            {"class_weights": [["a", 1]], "auto_class_weights": True},
            "CLASS_WEIGHTS and AUTO_CLASS_WEIGHTS = TRUE exclude each other",
        ),
        (
            "BOOSTED_TREE_CLASSIFIER",
            {"instance_weight_col": "w", "auto_class_weights": True},
            "INSTANCE_WEIGHT_COL excludes CLASS_WEIGHTS and AUTO_CLASS_WEIGHTS = TRUE",
        ),
        ("BOOSTED_TREE_REGRESSOR", {"dropout": 0.5}, "DROPOUT is read only with BOOSTER_TYPE = 'DART'"),
        (
            "RANDOM_FOREST_REGRESSOR",
            {"colsample_bynode": 1.0},
            "a random forest needs one of COLSAMPLE_BYTREE, COLSAMPLE_BYLEVEL and COLSAMPLE_BYNODE below 1",
        ),
        (
            "RANDOM_FOREST_REGRESSOR",
            {"data_split_col": "x"},
            "DATA_SPLIT_COL is read only with DATA_SPLIT_METHOD = 'CUSTOM' or 'SEQ'",
        ),
        (
            "LINEAR_REG",
            {"data_split_method": "SEQ"},
            "DATA_SPLIT_METHOD = 'CUSTOM' and 'SEQ' need DATA_SPLIT_COL",
        ),
        ("LINEAR_REG", {"input_label_cols": ["a", "b"]}, "INPUT_LABEL_COLS takes one column, not 2"),
        ("LINEAR_REG", {"labels": ["a"], "input_label_cols": ["b"]}, "INPUT_LABEL_COLS is given twice"),
    ],
)
def test_a_contradiction_is_an_error_with_a_way_out(model_type: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        check(model_type, **options)
    assert caught.value.message == message
    assert caught.value.hint
    assert caught.value.where is not None


@pytest.mark.parametrize(
    ("model_type", "options"),
    [
        ("LINEAR_REG", {"learn_rate": 0.1, "learn_rate_strategy": "constant"}),
        ("RANDOM_FOREST_CLASSIFIER", {"colsample_bynode": 1.0, "colsample_bytree": 0.5}),
        ("BOOSTED_TREE_REGRESSOR", {"dropout": 0.5, "booster_type": "dart"}),
        ("LOGISTIC_REG", {"class_weights": [["a", 1]], "auto_class_weights": False}),
        ("LINEAR_REG", {"data_split_method": "custom", "data_split_col": "is_test"}),
    ],
)
def test_options_that_go_together_are_taken(model_type: str, options: dict[str, Any]) -> None:
    assert check(model_type, **options).notes == ()


def test_a_harmless_contradiction_is_a_note() -> None:
    checked = check("LINEAR_REG", data_split_method="no_split", data_split_eval_fraction=0.3)
    assert checked.notes == (
        "DATA_SPLIT_EVAL_FRACTION is ignored: only DATA_SPLIT_METHOD = 'RANDOM' and 'SEQ' read it",
    )


def test_a_missing_model_type_names_those_that_exist() -> None:
    with pytest.raises(OptionError, match="MODEL_TYPE is missing") as caught:
        check_model_options([], source=source_of("CREATE MODEL m AS SELECT 1"))
    assert "LINEAR_REG" in caught.value.hint


@pytest.mark.parametrize(("value", "hint"), [("linear_rge", "did you mean LINEAR_REG?"), (3, "one of LINEAR_REG")])
def test_an_unknown_model_type_is_guessed(value: Any, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        check(value)
    assert caught.value.hint.startswith(hint)


def test_an_option_of_another_type_says_whose_it_is() -> None:
    with pytest.raises(OptionError) as caught:
        check("LINEAR_REG", num_parallel_tree=3)
    assert caught.value.hint.startswith("it is an option of BOOSTED_TREE_CLASSIFIER")


def test_a_search_space_is_refused_as_tuning() -> None:
    with pytest.raises(UnsupportedError, match="L2_REG with a search space is not supported"):
        check("LINEAR_REG", l2_reg=HparamSpace(low=0.0, high=10.0))


def test_the_place_of_a_value_has_its_line_of_text() -> None:
    text = "CREATE MODEL m\nOPTIONS (MODEL_TYPE = 'linear_reg', L2_REG = -1)"
    option = option_of("L2_REG", -1)
    placed = type(option)(name="L2_REG", value=-1, line=2, column=46, length=2, name_line=2, name_column=37)
    with pytest.raises(OptionError) as caught:
        check_model_options([option_of("MODEL_TYPE", "linear_reg"), placed], source=source_of(text))
    assert caught.value.where is not None
    assert caught.value.where.text[caught.value.where.column - 1 :].startswith("-1")
