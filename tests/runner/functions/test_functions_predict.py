"""ML.PREDICT and ML.TRANSFORM."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.runner.functions.function_bench import TOY, Bench

from tidemill.analysis.table import Table
from tidemill.core.errors import BindError, DataError, StatementError
from tidemill.registry.versions import LoadedModel
from tidemill.runner.call import FunctionCall, Input
from tidemill.runner.dispatch import TABLE_FUNCTIONS
from tidemill.runner.functions.facts import arrow_type
from tidemill.sql.bound import BoundCall, BoundQuery
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateModel, TransformItem

ALL = f"SELECT * FROM {TOY}"


class Watched:
    """An input that remembers what was asked of it."""

    def __init__(self, inner: Input) -> None:
        self.inner = inner
        self.asked: list[list[str]] = []

    @property
    def schema(self) -> pa.Schema:
        return self.inner.schema

    def rows(self, **asked: Any) -> Any:
        self.asked.append([*(asked.get("select") or ()), *(asked.get("computed") or {})])
        return self.inner.rows(**asked)

    def table(self) -> Table:
        return self.inner.table()


def test_a_regression_gives_its_number_first_and_then_every_input_column(bench: Bench, price: LoadedModel) -> None:
    table = bench.call("ML.PREDICT", price, ALL)
    assert table.column_names == ["predicted_price", "id", "size", "colour", "day", "price", "sold", "grade"]
    assert table.schema.field("predicted_price").type == pa.float64()
    assert table.column("id").to_pylist() == list(range(40))
    error = np.array(table.column("predicted_price")) - np.array(table.column("price"))
    assert np.median(np.abs(error)) < 10


def test_a_classifier_gives_the_label_and_all_probabilities_in_descending_order_of_the_label(
    bench: Bench, grade: LoadedModel
) -> None:
    table = bench.call("ML.PREDICT", grade, ALL, wanted=["predicted_grade", "predicted_grade_probs"])
    assert table.column_names == ["predicted_grade", "predicted_grade_probs"]
    label = table.schema.field("predicted_grade").type
    assert pa.types.is_integer(label)
    assert table.schema.field("predicted_grade_probs").type == pa.list_(
        pa.struct([("label", label), ("prob", pa.float64())])
    )
    for called, probabilities in zip(*(column.to_pylist() for column in table.columns), strict=True):
        assert [pair["label"] for pair in probabilities] == [2, 1, 0]
        assert sum(pair["prob"] for pair in probabilities) == pytest.approx(1.0)
        assert called == max(probabilities, key=lambda pair: pair["prob"])["label"]


def test_the_threshold_moves_the_label_of_two_classes_and_not_the_probabilities(
    bench: Bench, sold: LoadedModel
) -> None:
    half = bench.call("ML.PREDICT", sold, ALL)
    high = bench.call("ML.PREDICT", sold, ALL, threshold=0.99)
    zero = bench.call("ML.PREDICT", sold, ALL, threshold=0.0)
    assert set(half.column("predicted_sold").to_pylist()) == {"yes", "no"}
    assert set(high.column("predicted_sold").to_pylist()) == {"no"}
    assert set(zero.column("predicted_sold").to_pylist()) == {"yes"}
    assert high.column("predicted_sold_probs").equals(half.column("predicted_sold_probs"))
    positive = [row[0]["prob"] for row in half.column("predicted_sold_probs").to_pylist()]
    assert half.column("predicted_sold").to_pylist() == ["yes" if p >= 0.5 else "no" for p in positive]


def test_only_columns_that_the_query_can_see_are_read(bench: Bench, price: LoadedModel) -> None:
    watched = Watched(bench.data(ALL))
    call = FunctionCall(
        function="ML.PREDICT", model=price, inputs=(watched,), wanted=frozenset({"predicted_price", "id"}), threads=1
    )
    table = TABLE_FUNCTIONS["ML.PREDICT"](call).read()
    assert table.column_names == ["predicted_price", "id"]
    assert watched.asked == [["id", "size", "colour", "day"]]


def test_a_query_that_sees_no_prediction_scores_nothing(bench: Bench, price: LoadedModel) -> None:
    watched = Watched(bench.data(ALL))
    call = FunctionCall(function="ML.PREDICT", model=price, inputs=(watched,), wanted=frozenset({"sold"}))
    assert TABLE_FUNCTIONS["ML.PREDICT"](call).read().column_names == ["sold"]
    assert watched.asked == [["sold"]]
    counted = bench.query(
        "SELECT count(*) AS n FROM tm_call_0",
        [
            BoundCall(
                relation="tm_call_0",
                function="ML.PREDICT",
                model="price",
                inputs=(BoundQuery(sql=ALL),),
                wanted=frozenset(),
            )
        ],
    )
    assert counted.to_pylist() == [{"n": 40}]


def test_predictions_can_be_read_twice_and_are_the_same(bench: Bench, trees: LoadedModel) -> None:
    rows = bench.rows("ML.PREDICT", trees, ALL)
    assert rows.read().equals(rows.read())


def test_a_prediction_of_a_prediction_runs_through_the_engine(bench: Bench, price: LoadedModel) -> None:
    inner = BoundCall(
        relation="tm_call_0", function="ML.PREDICT", model=price.name, inputs=(BoundQuery(sql=ALL, ordered=True),)
    )
    outer = BoundCall(
        relation="tm_call_1",
        function="ML.PREDICT",
        model=price.name,
        inputs=(BoundQuery(sql="SELECT * RENAME (predicted_price AS first) FROM tm_call_0", calls=(inner,)),),
        wanted=frozenset({"predicted_price", "first"}),
    )
    table = bench.query("SELECT count(*) AS n, max(abs(predicted_price - first)) AS d FROM tm_call_1", [outer])
    assert table.to_pylist() == [{"n": 40, "d": 0.0}]


def test_no_rows_give_no_predictions_but_the_same_columns(bench: Bench, sold: LoadedModel) -> None:
    empty = bench.call("ML.PREDICT", sold, f"{ALL} WHERE id < 0")
    assert empty.num_rows == 0
    assert empty.schema == bench.call("ML.PREDICT", sold, ALL).schema


def test_columns_are_found_whatever_their_letter_case_and_order(bench: Bench, price: LoadedModel) -> None:
    plain = bench.call("ML.PREDICT", price, f"SELECT size, colour, day FROM {TOY}")
    other = bench.call("ML.PREDICT", price, f"SELECT day AS DAY, colour AS Colour, size AS SIZE FROM {TOY}")
    assert other.column_names == ["predicted_price", "DAY", "Colour", "SIZE"]
    assert other.column("predicted_price").equals(plain.column("predicted_price"))


def test_a_missing_column_is_named_with_the_nearest_and_with_all_that_the_model_needs(
    bench: Bench, price: LoadedModel
) -> None:
    with pytest.raises(BindError) as caught:
        bench.rows("ML.PREDICT", price, f"SELECT size, colour AS color, day FROM {TOY}")
    assert "no column colour" in caught.value.message
    assert "did you mean color?" in caught.value.hint
    assert "size, colour, day" in caught.value.hint
    assert caught.value.facts["missing"] == ["colour"]


def test_a_column_of_another_kind_is_refused_before_a_row_is_read(bench: Bench, price: LoadedModel) -> None:
    with pytest.raises(DataError, match="size") as caught:
        bench.rows("ML.PREDICT", price, f"SELECT 'large' AS size, colour, day FROM {TOY}")
    assert "numbers" in caught.value.message
    assert "CAST(size" in caught.value.hint


@pytest.mark.parametrize("kind", ["FLOAT", "DECIMAL(10, 2)", "BIGINT", "UTINYINT"])
def test_numbers_of_any_width_are_numbers(bench: Bench, price: LoadedModel, kind: str) -> None:
    sql = f"SELECT CAST(4 AS {kind}) AS size, 'red' AS colour, DATE '2024-01-02' AS day"
    same = "SELECT 4.0::DOUBLE AS size, 'red' AS colour, DATE '2024-01-02' AS day"
    (got,), (expected,) = (bench.call("ML.PREDICT", price, text).to_pylist() for text in (sql, same))
    assert got["predicted_price"] == pytest.approx(expected["predicted_price"], rel=1e-5)


def test_a_timestamp_stands_for_a_date_only_at_midnight(bench: Bench, price: LoadedModel) -> None:
    sql = "SELECT 4.0 AS size, 'red' AS colour, TIMESTAMP '2024-01-02 {}' AS day"
    assert bench.call("ML.PREDICT", price, sql.format("00:00:00")).num_rows == 1
    with pytest.raises(DataError, match="day has a time of day"):
        bench.call("ML.PREDICT", price, sql.format("10:30:00"))


def test_an_input_column_named_like_a_prediction_is_refused_when_it_can_be_seen(
    bench: Bench, price: LoadedModel
) -> None:
    sql = f"SELECT *, 1 AS Predicted_Price FROM {TOY}"
    with pytest.raises(BindError, match="Predicted_Price"):
        bench.rows("ML.PREDICT", price, sql)
    assert bench.call("ML.PREDICT", price, sql, wanted=["id"]).column_names == ["id"]


def test_the_published_predictions_of_the_tutorial_come_out_exactly(bench: Bench, body_mass: LoadedModel) -> None:
    sql = """
        SELECT * FROM (VALUES
            ('Gentoo', 'Biscoe', NULL, NULL, NULL, NULL),
            ('Gentoo', 'Biscoe', 46.2, 14.4, 214, NULL),
            ('Gentoo', 'Biscoe', 44.5, 14.3, 216, NULL),
            ('Gentoo', 'Biscoe', 45.2, 16.4, 223, 'MALE'),
            ('Adelie', 'Biscoe', 37.7, 16.0, 183, 'FEMALE')
        ) AS t(species, island, culmen_length_mm, culmen_depth_mm, flipper_length_mm, sex)
    """
    got = bench.call("ML.PREDICT", body_mass, sql).column("predicted_body_mass_g").to_pylist()
    assert got == pytest.approx([4681.782896, 4740.7907, 4731.310452, 5413.510134, 3235.896372], abs=1e-4)


def _transform(clause: str) -> tuple[TransformItem, ...]:
    text = f"CREATE MODEL m TRANSFORM ({clause}) OPTIONS (model_type = 'LINEAR_REG') AS SELECT 1 AS one"
    (statement,) = parse_text(text, file="m.sql", dialect="duckdb")
    assert isinstance(statement, CreateModel)
    return statement.transform


@pytest.fixture(scope="module")
def scaled(bench: Bench) -> LoadedModel:
    return bench.train(
        "scaled",
        "LINEAR_REG",
        f"SELECT size, colour, price FROM {TOY}",
        "price",
        transform=_transform(
            "coalesce(size, 0) / 2 AS half, ML.STANDARD_SCALER(size) OVER () AS size, upper(colour) AS colour, price"
        ),
    )


def test_a_transform_is_computed_from_raw_columns_that_pass_through_unchanged(
    bench: Bench, scaled: LoadedModel
) -> None:
    table = bench.call("ML.PREDICT", scaled, f"SELECT id, size, colour FROM {TOY}")
    assert table.column_names == ["predicted_price", "id", "size", "colour"]
    assert table.column("size").to_pylist()[1:4] == [0.5, 1.0, 1.5]
    assert table.column("colour").to_pylist()[0] == "red"
    with pytest.raises(BindError, match="no column colour"):
        bench.rows("ML.PREDICT", scaled, f"SELECT size FROM {TOY}")


def test_ml_transform_returns_the_columns_of_the_clause_with_the_training_statistics(
    bench: Bench, scaled: LoadedModel
) -> None:
    sizes = [i * 0.5 for i in range(40) if i % 7]
    mean, deviation = np.mean(sizes), np.std(sizes, ddof=1)
    table = bench.call("ML.TRANSFORM", scaled, f"SELECT size, colour, price FROM {TOY} WHERE id = 5")
    assert table.column_names == ["half", "size", "colour", "price"]
    (row,) = table.to_pylist()
    assert row["half"] == 1.25
    assert row["size"] == pytest.approx((2.5 - mean) / deviation)
    assert row["colour"] == "GREEN"
    label = bench.call("ML.TRANSFORM", scaled, f"SELECT price AS PRICE, size, colour FROM {TOY} WHERE id = 5")
    assert label.to_pylist() == [row]
    without = bench.call("ML.TRANSFORM", scaled, f"SELECT size, colour FROM {TOY} WHERE id = 5")
    assert without.column_names == ["half", "size", "colour"]


def test_judging_and_explaining_go_through_the_transform(bench: Bench, scaled: LoadedModel) -> None:
    stored, given = (bench.call("ML.EVALUATE", scaled, sql).to_pylist()[0] for sql in ("", ALL))
    assert given == pytest.approx(stored, rel=1e-9)
    for row in bench.call("ML.EXPLAIN_PREDICT", scaled, ALL).to_pylist():
        attributions = {pair["feature"]: pair["attribution"] for pair in row["top_feature_attributions"]}
        assert set(attributions) == {"half", "size", "colour"}
        total = row["baseline_prediction_value"] + sum(attributions.values())
        assert total == pytest.approx(row["predicted_price"])


def test_ml_transform_without_a_clause_says_what_to_add(bench: Bench, price: LoadedModel) -> None:
    with pytest.raises(StatementError, match="TRANSFORM") as caught:
        bench.rows("ML.TRANSFORM", price, ALL)
    assert "CREATE MODEL" in caught.value.hint


@pytest.mark.parametrize(
    ("expression", "first", "second"),
    [
        ("id % 2 = 0", False, True),
        ("CAST(id % 2 AS TINYINT)", 0, 1),
        ("CAST(id % 2 + 0.5 AS DECIMAL(4, 1))", Decimal("0.5"), Decimal("1.5")),
        ("DATE '2024-01-01' + CAST(id % 2 AS INTEGER)", date(2024, 1, 1), date(2024, 1, 2)),
        ("CAST(id % 2 AS DOUBLE)", 0.0, 1.0),
        ("CASE id % 2 WHEN 0 THEN 'ß' ELSE 'à' END", "ß", "à"),
    ],
)
def test_predictions_are_of_the_labels_own_type(bench: Bench, expression: str, first: Any, second: Any) -> None:
    name = f"label {expression}"
    model = bench.train(name, "LOGISTIC_REG", f"SELECT size, {expression} AS label FROM {TOY}", "label")
    sql = f"SELECT size, {expression} AS label FROM {TOY}"
    table = bench.call("ML.PREDICT", model, sql)
    assert table.schema.field("predicted_label").type == table.schema.field("label").type
    labels = [pair["label"] for pair in table.column("predicted_label_probs").to_pylist()[0]]
    assert labels == [second, first]
    assert bench.call("ML.CONFUSION_MATRIX", model, sql).column("expected_label").to_pylist() == [first, second]
    accuracy = bench.call("ML.EVALUATE", model, sql).to_pylist()[0]["accuracy"]
    agree = [row["label"] == row["predicted_label"] for row in table.to_pylist()]
    assert accuracy == pytest.approx(np.mean(agree))


@pytest.mark.parametrize(
    "kind",
    [
        pa.int8(),
        pa.uint64(),
        pa.float32(),
        pa.float64(),
        pa.bool_(),
        pa.string(),
        pa.large_string(),
        pa.date32(),
        pa.time64("us"),
        pa.timestamp("us"),
        pa.timestamp("us", tz="UTC"),
        pa.timestamp("ns"),
        pa.decimal128(18, 3),
        pa.binary(),
    ],
    ids=str,
)
def test_a_recorded_label_type_is_read_back(kind: pa.DataType) -> None:
    assert arrow_type(str(kind)) == kind


def test_a_dictionary_label_is_predicted_as_its_values() -> None:
    assert arrow_type(str(pa.dictionary(pa.uint8(), pa.string()))) == pa.string()
