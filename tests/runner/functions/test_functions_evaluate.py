"""ML.EVALUATE, ML.CONFUSION_MATRIX, ML.ROC_CURVE, ML.TRAINING_INFO and ML.FEATURE_INFO."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as oracle
from tests.runner.functions.function_bench import TOY, Bench

from tidemill.core.errors import BindError, LabelError, StatementError, UnsupportedError
from tidemill.registry.versions import LoadedModel
from tidemill.runner.functions.evaluate import class_columns
from tidemill.sql.bound import BoundCall, BoundQuery

ALL = f"SELECT * FROM {TOY}"
REGRESSION = [
    "mean_absolute_error",
    "mean_squared_error",
    "mean_squared_log_error",
    "median_absolute_error",
    "r2_score",
    "explained_variance",
]


def test_the_tutorials_metrics_come_out_exactly_with_and_without_data(
    bench: Bench, body_mass: LoadedModel, penguins: str
) -> None:
    stored = bench.call("ML.EVALUATE", body_mass)
    assert stored.column_names == REGRESSION
    published = [227.012237, 81838.159892, 0.00507, 173.080816, 0.872377, 0.872377]
    assert list(stored.to_pylist()[0].values()) == pytest.approx(published, rel=1e-6, abs=5e-6)
    same = bench.call("ML.EVALUATE", body_mass, f"SELECT * FROM {penguins} WHERE body_mass_g IS NOT NULL")
    assert same.to_pylist()[0] == pytest.approx(stored.to_pylist()[0], rel=1e-9)
    fewer = bench.call(
        "ML.EVALUATE", body_mass, f"SELECT * FROM {penguins} WHERE body_mass_g IS NOT NULL AND sex <> ''"
    )
    published = [225.817334, 80540.705944, 0.004972, 173.080816, 0.87529, 0.87529]
    assert list(fewer.to_pylist()[0].values()) == pytest.approx(published, rel=1e-6, abs=5e-6)


@pytest.mark.parametrize("threshold", [0.5, 0.4])
def test_a_classifier_is_judged_alike_with_and_without_data(bench: Bench, sold: LoadedModel, threshold: float) -> None:
    stored = bench.call("ML.EVALUATE", sold, threshold=threshold)
    given = bench.call("ML.EVALUATE", sold, ALL, threshold=threshold)
    assert stored.column_names == ["precision", "recall", "accuracy", "f1_score", "log_loss", "roc_auc"]
    assert given.to_pylist()[0] == pytest.approx(stored.to_pylist()[0], rel=1e-6)
    predicted = bench.call("ML.PREDICT", sold, ALL, threshold=threshold)
    agree = [
        a == b for a, b in zip(*(predicted.column(n).to_pylist() for n in ("sold", "predicted_sold")), strict=True)
    ]
    assert given.column("accuracy").to_pylist() == [pytest.approx(np.mean(agree))]


def test_a_metric_without_a_value_is_null(bench: Bench, sold: LoadedModel) -> None:
    one_class = bench.call("ML.EVALUATE", sold, f"{ALL} WHERE sold = 'yes'").to_pylist()[0]
    assert one_class["roc_auc"] is None
    assert one_class["recall"] is not None
    assert set(bench.call("ML.EVALUATE", sold, f"{ALL} WHERE id < 0").to_pylist()[0].values()) == {None}


def test_labels_that_cannot_be_judged_are_named(bench: Bench, sold: LoadedModel, price: LoadedModel) -> None:
    with pytest.raises(BindError, match="no column sold"):
        bench.rows("ML.EVALUATE", sold, f"SELECT size, colour FROM {TOY}")
    with pytest.raises(LabelError, match="NULL"):
        bench.call("ML.EVALUATE", sold, f"SELECT size, colour, nullif(sold, 'no') AS sold FROM {TOY}")
    with pytest.raises(LabelError, match="'maybe'") as caught:
        bench.call("ML.EVALUATE", sold, f"SELECT size, colour, 'maybe' AS sold FROM {TOY}")
    assert "no, yes" in caught.value.hint
    with pytest.raises(LabelError, match="price"):
        bench.call("ML.EVALUATE", price, f"SELECT size, colour, day, 'dear' AS price FROM {TOY}")


def test_an_error_while_rows_are_read_comes_through_the_engine(bench: Bench, sold: LoadedModel) -> None:
    data = BoundQuery(sql=f"SELECT size, colour, 'maybe' AS sold FROM {TOY}")
    call = BoundCall(relation="tm_call_0", function="ML.EVALUATE", model=sold.name, inputs=(data,))
    with pytest.raises(LabelError, match="'maybe'"):
        bench.query("SELECT * FROM tm_call_0", [call])


def test_a_confusion_matrix_has_a_row_and_a_column_per_class(bench: Bench, grade: LoadedModel) -> None:
    table = bench.call("ML.CONFUSION_MATRIX", grade, ALL)
    assert table.column_names == ["expected_label", "_0", "_1", "_2"]
    assert [field.type for field in table.schema][1:] == [pa.int64()] * 3
    predicted = bench.call("ML.PREDICT", grade, ALL)
    expected = oracle.confusion_matrix(
        predicted.column("grade").to_pylist(), predicted.column("predicted_grade").to_pylist()
    )
    assert table.column("expected_label").to_pylist() == [0, 1, 2]
    assert [[row[f"_{k}"] for k in range(3)] for row in table.to_pylist()] == expected.tolist()
    assert bench.call("ML.CONFUSION_MATRIX", grade).equals(table)


def test_a_confusion_matrix_follows_the_threshold(bench: Bench, sold: LoadedModel) -> None:
    table = bench.call("ML.CONFUSION_MATRIX", sold, ALL, threshold=0.0)
    assert table.column("no").to_pylist() == [0, 0]
    assert bench.call("ML.CONFUSION_MATRIX", sold, wanted=["yes"]).column_names == ["yes"]


def test_class_names_become_distinct_valid_column_names() -> None:
    assert class_columns([0, 1]) == ["_0", "_1"]
    assert class_columns(["<=50K", ">50K"]) == ["__50K", "_50K"]
    assert class_columns([False, True]) == ["false", "true"]
    assert class_columns(["a b", "A-B", "a_b", ""]) == ["a_b", "A_B_1", "a_b_2", "_"]
    assert class_columns(["expected_label", "x"]) == ["expected_label_1", "x"]
    assert class_columns([-1.5, "été"]) == ["_1_5", "été"]


def test_a_roc_curve_counts_rows_at_each_threshold_asked_for(bench: Bench, sold: LoadedModel) -> None:
    table = bench.call("ML.ROC_CURVE", sold, ALL, arguments=([0.0, 0.5, 1.0],))
    assert table.column_names == [
        "threshold",
        "recall",
        "false_positive_rate",
        "true_positives",
        "false_positives",
        "true_negatives",
        "false_negatives",
    ]
    first, middle, last = table.to_pylist()
    assert (first["recall"], first["false_positive_rate"]) == (1.0, 1.0)
    assert (last["recall"], last["true_positives"]) == (0.0, 0)
    counts = bench.call("ML.CONFUSION_MATRIX", sold, ALL).to_pylist()
    assert (middle["true_negatives"], middle["false_positives"]) == (counts[0]["no"], counts[0]["yes"])
    assert (middle["false_negatives"], middle["true_positives"]) == (counts[1]["no"], counts[1]["yes"])


def test_a_roc_curve_without_thresholds_takes_them_from_the_scores(bench: Bench, sold: LoadedModel) -> None:
    table = bench.call("ML.ROC_CURVE", sold)
    thresholds = table.column("threshold").to_pylist()
    assert thresholds == sorted(set(thresholds))
    assert len(thresholds) > 10
    assert table.column("recall").to_pylist()[0] == 1.0


def test_a_roc_curve_needs_two_classes_and_thresholds_that_are_numbers(
    bench: Bench, grade: LoadedModel, sold: LoadedModel
) -> None:
    with pytest.raises(StatementError, match="two classes"):
        bench.rows("ML.ROC_CURVE", grade)
    with pytest.raises(StatementError, match="array of numbers"):
        bench.rows("ML.ROC_CURVE", sold, arguments=(["high"],))


def test_a_function_refuses_model_types_it_does_not_take(bench: Bench, price: LoadedModel, trees: LoadedModel) -> None:
    with pytest.raises(UnsupportedError, match=r"ML.CONFUSION_MATRIX does not take LINEAR_REG") as caught:
        bench.rows("ML.CONFUSION_MATRIX", price)
    assert "ML.PREDICT" in caught.value.hint
    with pytest.raises(UnsupportedError, match=r"ML.WEIGHTS"):
        bench.rows("ML.WEIGHTS", trees)


def test_training_info_has_a_row_per_iteration(bench: Bench, trees: LoadedModel) -> None:
    table = bench.call("ML.TRAINING_INFO", trees)
    assert table.column_names == ["training_run", "iteration", "loss", "eval_loss", "learning_rate", "duration_ms"]
    rows = table.to_pylist()
    assert len(rows) == len(trees.iterations)
    assert {row["training_run"] for row in rows} == {0}
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert all(row["duration_ms"] is not None and row["eval_loss"] is None for row in rows)


def test_feature_info_describes_the_input_columns(bench: Bench, price: LoadedModel) -> None:
    table = bench.call("ML.FEATURE_INFO", price)
    assert table.column_names == [
        "input", "min", "max", "mean", "median", "stddev", "category_count", "null_count", "dimension",
    ]  # fmt: skip
    rows = {row["input"]: row for row in table.to_pylist()}
    sizes = [i * 0.5 for i in range(40) if i % 7]
    assert set(rows) == {"size", "colour", "day"}
    assert rows["size"]["mean"] == pytest.approx(np.mean(sizes))
    assert rows["size"]["stddev"] == pytest.approx(np.std(sizes, ddof=1))
    assert (rows["size"]["min"], rows["size"]["max"], rows["size"]["null_count"]) == (0.5, 19.5, 6)
    assert rows["colour"]["category_count"] == 3
    assert rows["colour"]["null_count"] == 10
    assert rows["colour"]["mean"] is None
