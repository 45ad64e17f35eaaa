"""A server's answer to JSON is the answer of ML.PREDICT: every model type, every type of column, every TRANSFORM."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.runner.functions.function_bench import Bench
from tests.serving.online.online_bench import ROWS, check_same, opened, transform_items

from tidemill.model_types.table import MODEL_TYPES, supported_model_types

LABELS = {"regression": ["price"], "classification": ["sold", "grade", "good"]}
KINDS = [(kind, label) for kind in supported_model_types() for label in LABELS.get(MODEL_TYPES[kind].task, [])]
COLUMNS = [
    "number", "small", "whole", "money", "colour", "yes", "day", "clock", "moment", "instant", "raw", "dense", "words",
    "pairs", "part",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "label"), KINDS)
def test_every_model_type_answers_rows_of_every_type(bench: Bench, kind: str, label: str) -> None:
    sql = f"SELECT {', '.join(COLUMNS)}, {label} FROM {ROWS}"
    model = bench.train(f"all_{kind}_{label}", kind, sql, label, max_iterations=5)

    check_same(bench, model, sql)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("kind", ["LINEAR_REG", "BOOSTED_TREE_CLASSIFIER"])
def test_a_column_of_any_type_alone_answers_alike(bench: Bench, kind: str, column: str) -> None:
    label = LABELS[MODEL_TYPES[kind].task][0]
    sql = f"SELECT {column}, {label} FROM {ROWS}"
    model = bench.train(f"one_{kind}_{column}", kind, sql, label, max_iterations=3)

    check_same(bench, model, sql)


# What ONNX says, and what only the engine says.
IN_GRAPH = [
    "ML.STANDARD_SCALER(number) OVER() AS z, ML.MIN_MAX_SCALER(whole) OVER() AS m, price",
    "ML.MAX_ABS_SCALER(number) OVER() AS x, ML.ROBUST_SCALER(number) OVER() AS r, price",
    "ML.IMPUTER(number, 'mean') OVER() AS i, ML.IMPUTER(colour, 'most_frequent') OVER() AS t, price",
    "ML.BUCKETIZE(number, [0, 10, 20]) AS b, ML.BUCKETIZE(whole, [0, 10], FALSE, 'bucket_ranges') AS r, price",
    "ML.QUANTILE_BUCKETIZE(number, 4) OVER() AS q, price",
    "ML.POLYNOMIAL_EXPAND({'a': number, 'b': small}, 3) AS p, price",
    "ML.LABEL_ENCODER(colour, 10, 1) OVER() AS l, price",
    "ML.ONE_HOT_ENCODER(colour, 'none', 10, 1) OVER() AS o, price",
    "ML.ONE_HOT_ENCODER(colour, 'most_frequent', 10, 1) OVER() AS o, price",
    "* EXCLUDE (id, number, sold, grade, good), number * 2 AS twice",
    "EXTRACT(MONTH FROM day) AS m, EXTRACT(HOUR FROM moment) AS h, EXTRACT(DOW FROM instant) AS w, price",
    "ML.FEATURE_CROSS({'a': colour, 'b': yes}) AS f, price",
    "colour || '-' || COALESCE(colour, '?') AS j, colour LIKE 'r%' AS s, price",
    "date_diff('month', day, moment) AS m, day - DATE '1969-12-30' AS d, instant < moment AS b, price",
    "CASE WHEN number > 0 AND yes THEN 'up' ELSE 'down' END AS c, COALESCE(whole, 0) AS w, price",
]
OUTSIDE = [
    "ML.HASH_BUCKETIZE(colour, 5) AS h, price",
    "FARM_FINGERPRINT(colour) % 7 AS h, price",
    "ML.MULTI_HOT_ENCODER(words, 10, 1) OVER() AS m, price",
    "ML.NORMALIZER(dense) AS n, price",
    "ML.NGRAMS(words, [1, 2]) AS g, price",
    "LOWER(colour) AS l, UPPER(TRIM(colour)) AS u, LENGTH(colour) AS n, price",
    "colour || '-' || CAST(whole AS VARCHAR) AS j, price",
    "ML.FEATURE_CROSS({'a': colour, 'b': whole, 'c': yes}, 3) AS f, price",
    "ML.BUCKETIZE(whole, [0, 10], FALSE, 'bucket_ranges_json') AS b, LENGTH(colour) AS n, price",
    "colour LIKE 'r%' AS s, regexp_matches(colour, '[aeiou]{2}') AS v, price",
    "date_diff('day', day, DATE '2024-01-01') AS d, EXTRACT(WEEK FROM day) AS w, strftime(moment, '%A') AS a, price",
    "ML.LP_NORM(dense, 2) AS p, len(words) AS n, price",
    "ML.DISTANCE([CAST(small AS DOUBLE), 1.0], [2.0, 3.0]) AS e, number, price",
    "money * 2 AS twice, octet_length(raw) AS n, EXTRACT(SECOND FROM clock) AS s, part.u + 1 AS u, price",
    "instant + INTERVAL 1 DAY AS tomorrow, CAST(day AS VARCHAR) AS text, pairs, price",
]


@pytest.mark.parametrize("text", IN_GRAPH)
@pytest.mark.parametrize("kind", ["LINEAR_REG", "BOOSTED_TREE_REGRESSOR"])
def test_a_transform_that_onnx_can_say_is_in_the_graph(bench: Bench, kind: str, text: str) -> None:
    sql = f"SELECT * FROM {ROWS}"
    model = bench.train(f"{kind}_{text}", kind, sql, "price", transform=transform_items(text), max_iterations=3)

    check_same(bench, model, sql)
    assert model.manifest["onnx"]["inputs"] == "raw"


@pytest.mark.parametrize("text", OUTSIDE)
@pytest.mark.parametrize("kind", ["LINEAR_REG", "BOOSTED_TREE_REGRESSOR"])
def test_a_transform_that_onnx_cannot_say_still_takes_raw_columns(bench: Bench, kind: str, text: str) -> None:
    sql = f"SELECT * FROM {ROWS}"
    model = bench.train(f"{kind}_{text}", kind, sql, "price", transform=transform_items(text), max_iterations=3)

    online = check_same(bench, model, sql)
    assert {given.name for given in online.inputs} <= {*COLUMNS}
    assert model.manifest["onnx"]["inputs"] == "features"


def test_both_graphs_of_trees_answer_alike(bench: Bench) -> None:
    """Without its graph of scores, a version of trees is answered through raw columns."""
    sql = f"SELECT {', '.join(COLUMNS)}, sold FROM {ROWS}"
    model = bench.train("all_BOOSTED_TREE_CLASSIFIER_sold", "BOOSTED_TREE_CLASSIFIER", sql, "sold", max_iterations=5)
    files = {name: data for name, data in model.files.items() if name != "scores.onnx"}

    check_same(bench, replace(model, files=files), sql)


def test_numbers_beyond_float32_are_held_inside_it(bench: Bench) -> None:
    sql = f"SELECT number, whole, sold FROM {ROWS}"
    online = opened(bench.train("huge", "BOOSTED_TREE_CLASSIFIER", sql, "sold", max_iterations=3))
    huge, large = ({"number": value, "whole": None} for value in (1e300, 3e38))
    for rows in ([huge], [huge, huge]):
        found = online.answer(online.rows_of_dicts(rows)).scores
        assert found.tolist() == online.answer(online.rows_of_dicts([large] * len(rows))).scores.tolist()
