"""Scalar ML functions in queries, against the samples BigQuery ML's pages publish."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tidemill.core.errors import BindError, StatementError, UnsupportedError
from tidemill.sql.dialects import generate
from tidemill.sql.functions import ML_FUNCTIONS
from tidemill.sql.parse import parse_text
from tidemill.sql.scalars import rewrite_scalars
from tidemill.sql.scalars_sql import BUILDERS
from tidemill.sql.statements import Select


def rows(sql: str, dialect: str = "bigquery") -> list[tuple[Any, ...]]:
    statement = parse_text(sql, file="query.sql", dialect=dialect)[0]
    assert isinstance(statement, Select)
    return duckdb.sql(generate(rewrite_scalars(statement.query.tree.copy()), "duckdb")).fetchall()


def values(expression: str, data: list[Any], dialect: str = "bigquery") -> list[Any]:
    listed = ", ".join("NULL" if item is None else repr(item) for item in data)
    table = f"UNNEST([{listed}]) AS x" if dialect == "bigquery" else f"(SELECT unnest([{listed}]) AS x)"
    return [row[0] for row in rows(f"SELECT {expression} AS y FROM {table}", dialect)]


@pytest.mark.parametrize("dialect", ["bigquery", "duckdb"])
@pytest.mark.parametrize(
    ("expression", "data", "expected"),
    [
        ("ML.STANDARD_SCALER(x) OVER()", [1, 2, 3, 4, 5], [-1.2649, -0.6325, 0, 0.6325, 1.2649]),
        ("ML.MIN_MAX_SCALER(x) OVER()", [1, 2, 3, 4, 5], [0, 0.25, 0.5, 0.75, 1]),
        ("ML.MAX_ABS_SCALER(x) OVER()", [-4, 1, 2], [-1, 0.25, 0.5]),
        ("ML.ROBUST_SCALER(x) OVER()", [-3, 1, 2, 3, 4, 5], [-1.6667, -0.3333, 0, 0.3333, 0.6667, 1]),
        ("ML.ROBUST_SCALER(x, [25, 75], FALSE, FALSE) OVER()", [1, 2], [1, 2]),
        ("ML.IMPUTER(x, 'mean') OVER()", [1, 2, None], [1, 2, 1.5]),
        ("ML.IMPUTER(x, 'median') OVER()", [1, 2, 9, None], [1, 2, 9, 2]),
        ("ML.IMPUTER(x, 'most_frequent') OVER()", [5, 7, 7, None], [5, 7, 7, 7]),
        ("ML.STANDARD_SCALER(x) OVER()", [3, 3, 3], [0, 0, 0]),
        ("ML.MIN_MAX_SCALER(x) OVER()", [3, 3], [0, 0]),
    ],
)
def test_a_scaler_gives_the_published_numbers(
    expression: str, data: list[float], expected: list[float], dialect: str
) -> None:
    assert values(expression, data, dialect) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("expression", "data", "expected"),
    [
        ("ML.BUCKETIZE(x, [1, 2, 3])", [2.5, 0.5, 3, None], ["bin_3", "bin_1", "bin_4", None]),
        ("ML.BUCKETIZE(x, [1, 2, 3], TRUE)", [2.5, 0.5], ["bin_2", "bin_1"]),
        ("ML.BUCKETIZE(x, [1, 2, 3], FALSE, 'bucket_ranges')", [2.5, 0.5, 9], ["[2, 3)", "(-inf, 1)", "[3, +inf)"]),
        (
            "ML.BUCKETIZE(x, [2.5], FALSE, 'bucket_ranges_json')",
            [1, 3],
            ['{"start": "-Infinity", "end": "2.5"}', '{"start": "2.5", "end": "Infinity"}'],
        ),
        ("ML.QUANTILE_BUCKETIZE(x, 3) OVER()", [1, 2, 3, 4, 5], ["bin_1", "bin_2", "bin_2", "bin_3", "bin_3"]),
        ("ML.QUANTILE_BUCKETIZE(x, 2, 'bucket_ranges') OVER()", [1, 2, 3], ["(-inf, 2)", "[2, +inf)", "[2, +inf)"]),
        (
            "ML.QUANTILE_BUCKETIZE(x, 2, 'bucket_ranges_json') OVER()",
            [1, 2],
            ['{"start": "1", "end": "Infinity"}', '{"start": "1", "end": "Infinity"}'],
        ),
        ("ML.LABEL_ENCODER(x, 2, 2) OVER()", ["c", "b", "b", "a", "a", "a", None], [0, 2, 2, 1, 1, 1, 0]),
        ("ML.LABEL_ENCODER(x) OVER()", ["b", "a"], [0, 0]),
        (
            "ML.ONE_HOT_ENCODER(x, 'most_frequent', 10, 0) OVER()",
            ["b", "a", "a", "z"],
            [
                [{"index": 2, "value": 1.0}],
                [{"index": 1, "value": 0.0}],
                [{"index": 1, "value": 0.0}],
                [{"index": 3, "value": 1.0}],
            ],
        ),
    ],
)
def test_a_bucket_or_code_is_the_published_one(expression: str, data: list[Any], expected: list[Any]) -> None:
    assert values(expression, data) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ML.DISTANCE([4.1, 0.5, 1.0], [3.0, 0.0, 2.5])", 1.926136028425822),
        ("ML.DISTANCE([4.1, 0.5, 1.0], [3.0, 0.0, 2.5], 'MANHATTAN')", 3.1),
        ("ML.DISTANCE([1.0, 0.0], [0.0, 1.0], 'COSINE')", 1.0),
        ("ML.DISTANCE(NULL, [0.0, 1.0])", None),
        ("ML.LP_NORM([1.0, 2.0, 3.0], 0.0)", 3.0),
        ("ML.LP_NORM([1.0, 2.0, 3.0], 1.0)", 6.0),
        ("ML.LP_NORM([3.0, 4.0], 2.0)", 5.0),
        ("ML.LP_NORM([1.0, 2.0, 3.0], 3.0)", 3.3019272488946263),
        ("ML.LP_NORM([1.0, -7.0], CAST('+inf' AS FLOAT64))", 7.0),
        ("ML.NORMALIZER([4.0, 1.0, 2.0, 2.0, 0.0])", [0.8, 0.2, 0.4, 0.4, 0.0]),
        ("ML.NORMALIZER([0.0, 0.0])", [0.0, 0.0]),
    ],
)
def test_vectors_have_the_published_lengths(expression: str, expected: object) -> None:
    assert rows(f"SELECT {expression} AS y")[0][0] == (None if expected is None else pytest.approx(expected))


def test_a_column_named_like_a_variable_is_still_the_column() -> None:
    assert rows("SELECT ML.DISTANCE(e, i, 'MANHATTAN') FROM (SELECT [1.0] AS e, [3.0] AS i)") == [(2.0,)]
    assert rows("SELECT ML.NORMALIZER(i) FROM (SELECT [3.0, 4.0] AS i)") == [([0.6, 0.8],)]


def test_neighbouring_terms_come_in_the_published_order() -> None:
    assert rows("SELECT ML.NGRAMS(['a', 'b', 'c'], [2, 3], '#')") == [(["a#b", "a#b#c", "b#c"],)]
    assert rows("SELECT ML.NGRAMS(['a', 'b'], 1)") == [(["a", "b"],)]


def test_products_of_a_struct_have_the_published_names_and_order() -> None:
    found = rows("SELECT ML.POLYNOMIAL_EXPAND(STRUCT(2 AS f1, 3 AS f2)) AS y")[0][0]
    assert list(found.items()) == [("f1", 2.0), ("f1_f1", 4.0), ("f1_f2", 6.0), ("f2", 3.0), ("f2_f2", 9.0)]


def test_crosses_of_a_struct_leave_single_columns_out() -> None:
    sql = "SELECT ML.FEATURE_CROSS(STRUCT(a, b, c), 3) AS y FROM (SELECT 'x' AS a, 'y' AS b, 1 AS c)"
    found = rows(sql)[0][0]
    assert found == {"a_b": "x_y", "a_b_c": "x_y_1", "a_c": "x_1", "b_c": "y_1"}


def test_a_duckdb_struct_literal_crosses_as_well() -> None:
    found = rows("SELECT ML.FEATURE_CROSS({'p': a, 'q': b}) AS y FROM (SELECT 'x' AS a, 'y' AS b)", "duckdb")
    assert found == [({"p_q": "x_y"},)]


def test_a_function_may_stand_inside_another_one() -> None:
    found = values("ML.BUCKETIZE(ML.MIN_MAX_SCALER(x + 1) OVER(), [0.5])", [1, 2, 3])
    assert found == ["bin_1", "bin_2", "bin_2"]


@pytest.mark.parametrize(
    ("sql", "message", "column"),
    [
        ("SELECT ML.STANDARD_SCALER(x) FROM t", "ML.STANDARD_SCALER needs OVER()", 8),
        (
            "SELECT ML.STANDARD_SCALER(x) OVER(PARTITION BY y) FROM t",
            "ML.STANDARD_SCALER takes an empty OVER(): its statistics are those of all rows",
            8,
        ),
        ("SELECT ML.LP_NORM(x, 2) OVER() FROM t", "ML.LP_NORM looks at one row: it takes no OVER()", 8),
        ("SELECT 1, ML.LP_NORM(x) FROM t", "ML.LP_NORM takes 2 arguments, not 1", 11),
        ("SELECT ML.LP_NORM(x, 0.5) FROM t", None, 8),
        ("SELECT ML.LP_NORM(x, p => 2) FROM t", "ML.LP_NORM takes its arguments by their order, not by name", 8),
        ("SELECT ML.BUCKETIZE(x, [1], y) FROM t", "ML.BUCKETIZE: exclude_boundaries is TRUE or FALSE", 8),
        ("SELECT ML.DISTANCE(x, y, 'ODD') FROM t", None, 8),
        ("SELECT ML.POLYNOMIAL_EXPAND(STRUCT(a + b)) FROM t", None, 8),
        ("SELECT ML.POLYNOMIAL_EXPAND(a) FROM t", None, 8),
        ("SELECT ML.IMPUTER(x, 'mode') OVER() FROM t", None, 8),
        ("SELECT ML.STANDARD_SCALR(x) OVER() FROM t", "there is no function ML.STANDARD_SCALR", 8),
    ],
)
def test_a_wrong_call_says_what_the_function_takes(sql: str, message: str | None, column: int) -> None:
    with pytest.raises(BindError) as caught:
        rows(sql)
    assert caught.value.where is not None
    assert caught.value.where.column == column
    if message:
        assert caught.value.message == message


@pytest.mark.parametrize(
    "call",
    ["ML.MULTI_HOT_ENCODER(x) OVER()", "ML.TF_IDF(x) OVER()", "AI.GENERATE('hello')"],
)
def test_what_a_query_cannot_say_is_refused_with_a_reason(call: str) -> None:
    with pytest.raises(UnsupportedError, match="supported"):
        rows(f"SELECT {call} FROM t")


def test_a_table_function_in_an_expression_points_to_from() -> None:
    with pytest.raises(StatementError, match="stands in FROM"):
        rows("SELECT ML.WEIGHTS('m')")


def test_each_supported_scalar_function_has_its_sql() -> None:
    scalars = {row.name for row in ML_FUNCTIONS.values() if row.kind != "table" and row.status != "rejected"}
    assert set(BUILDERS) == scalars
