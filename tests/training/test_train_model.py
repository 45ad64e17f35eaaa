"""Training as a whole: files, digests, labels, weights, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tidemill.core.errors import BindError, EmptyDataError, LabelError, OptionError, UnsupportedError
from tidemill.evaluation.judge import judge
from tidemill.features.onnx_encoding import feature_inputs
from tidemill.features.onnx_feed import feed_row
from tidemill.features.plan import plan_from_dict
from tidemill.model_types._arrays import read_arrays
from tidemill.model_types.table import MODEL_TYPES
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateModel
from tidemill.training.artifact import read_json_file
from tidemill.training.result import TrainedModel, artifact_digest
from tidemill.training.task import TrainTask
from tidemill.training.train import train
from tidemill.warehouse.protocol import Session

Fit = Callable[..., TrainedModel]

MIXED = """
SELECT CASE WHEN range % 11 = 0 THEN NULL ELSE range % 97 END AS n,
       CASE range % 4 WHEN 0 THEN NULL WHEN 1 THEN 'a' WHEN 2 THEN 'ü' ELSE '' END AS c,
       DATE '2020-01-01' + CAST(range % 5 AS INTEGER) AS d,
       range % 3 = 0 AS b,
       (range * 7919) % 101 + 10 * (range % 4) AS value,
       CASE WHEN (range * 7919) % 101 + 20 * (range % 4) > 70 THEN 'yes' ELSE 'no' END AS label,
       ['x', 'y', 'z'][1 + range % 3] AS three
FROM range(700)
"""
TYPES = {
    "LINEAR_REG": "value",
    "LOGISTIC_REG": "label",
    "BOOSTED_TREE_CLASSIFIER": "three",
    "BOOSTED_TREE_REGRESSOR": "value",
    "RANDOM_FOREST_CLASSIFIER": "label",
    "RANDOM_FOREST_REGRESSOR": "value",
}


@pytest.mark.parametrize(("kind", "label"), TYPES.items())
def test_the_same_rows_and_options_give_the_same_bytes(fit: Fit, kind: str, label: str) -> None:
    first, second = fit(kind, MIXED, label=label), fit(kind, MIXED, label=label)
    assert first.files == second.files
    assert first.digest == second.digest == artifact_digest(first.files)


@pytest.mark.parametrize("kind", ["LINEAR_REG", "BOOSTED_TREE_REGRESSOR"])
def test_rows_of_no_fixed_order_train_the_same_model_in_any_order(fit: Fit, kind: str) -> None:
    files = [
        fit(kind, f"SELECT * FROM ({MIXED}) AS t ORDER BY {order}", label="value", ordered=False).files
        for order in ("n", "value DESC")
    ]
    for name in files[0]:
        if name != "manifest.json":  # which holds the SQL
            assert files[0][name] == files[1][name], name


@pytest.mark.parametrize(("kind", "label"), TYPES.items())
def test_the_onnx_file_answers_for_a_raw_row(fit: Fit, kind: str, label: str) -> None:
    trained = fit(kind, MIXED, label=label)
    plan = plan_from_dict(read_json_file(trained.files, "features.json"))
    row: dict[str, Any] = {"n": 3, "c": None, "d": "2031-05-06", "b": True, "value": 4, "label": "no", "three": "q"}
    session = onnxruntime.InferenceSession(trained.files["model.onnx"], providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answer = dict(zip(names, session.run(None, feed_row(feature_inputs(plan), row)), strict=True))
    predicted = answer[f"predicted_{label}"][0]
    if label == "value":
        assert np.isfinite(predicted)
    else:
        classes = read_json_file(trained.files, "manifest.json")["label"]["classes"]
        assert predicted == classes[int(answer["probabilities"][0].argmax())]


def test_the_files_hold_no_time_and_read_as_plain_data(fit: Fit) -> None:
    trained = fit("BOOSTED_TREE_CLASSIFIER", MIXED)
    manifest = json.loads(trained.files["manifest.json"])
    assert manifest["label"] == {"column": "label", "type": "string", "classes": ["no", "yes"]}
    assert [column["name"] for column in manifest["inputs"]] == ["n", "c", "d", "b", "value", "three"]
    assert (manifest["rows_train"], manifest["rows_eval"], manifest["evaluated_on"]) == (560, 140, "evaluation")
    kept = read_arrays(trained.files["evaluation.npz"])
    assert kept["y"].shape == (140,)
    assert kept["scores"].shape == (140, 2)
    info = json.loads(trained.files["info.json"])
    assert "duration_ms" not in info["iterations"][0]
    assert {"booster.json", "scores.onnx", "model.onnx"} < set(trained.files)


def test_metrics_are_of_rows_that_training_never_saw(fit: Fit) -> None:
    noise = "SELECT hash(range) % 2 AS label, (hash(range + 1000000) % 100000) / 7.0 AS f FROM range(3000)"
    split = fit("BOOSTED_TREE_CLASSIFIER", noise, max_tree_depth=10, max_iterations=50, early_stop=False)
    whole = fit(
        "BOOSTED_TREE_CLASSIFIER",
        noise,
        max_tree_depth=10,
        max_iterations=50,
        early_stop=False,
        data_split_method="NO_SPLIT",
    )
    assert split.evaluated_on == "evaluation"
    assert whole.evaluated_on == "training"
    assert split.metrics["roc_auc"] < 0.58 < 0.65 < whole.metrics["roc_auc"]
    assert whole.iterations[0].eval_loss is None


def test_categories_of_evaluation_rows_do_not_leak_in(fit: Fit) -> None:
    columns = "range AS n, range % 2 AS label, range >= 90 AS held, CASE WHEN range < 90 THEN 'a' ELSE 'b' END AS c"
    sql = f"SELECT {columns} FROM range(100)"
    trained = fit("LOGISTIC_REG", sql, data_split_method="CUSTOM", data_split_col="held")
    plan = plan_from_dict(read_json_file(trained.files, "features.json"))
    assert [feature.name for feature in plan.features] == ["n", "c"]
    assert plan.features[1].encoding.vocabulary == ("a",)  # type: ignore[union-attr]
    assert plan.features[0].encoding.mean == pytest.approx(44.5)  # type: ignore[union-attr]


def test_auto_class_weights_lift_the_rare_class(fit: Fit) -> None:
    sql = "SELECT (hash(range) % 100 + (range % 10 = 0)::INT * 30) AS f, (range % 10 = 0)::INT AS label FROM range(400)"
    plain = fit("LOGISTIC_REG", sql)
    weighted = fit("LOGISTIC_REG", sql, auto_class_weights=True)
    assert plain.metrics["recall"] < 0.3 < 0.5 < weighted.metrics["recall"]
    same = fit("LOGISTIC_REG", sql, class_weights=[["0", 400 / (360 * 2)], ["1", 400 / (40 * 2)]])
    assert same.files["weights.npz"] == weighted.files["weights.npz"]


def test_instance_weights_act_like_repeated_rows(fit: Fit) -> None:
    base = "SELECT range % 13 AS f, (range * 7) % 5 AS label, 1 + range % 3 AS w FROM range(200)"
    repeated = f"SELECT f, label FROM ({base}) AS t, range(CAST(w AS BIGINT)) ORDER BY ALL"
    weighted = fit("BOOSTED_TREE_REGRESSOR", base, instance_weight_col="w", tree_method="EXACT")
    again = fit("BOOSTED_TREE_REGRESSOR", repeated, tree_method="EXACT", data_split_method="NO_SPLIT")
    first = {round(float(s), 3) for s in read_arrays(weighted.files["evaluation.npz"])["scores"]}
    assert first == {round(float(s), 3) for s in read_arrays(again.files["evaluation.npz"])["scores"]}
    assert "w" not in [row["input"] for row in weighted.feature_info]


@pytest.mark.parametrize(
    ("column", "classes"),
    [
        ("range % 3", [0, 1, 2]),
        ("range % 2 = 0", [False, True]),
        ("(range % 2) / 2.0", [0.0, 0.5]),
        ("CAST(range % 2 AS DECIMAL(9, 2))", [0.0, 1.0]),
        ("DATE '2020-01-01' + CAST(range % 2 AS INTEGER)", ["2020-01-01", "2020-01-02"]),
    ],
)
def test_labels_of_any_simple_type_become_classes(fit: Fit, column: str, classes: list[Any]) -> None:
    trained = fit("LOGISTIC_REG", f"SELECT {column} AS label, hash(range) % 50 AS f FROM range(200)")
    assert read_json_file(trained.files, "manifest.json")["label"]["classes"] == classes


def test_feature_info_describes_training_rows(fit: Fit) -> None:
    trained = fit("LINEAR_REG", MIXED, label="value", data_split_method="NO_SPLIT")
    rows = {row["input"]: row for row in trained.feature_info}
    values = np.array([i % 97 for i in range(700) if i % 11])
    assert rows["n"]["null_count"] == 64
    assert (rows["n"]["min"], rows["n"]["max"]) == (0.0, 96.0)
    assert rows["n"]["mean"] == pytest.approx(values.mean())
    assert rows["n"]["stddev"] == pytest.approx(values.std(ddof=1))
    assert rows["n"]["median"] == np.sort(values)[(len(values) - 1) // 2]
    assert (rows["c"]["category_count"], rows["c"]["null_count"]) == (3, 175)


def test_columns_that_nearly_repeat_one_another_train_a_version(fit: Fit) -> None:
    # Their difference is rounding noise, and weights of it are large: the graph must not lose what cancels out.
    sql = "SELECT range AS a, 1e9 + range / 1000.0 AS b, range % 2 AS label FROM range(700)"
    assert fit("LINEAR_REG", sql).metrics["mean_absolute_error"] == pytest.approx(0.5, abs=0.01)


COLUMNS = {
    "timestamp with time zone": "TIMESTAMPTZ '2020-01-01 00:00:00+02' + INTERVAL (range) HOUR",
    "timestamp in nanoseconds": "CAST('2020-01-01 00:00:00.123456789' AS TIMESTAMP_NS)",
    "decimal": "CAST(range AS DECIMAL(18, 4))",
    "whole number of 128 bits": "CAST(range AS HUGEINT) * 100000000000000000000",
    "time": "TIME '10:00:00' + INTERVAL (range % 5) MINUTE",
    "bytes": "encode('a' || range % 3)",
    "enum": "CAST(['u', 'v'][1 + range % 2] AS ENUM('u', 'v'))",
    "array of numbers": "[range, range * 2.0]",
    "array of strings": "[CAST(range % 3 AS VARCHAR), 'b']",
    "struct": "{'a': range % 7, 'b': CAST(range % 3 AS VARCHAR)}",
    "sparse array": "[{'index': range % 5, 'value': 1.5}]",
    "only NULL": "NULL",
    "infinite now and then": "CASE WHEN range = 3 THEN 'inf'::DOUBLE ELSE range END",
    "very large": "1e300 * range",
}


@pytest.mark.parametrize("kind", ["LOGISTIC_REG", "BOOSTED_TREE_CLASSIFIER"])
@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_columns_of_every_kind_are_features(fit: Fit, kind: str, column: str) -> None:
    # Training itself compares the native model, both graphs and the single-row reader on these rows.
    trained = fit(kind, f"SELECT {column} AS x, range % 5 AS y, range % 2 AS label FROM range(200)", max_iterations=3)
    assert trained.rows_train == 200


def test_a_column_that_cannot_be_a_feature_is_named(fit: Fit) -> None:
    with pytest.raises(UnsupportedError, match="column x of type month_day_nano_interval"):
        fit("LOGISTIC_REG", "SELECT INTERVAL 3 DAY AS x, range % 2 AS label FROM range(9)")


def test_a_label_that_is_missing_names_the_nearest_column(fit: Fit) -> None:
    with pytest.raises(BindError) as caught:
        fit("LINEAR_REG", "SELECT 1 AS price, 2 AS f", label="prices")
    assert caught.value.hint == "did you mean price?"


@pytest.mark.parametrize(
    ("kind", "sql", "error", "message"),
    [
        ("LINEAR_REG", "SELECT 1 AS label", EmptyDataError, "nothing to learn from"),
        ("LINEAR_REG", "SELECT 1 AS label, 2 AS f WHERE FALSE", EmptyDataError, "no rows"),
        ("LINEAR_REG", "SELECT NULLIF(range, 3) AS label, 2 AS f FROM range(9)", LabelError, "NULL in 1 of 9 rows"),
        ("LINEAR_REG", "SELECT 'a' AS label, 2 AS f", LabelError, "predicts a number"),
        ("LINEAR_REG", "SELECT 5 AS label, range AS f FROM range(9)", LabelError, "5 in all 9 rows"),
        ("LINEAR_REG", "SELECT 'inf'::DOUBLE AS label, 1 AS f FROM range(9)", LabelError, "not a finite number in 9"),
        ("LINEAR_REG", "SELECT 1e308 * (range % 2) AS label, 1 AS f FROM range(9)", LabelError, "1e\\+308 in a row"),
        ("BOOSTED_TREE_REGRESSOR", "SELECT -1e20 * range AS label, 1 AS f FROM range(9)", LabelError, "up to 5e\\+18"),
        ("LOGISTIC_REG", "SELECT 'a' AS label, range AS f FROM range(9)", LabelError, "needs two classes"),
        ("LOGISTIC_REG", "SELECT NULLIF(range % 3, 0) AS label, 1 AS f FROM range(9)", LabelError, "NULL in 3 of 9"),
        ("LOGISTIC_REG", "SELECT range AS label, 1 AS f FROM range(60)", LabelError, "60 classes.*at most 50"),
    ],
)
def test_rows_that_cannot_train_say_why(fit: Fit, kind: str, sql: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fit(kind, sql)


def test_class_weights_must_name_every_class(fit: Fit) -> None:
    with pytest.raises(OptionError, match="no weight for 1"):
        fit("LOGISTIC_REG", "SELECT range % 2 AS label, range AS f FROM range(9)", class_weights=[["0", 1.0]])
    with pytest.raises(OptionError, match="names 7"):
        fit("LOGISTIC_REG", "SELECT range % 2 AS label, range AS f FROM range(9)", class_weights=[["7", 1.0]])


def test_transform_outputs_are_the_features_and_raw_columns_the_inputs(session: Session) -> None:
    text = """
    CREATE MODEL m TRANSFORM (ML.STANDARD_SCALER(n) OVER () AS z, coalesce(c, '-') AS c, value)
    OPTIONS (MODEL_TYPE = 'LINEAR_REG', INPUT_LABEL_COLS = ['value']) AS SELECT 1
    """
    statement = parse_text(text, file="m.sql", dialect="duckdb")[0]
    assert isinstance(statement, CreateModel)
    row = MODEL_TYPES["LINEAR_REG"]
    task = TrainTask(
        session=session,
        sql=MIXED,
        name="m",
        model_type=row,
        options={option.name.lower(): option.default for option in row.options} | {"input_label_cols": ["value"]},
        given=frozenset(),
        ordered=True,
        transform=statement.transform,
    )
    trained = train(task, judge=judge)
    manifest = read_json_file(trained.files, "manifest.json")
    assert [column["name"] for column in manifest["inputs"]] == ["n", "c"]
    assert [column["name"] for column in manifest["transform"]] == ["z", "c"]
    assert (manifest["onnx"]["inputs"], manifest["onnx"]["reason"]) == ("raw", "")
    assert [(fed["name"], fed["kind"]) for fed in manifest["onnx"]["feed"]] == [("n", "number"), ("c", "text")]
    assert manifest["transform_columns"] == ["z", "c", "value"]
    # Scaled by the training rows alone.
    z = plan_from_dict(read_json_file(trained.files, "features.json")).features[0].encoding
    assert (z.mean, z.deviation) == (pytest.approx(0.0, abs=1e-12), pytest.approx(1.0))  # type: ignore[union-attr]
    assert train(task, judge=judge).digest == trained.digest


def test_feature_info_describes_the_columns_before_transform(fit: Fit) -> None:
    def trained(clause: str, columns: str) -> TrainedModel:
        text = f"CREATE MODEL m TRANSFORM ({clause}, value) OPTIONS (MODEL_TYPE = 'LINEAR_REG') AS SELECT 1"
        statement = parse_text(text, file="m.sql", dialect="duckdb")[0]
        assert isinstance(statement, CreateModel)
        sql = f"SELECT {columns}, value FROM ({MIXED}) AS t"
        return fit("LINEAR_REG", sql, label="value", data_split_method="NO_SPLIT", transform=statement.transform)

    columns = "n, c, d, b, d + INTERVAL 3 HOUR AS t, [n, 1.0] AS v, [c, 'k'] AS s, d::TIMESTAMPTZ AS z"
    raw = {
        row["input"]: row
        for row in fit(
            "LINEAR_REG", f"SELECT {columns}, value FROM ({MIXED}) AS t", label="value", data_split_method="NO_SPLIT"
        ).feature_info
    }
    made = trained(
        "n * 2 AS m, c || 'x' AS c, d AS e, b, epoch(t) AS t, v[1] AS v, len(s) AS s, epoch(z) AS z", columns
    )
    rows = {row["input"]: row for row in made.feature_info}
    assert list(rows) == ["n", "c", "d", "b", "t", "v", "s", "z"]
    for name, row in rows.items():
        assert row == pytest.approx(raw[name], nan_ok=True), name
