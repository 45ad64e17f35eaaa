"""An explanation adds up to the score, in the score's own unit, and shows the values it speaks of."""

from __future__ import annotations

import numpy as np
import pytest
from tests.runner.functions.function_bench import Bench
from tests.serving.online.online_bench import ROWS, json_rows, opened, transform_items

from tidemill.core.errors import StateError
from tidemill.model_types.table import MODEL_TYPES, supported_model_types
from tidemill.serving.online.model import OnlineModel

COLUMNS = "number, whole, colour, yes, day, instant, raw, dense, words, pairs, part"
LABELS = {"regression": ["price"], "classification": ["sold", "grade"]}
KINDS = [(kind, label) for kind in supported_model_types() for label in LABELS.get(MODEL_TYPES[kind].task, [])]


@pytest.mark.parametrize(("kind", "label"), KINDS)
def test_attributions_add_up_to_the_score_behind_the_answer(bench: Bench, kind: str, label: str) -> None:
    sql = f"SELECT {COLUMNS}, {label} FROM {ROWS}"
    online = opened(bench.train(f"explain_{kind}_{label}", kind, sql, label, max_iterations=4))
    rows = json_rows(bench, sql, [given.name for given in online.inputs])[:30]
    parsed = online.rows_of_dicts(rows)
    answers = online.answer(parsed)

    for row, i, found in zip(rows, range(30), online.explain(parsed), strict=True):
        assert found.score == pytest.approx(found.baseline + sum(part.attribution for part in found.attributions))
        sizes = [abs(part.attribution) for part in found.attributions]
        assert sizes == sorted(sizes, reverse=True)
        assert {part.feature for part in found.attributions} == {feature.name for feature in online.plan.features}
        shown = {part.feature: part.value for part in found.attributions}
        assert (shown["number"], shown["day"], shown["raw"]) == (row["number"], row["day"], row["raw"])
        assert shown["part_u"] == (row["part"] and row["part"]["u"])
        if label == "price":
            assert (found.unit, found.explained) == ("price", None)
            assert found.score == pytest.approx(answers.predictions[i], rel=1e-5, abs=1e-4)
        elif label == "sold":
            assert (found.unit, found.explained) == ("log-odds of yes", "yes")
            assert 1 / (1 + np.exp(-found.score)) == pytest.approx(answers.scores[i], abs=1e-5)
        else:
            assert found.unit == f"score of {answers.predictions[i]} before the softmax"
            assert found.prediction == found.explained == answers.predictions[i]


def test_columns_and_rows_are_explained_alike(bench: Bench) -> None:
    sql = f"SELECT {COLUMNS}, price FROM {ROWS}"
    online = opened(bench.train("explain_LINEAR_REG_price", "LINEAR_REG", sql, "price"))
    rows = json_rows(bench, sql, [given.name for given in online.inputs])[:4]
    by_column = {name: [row[name] for row in rows] for name in rows[0]}
    expected = online.explain(online.rows_of_dicts(rows))
    from msgspec.json import encode

    assert online.explain(online.rows_of_body(encode({"columns": by_column}), key="colour")) == expected
    assert online.explain(online.rows_of_body(encode({"rows": rows}), key="other")) == expected


def test_a_time_that_ends_in_utc_is_explained_as_it_is_answered(bench: Bench) -> None:
    online = opened(bench.train("explain_instant", "LINEAR_REG", f"SELECT instant, price FROM {ROWS}", "price"))
    texts = ["1970-01-01T00:00:00Z", "1970-01-01 00:00:00 UTC"]

    plain, utc = online.explain(online.rows_of_dicts([{"instant": text} for text in texts]))

    assert utc.score == plain.score


@pytest.mark.parametrize(
    "text", ["number * 2 AS twice, colour, price", "LOWER(colour) AS l, number * 2 AS twice, price"]
)
def test_the_features_of_a_transform_are_its_columns(bench: Bench, text: str) -> None:
    sql = f"SELECT * FROM {ROWS}"
    model = bench.train(f"explain_{text}", "LINEAR_REG", sql, "price", transform=transform_items(text))
    online = opened(model)
    row = {"number": 3.5, "colour": "RED"}
    parsed = online.rows_of_dicts([row])
    (found,) = online.explain(parsed)
    shown = {part.feature: part.value for part in found.attributions}
    assert shown["twice"] == 7.0
    assert shown.get("l", "red") == "red"
    assert found.score == pytest.approx(online.answer(parsed).predictions[0], rel=1e-5)


def test_a_transform_is_not_explained_where_there_is_no_engine(bench: Bench) -> None:
    model = bench.train(
        "explain_none", "LINEAR_REG", f"SELECT * FROM {ROWS}", "price",
        transform=transform_items("number * 2 AS twice, price"),
    )  # fmt: skip
    online = OnlineModel.open(model.files, name="m", version=1, digest="d")
    with pytest.raises(StateError, match="the engine"):
        online.explain(online.rows_of_dicts([{"number": 1.0}]))
