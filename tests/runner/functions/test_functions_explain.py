"""ML.WEIGHTS, ML.ADVANCED_WEIGHTS, ML.FEATURE_IMPORTANCE, ML.GLOBAL_EXPLAIN and ML.EXPLAIN_PREDICT."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.runner.functions.function_bench import TOY, Bench

from tidemill.core.errors import StatementError
from tidemill.features.plan import Feature, FeaturePlan, Instant, MultiHot, Number, OneHot, Vector
from tidemill.registry.versions import LoadedModel
from tidemill.runner.functions.weights import terms_of

ALL = f"SELECT * FROM {TOY}"
PAIRS = pa.list_(pa.struct([("category", pa.string()), ("weight", pa.float64())]))


def _by_input(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["processed_input"]: row for row in table.to_pylist()}


def test_weights_in_the_inputs_units_give_the_prediction_back(bench: Bench, price: LoadedModel) -> None:
    table = bench.call("ML.WEIGHTS", price)
    assert table.column_names == ["processed_input", "weight", "category_weights"]
    assert table.schema.field("category_weights").type == PAIRS
    assert table.column("processed_input").to_pylist() == ["size", "colour", "day", "__INTERCEPT__"]
    rows = _by_input(table)
    assert rows["colour"]["weight"] is None
    assert rows["size"]["category_weights"] == []
    colours = {pair["category"]: pair["weight"] for pair in rows["colour"]["category_weights"]}
    days = {pair["category"]: pair["weight"] for pair in rows["day"]["category_weights"]}
    assert set(colours) == {"blue", "green", "red", "_null_filler"}
    assert min(days) == "2024-01-01"
    for row in bench.call("ML.PREDICT", price, f"{ALL} WHERE size IS NOT NULL").to_pylist():
        by_hand = (
            rows["__INTERCEPT__"]["weight"]
            + rows["size"]["weight"] * row["size"]
            + colours[row["colour"] or "_null_filler"]
            + days[str(row["day"])]
        )
        assert by_hand == pytest.approx(row["predicted_price"], abs=1e-9)


def test_standardised_weights_differ_by_the_deviation(bench: Bench, price: LoadedModel) -> None:
    raw, standardised = (_by_input(bench.call("ML.WEIGHTS", price, standardize=flag)) for flag in (False, True))
    deviation = np.std([i * 0.5 for i in range(40) if i % 7], ddof=1)
    assert standardised["size"]["weight"] == pytest.approx(raw["size"]["weight"] * deviation)
    assert standardised["colour"] == raw["colour"]


def test_more_than_two_classes_have_weights_each(bench: Bench, grade: LoadedModel, sold: LoadedModel) -> None:
    table = bench.call("ML.WEIGHTS", grade)
    assert table.column_names[-1] == "class_label"
    assert table.column("class_label").to_pylist() == [0] * 3 + [1] * 3 + [2] * 3
    assert "class_label" not in bench.call("ML.WEIGHTS", sold).column_names


def test_a_dropped_category_has_a_weight_of_zero(bench: Bench) -> None:
    model = bench.train(
        "dummy",
        "LINEAR_REG",
        f"SELECT size, colour, price + (id * 7919) % 13 AS price FROM {TOY} WHERE colour IS NOT NULL",
        "price",
        category_encoding_method="DUMMY_ENCODING",
        calculate_p_values=True,
    )
    pairs = _by_input(bench.call("ML.WEIGHTS", model))["colour"]["category_weights"]
    assert sorted(pair["category"] for pair in pairs) == ["blue", "green", "red"]
    assert [pair["weight"] for pair in pairs].count(0.0) == 1
    table = bench.call("ML.ADVANCED_WEIGHTS", model)
    assert table.column_names == ["processed_input", "category", "weight", "standard_error", "p_value"]
    rows = table.to_pylist()
    dropped = next(row for row in rows if row["weight"] == 0.0)
    assert (dropped["standard_error"], dropped["p_value"]) == (None, None)
    size = next(row for row in rows if row["processed_input"] == "size")
    assert size["category"] is None
    assert size["standard_error"] > 0
    assert 0 <= size["p_value"] <= 1
    assert rows[-1]["standard_error"] is None
    standardised = bench.call("ML.ADVANCED_WEIGHTS", model, standardize=True).to_pylist()
    assert standardised[-1]["standard_error"] > 0
    # A weight and its error scale alike.
    of_size = next(row for row in standardised if row["processed_input"] == "size")
    assert of_size["weight"] / of_size["standard_error"] == pytest.approx(size["weight"] / size["standard_error"])


def test_functions_that_need_an_option_name_it(bench: Bench, price: LoadedModel) -> None:
    with pytest.raises(StatementError, match="CALCULATE_P_VALUES"):
        bench.rows("ML.ADVANCED_WEIGHTS", price)
    with pytest.raises(StatementError, match="ENABLE_GLOBAL_EXPLAIN"):
        bench.rows("ML.GLOBAL_EXPLAIN", price)


def test_feature_importance_counts_the_splits_of_the_trees(bench: Bench, trees: LoadedModel) -> None:
    import xgboost

    table = bench.call("ML.FEATURE_IMPORTANCE", trees)
    assert table.column_names == ["feature", "importance_weight", "importance_gain", "importance_cover"]
    assert table.column("feature").to_pylist() == ["size", "colour", "day"]
    booster = xgboost.Booster(model_file=bytearray(trees.files["booster.json"]))
    splits = booster.get_score(importance_type="weight")
    assert table.column("importance_weight").to_pylist() == [splits.get(f"f{i}", 0.0) for i in range(3)]
    gain = booster.get_score(importance_type="gain")
    assert table.column("importance_gain").to_pylist() == pytest.approx([gain.get(f"f{i}", 0.0) for i in range(3)])


def test_the_tutorials_global_explanation_comes_out_exactly(bench: Bench, body_mass: LoadedModel) -> None:
    table = bench.call("ML.GLOBAL_EXPLAIN", body_mass)
    assert table.column_names == ["feature", "attribution"]
    found = {row["feature"]: row["attribution"] for row in table.to_pylist()}
    assert found["flipper_length_mm"] == pytest.approx(193.612051, abs=1e-4)
    assert found["culmen_depth_mm"] == pytest.approx(117.084944, abs=1e-4)
    assert found["culmen_length_mm"] == pytest.approx(94.366793, abs=1e-4)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_classes_can_be_explained_apart(bench: Bench, grade: LoadedModel, body_mass: LoadedModel) -> None:
    table = bench.call("ML.GLOBAL_EXPLAIN", grade, class_level_explain=True)
    assert table.column_names == ["grade", "feature", "attribution"]
    assert table.column("grade").to_pylist() == [0, 0, 1, 1, 2, 2]
    with pytest.raises(StatementError, match="classifier"):
        bench.rows("ML.GLOBAL_EXPLAIN", body_mass, class_level_explain=True)


@pytest.mark.parametrize("name", ["price", "sold", "grade", "trees", "forest", "boosted"])
def test_attributions_and_baseline_add_up_to_the_prediction(
    bench: Bench, name: str, request: pytest.FixtureRequest
) -> None:
    model: LoadedModel = request.getfixturevalue(name)
    label = model.manifest["label"]["column"]
    table = bench.call("ML.EXPLAIN_PREDICT", model, ALL, top_k_features=10)
    predicted = bench.call("ML.PREDICT", model, ALL)
    got, expected = (rows.column(f"predicted_{label}").to_pylist() for rows in (table, predicted))
    assert got == (expected if model.manifest["label"]["classes"] else pytest.approx(expected, rel=1e-6))
    assert table.column_names[-7:] == ["id", "size", "colour", "day", "price", "sold", "grade"]
    classes = len(model.manifest["label"]["classes"])
    for row, plain in zip(table.to_pylist(), predicted.to_pylist(), strict=True):
        attributions = [pair["attribution"] for pair in row["top_feature_attributions"]]
        assert attributions == sorted(attributions, key=abs, reverse=True)
        total = row["baseline_prediction_value"] + sum(attributions)
        assert total == pytest.approx(row["prediction_value"], rel=1e-6, abs=1e-5)
        assert row["approximation_error"] == 0.0
        if not classes:
            assert row["prediction_value"] == pytest.approx(row[f"predicted_{label}"], rel=1e-6)
            continue
        probabilities = {pair["label"]: pair["prob"] for pair in plain[f"predicted_{label}_probs"]}
        assert row["probability"] == pytest.approx(probabilities[row[f"predicted_{label}"]], abs=1e-5)
        if classes == 2:
            positive = probabilities[model.manifest["label"]["classes"][1]]
            assert 1 / (1 + math.exp(-row["prediction_value"])) == pytest.approx(positive, abs=1e-5)


def test_only_the_strongest_features_are_listed(bench: Bench, price: LoadedModel) -> None:
    table = bench.call("ML.EXPLAIN_PREDICT", price, ALL, top_k_features=2, wanted=["top_feature_attributions"])
    assert table.column_names == ["top_feature_attributions"]
    assert {len(row) for row in table.column(0).to_pylist()} == {2}
    assert bench.call("ML.EXPLAIN_PREDICT", price, f"{ALL} WHERE id < 0").num_rows == 0


def test_terms_name_the_parts_of_timestamps_and_the_members_of_arrays() -> None:
    parts = ((1, 15), (), (), (), (), (), (2024,))
    plan = FeaturePlan(
        style="linear",
        inputs=(),
        features=(
            Feature(
                name="at",
                column="at",
                kind="timestamp",
                encoding=Instant(seconds=Number(mean=100.0, deviation=4.0), parts=parts),
            ),
            Feature(name="tags", column="tags", kind="texts", encoding=MultiHot(vocabulary=("a", "b"))),
            Feature(name="v", column="v", kind="vector", encoding=Vector(length=2)),
            Feature(name="c", column="c", kind="text", encoding=OneHot(vocabulary=("x", "y"), null=True, dropped=1)),
            Feature(name="d", column="d", kind="text", encoding=OneHot(vocabulary=("z",), null=True, dropped=1)),
        ),
    )
    named = [(term.processed, term.category, term.column) for term in terms_of(plan)]
    assert named == [
        ("at", None, 0),
        ("_TS_DOM_at", "1", 1),
        ("_TS_DOM_at", "15", 2),
        ("_TS_YEAR_at", "2024", 3),
        ("tags", "a", 4),
        ("tags", "b", 5),
        ("v", "0", 6),
        ("v", "1", 7),
        ("c", "x", 8),
        ("c", "y", None),
        ("c", "_null_filler", 9),
        ("d", "z", 10),
        ("d", "_null_filler", None),
    ]
    assert (terms_of(plan)[0].mean, terms_of(plan)[0].deviation) == (100.0, 4.0)


def test_both_of_two_classes_are_explained_alike(bench: Bench, trees: LoadedModel) -> None:
    overall = bench.call("ML.GLOBAL_EXPLAIN", trees).to_pylist()
    by_class = bench.call("ML.GLOBAL_EXPLAIN", trees, class_level_explain=True).to_pylist()
    assert [row.pop("sold") for row in by_class] == ["no"] * 3 + ["yes"] * 3
    assert by_class == overall * 2
