"""BigQuery's functions keep their meaning in the engine: values as its documentation gives them."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from tidemill.sql.bind import bind_query
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateModel, CreateTable, Select
from tidemill.warehouse.duckdb.scalar_functions import add_functions

KNOWN: list[tuple[str, Any]] = [
    ("EXTRACT(DAYOFWEEK FROM DATE '2024-01-07')", 1),
    ("EXTRACT(DAYOFWEEK FROM DATE '2024-01-06')", 7),
    ("EXTRACT(WEEK FROM DATE '2024-01-06')", 0),
    ("EXTRACT(WEEK FROM DATE '2024-01-07')", 1),
    ("EXTRACT(ISOWEEK FROM DATE '2024-01-07')", 1),
    ("EXTRACT(DAYOFYEAR FROM DATE '2024-02-01')", 32),
    ("EXTRACT(HOUR FROM TIMESTAMP '2024-02-01 05:00:00')", 5),
    ("EXTRACT(DATE FROM TIMESTAMP '2024-02-01 05:00:00')", date(2024, 2, 1)),
    ("EXTRACT(TIME FROM DATETIME '2024-02-01 05:00:00')", time(5)),
    ("DATE_TRUNC(DATE '2024-01-10', WEEK)", date(2024, 1, 7)),
    ("DATE_TRUNC(DATE '2024-01-10', WEEK(MONDAY))", date(2024, 1, 8)),
    ("CAST(DATE_TRUNC(DATE '2024-01-10', MONTH) AS STRING)", "2024-01-01"),
    ("DATE_ADD(DATE '2024-01-31', INTERVAL 1 MONTH)", date(2024, 2, 29)),
    ("CAST(DATE_SUB(DATE '2024-01-02', INTERVAL 1 DAY) AS STRING)", "2024-01-01"),
    ("DATE_DIFF(DATE '2024-03-01', DATE '2024-01-31', MONTH)", 2),
    ("DATE_DIFF(DATE '2024-01-07', DATE '2024-01-06', WEEK)", 1),
    ("TIMESTAMP_DIFF(TIMESTAMP '2024-01-01 01:30:00', TIMESTAMP '2024-01-01 00:45:00', HOUR)", 0),
    ("PARSE_DATE('%d/%m/%Y', '02/01/2024')", date(2024, 1, 2)),
    ("FORMAT_DATE('%Y-%m', DATE '2024-01-02')", "2024-01"),
    ("UNIX_SECONDS(TIMESTAMP '1970-01-02 00:00:00')", 86400),
    ("CURRENT_DATETIME() IS NOT NULL", True),
    ("FORMAT('%05.2f of %d %s', 3.14159, 5, 'x')", "03.14 of 5 x"),
    ("LOG(100)", pytest.approx(4.605170185988092)),
    ("LOG(8, 2)", pytest.approx(3.0)),
    ("DIV(-7, 2)", -3),
    ("MOD(-7, 3)", -1),
    ("7 / 2", pytest.approx(3.5)),
    ("SAFE_DIVIDE(1, 0)", None),
    ("IEEE_DIVIDE(1, 2)", pytest.approx(0.5)),
    ("GREATEST(1, NULL)", None),
    ("CAST(2.5 AS INT64)", 3),
    ("SAFE_CAST('x' AS INT64)", None),
    ("CAST(NUMERIC '1.123456789' AS STRING)", "1.123456789"),
    ("GENERATE_ARRAY(0, 1, 0.25)[OFFSET(1)]", pytest.approx(0.25)),
    ("ARRAY_LENGTH(GENERATE_ARRAY(0, 1, 0.1))", 11),
    ("SPLIT('a,b', ',')[OFFSET(1)]", "b"),
    ("SUBSTR('abcdef', -3, 2)", "de"),
    ("BYTE_LENGTH('é')", 2),
    (r"REGEXP_EXTRACT('a12', r'(\d+)')", "12"),
    (r"REGEXP_EXTRACT('a', r'(\d+)')", None),
    ("(SELECT SUM(x) FROM UNNEST([1, 2, 3]) AS x)", 6),
    ("3 IN UNNEST([1, 2, 3])", True),
    ("SAFE.LN(-1)", None),
    ("RANGE_BUCKET(20, [0, 10, 20, 30])", 3),
    ("IF(NULL, 1, 2)", 2),
    ("""(SELECT JSON_VALUE('{"a": "b"}', '$.a'))""", "b"),
    ("\"say 'hi'\"", "say 'hi'"),
    ("FARM_FINGERPRINT('foo')", 6150913649986995171),
    ("FARM_FINGERPRINT(b'foo')", 6150913649986995171),
    ("FARM_FINGERPRINT(CAST('alphabet' AS BYTES))", -2427165924636348523),
    ("MOD(ABS(FARM_FINGERPRINT('UserCustomerID + salt')), 100)", 43),
    ("FARM_FINGERPRINT(CAST(NULL AS STRING))", None),
    ("ML.HASH_BUCKETIZE('b', 3)", 1),
    ("ML.HASH_BUCKETIZE('1footrue', 0)", -1541654101129638711),
    ("ML.BUCKETIZE(2.5, GENERATE_ARRAY(1, 3, 1))", "bin_3"),
    ("ML.BUCKETIZE(2.5, GENERATE_ARRAY(1, 3), TRUE)", "bin_2"),
    ("SAFE_ADD(9223372036854775807, 1)", None),
    ("SAFE_SUBTRACT(5, 3)", 2),
    ("SAFE_MULTIPLY(9223372036854775807, 2)", None),
    ("SAFE_NEGATE(4)", -4),
    ("PARSE_NUMERIC(' 1.5 ')", Decimal("1.5")),
    ("0.1 + 0.2", pytest.approx(0.30000000000000004, abs=0)),
    ("CAST(CAST(2.5 AS FLOAT64) AS INT64)", 3),
    ("CAST(-2.5 AS INT64)", -3),
    ("SAFE_CAST('7' AS INT64)", 7),
    ("CAST(1.0 AS STRING)", "1"),
    ("CAST(100.0 AS STRING)", "100"),
    ("CAST(NUMERIC '1.50' AS STRING)", "1.5"),
    ("CAST('v1.0' AS STRING)", "v1.0"),
    ("CAST(TRUE AS STRING)", "true"),
    ("(SELECT SUM(x * o) FROM UNNEST([10, 20]) AS x WITH OFFSET AS o)", 20),
    ("(SELECT SUM(offset) FROM UNNEST([10, 20, 30]) AS x WITH OFFSET)", 3),
    ("(SELECT MAX(o) FROM UNNEST(ARRAY(SELECT 1 UNION ALL SELECT 2)) AS x WITH OFFSET AS o)", 1),
    ("(SELECT SUM(a) FROM UNNEST([STRUCT(1 AS a, 'x' AS b), (2, 'y')]))", 3),
    ("(SELECT STRING_AGG(s.b, '' ORDER BY a) FROM UNNEST([STRUCT(1 AS a, 'x' AS b), (2, 'y')]) AS s)", "xy"),
    ("(SELECT ARRAY_AGG(x ORDER BY x DESC LIMIT 2) FROM UNNEST([3, 1, 2]) AS x)", [3, 2]),
    ("(SELECT ARRAY_AGG(x IGNORE NULLS ORDER BY x LIMIT 1)[OFFSET(0)] FROM UNNEST([3, NULL, 2]) AS x)", 2),
    ("ARRAY_FIRST([4, 5])", 4),
    ("ARRAY_LAST([4, 5])", 5),
    ("GENERATE_ARRAY(5, 1, -2)", [5, 3, 1]),
    ("(SELECT ARRAY_LENGTH(GENERATE_ARRAY(low, high, step)) FROM (SELECT 0.5 AS low, 2 AS high, 0.5 AS step))", 4),
    ("RANGE_BUCKET(NULL, [0, 10])", None),
    ("EXTRACT(MILLISECOND FROM TIMESTAMP '2024-05-05 07:08:09.123')", 123),
    ("DATE_FROM_UNIX_DATE(10)", date(1970, 1, 11)),
    ("SUBSTR('abc', 0, 2)", "ab"),
    ("FORMAT('%t and %T', 3, 'x')", "3 and x"),
    ('FORMAT("%\'d", 12345)', "12,345"),
    ("FORMAT('%.1f%% of %s', 3, 'x')", "3.0% of x"),
]


@pytest.mark.parametrize(("expression", "value"), KNOWN, ids=[expression for expression, _ in KNOWN])
def test_a_function_gives_the_value_bigquery_documents(expression: str, value: object) -> None:
    (statement,) = parse_text(f"SELECT {expression}", file="a.sql", dialect="bigquery")
    assert isinstance(statement, Select)
    sql = bind_query(statement.query, views={}).sql
    with duckdb.connect() as con:
        con.execute("SET timezone = 'UTC'")
        add_functions(con)
        row = con.execute(sql).fetchone()
    assert row == (value,)


def test_time_travel_and_projects_are_said_as_the_lake_says_them() -> None:
    text = "SELECT p.d.t.a FROM p.d.t FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 00:00:00 UTC'"
    (statement,) = parse_text(text, file="a.sql", dialect="bigquery")
    assert isinstance(statement, Select)
    bound = bind_query(statement.query, views={})
    assert bound.tables == ("d.t",)
    assert bound.sql == ("SELECT d.t.a FROM d.t AT (TIMESTAMP => CAST('2024-01-01 00:00:00 UTC' AS TIMESTAMPTZ))")


def test_a_transform_has_the_same_meaning() -> None:
    text = "CREATE MODEL m TRANSFORM(EXTRACT(DAYOFWEEK FROM d) AS dow, y) OPTIONS(model_type='linear_reg') AS SELECT 1"
    (statement,) = parse_text(text, file="a.sql", dialect="bigquery")
    assert isinstance(statement, CreateModel)
    assert statement.transform[0].sql == "(DAYOFWEEK(d) + 1)"


def answer(text: str) -> duckdb.DuckDBPyRelation:
    """What the engine makes of a query in BigQuery's SQL."""
    (statement,) = parse_text(text, file="a.sql", dialect="bigquery")
    assert isinstance(statement, Select)
    return duckdb.sql(bind_query(statement.query, views={}).sql)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT 1, 'a' AS b, COUNT(*)", ["f0_", "b", "f1_"]),
        ("WITH t AS (SELECT 1 AS x) SELECT x, (x), t.x AS y, x + 1 FROM t", ["x", "x", "y", "f0_"]),
        ("SELECT 1 UNION ALL SELECT 2 AS named", ["f0_"]),
        ("(SELECT MAX(x) FROM UNNEST([1, 2]) AS x)", ["f0_"]),
        ("SELECT s.a, [s][OFFSET(0)].a AS again, s.a + 1 FROM (SELECT STRUCT(1 AS a) AS s)", ["a", "again", "f0_"]),
        ("SELECT *, 1 FROM (SELECT 2 AS x)", ["x", "f0_"]),
    ],
)
def test_unnamed_columns_are_numbered_as_in_bigquery(text: str, names: list[str]) -> None:
    assert answer(text).columns == names


def test_the_columns_of_a_new_table_are_numbered_too() -> None:
    (statement,) = parse_text("CREATE TABLE t AS SELECT 1, 2", file="a.sql", dialect="bigquery")
    assert isinstance(statement, CreateTable)
    assert bind_query(statement.query, views={}).sql == "SELECT 1 AS f0_, 2 AS f1_"


@pytest.mark.parametrize(
    "expression",
    [
        "1 / zero",
        "1.5 / zero",
        "1 / 0",
        "zero / (zero - 0)",
        "1 / (SELECT zero)",
        "MOD(1, zero)",
        "DIV(1, zero)",
        "SUM(1) / SUM(zero)",
    ],
)
def test_division_by_zero_raises_as_in_bigquery(expression: str) -> None:
    with pytest.raises(duckdb.Error, match="division by zero"):
        answer(f"SELECT {expression} FROM (SELECT 0 AS zero) GROUP BY zero").fetchall()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("SAFE_DIVIDE(1, zero)", None),
        ("IEEE_DIVIDE(1, zero)", float("inf")),
        ("IF(zero = 0, 7, 1 / zero)", 7),
        ("1 / NULLIF(zero, 0)", None),
        ("1 / CAST(NULL AS INT64)", None),
        ("8 / 2 / two", 2),
        ("SAFE.LN(two / two)", 0),
        ("SAFE_ADD(1, two / two)", 2),
    ],
)
def test_division_that_is_looked_after_does_not_raise(expression: str, value: float | None) -> None:
    assert answer(f"SELECT {expression} FROM (SELECT 0 AS zero, 2 AS two)").fetchall() == [(value,)]


def test_a_quotient_may_be_grouped_by_however_it_is_written() -> None:
    text = "SELECT X / y, COUNT(*) FROM (SELECT 4 AS x, 2 AS y) GROUP BY x / Y HAVING x / y > 1 ORDER BY x / y"

    assert answer(text).fetchall() == [(2.0, 1)]


@pytest.mark.parametrize(
    "index", ["OFFSET(2)", "OFFSET(-1)", "ORDINAL(0)", "ORDINAL(3)", "OFFSET(two)", "ORDINAL(-two)"]
)
@pytest.mark.parametrize("array", ["['a', 'b']", "ARRAY(SELECT 'a' UNION ALL SELECT 'b')"])
def test_a_place_an_array_does_not_have_raises_and_is_null_when_safe(array: str, index: str) -> None:
    rows = "FROM (SELECT 2 AS two)"
    with pytest.raises(duckdb.Error, match="out of bounds"):
        answer(f"SELECT {array}[{index}] {rows}").fetchall()

    assert answer(f"SELECT {array}[SAFE_{index}] {rows}").fetchall() == [(None,)]


@pytest.mark.parametrize("word", ["", "SAFE_"])
def test_an_index_that_is_a_column_counts_like_one_that_is_written_out(word: str) -> None:
    rows = "FROM UNNEST([0, 1]) AS i ORDER BY i"

    found = answer(f"SELECT ['a', 'b'][{word}OFFSET(i)], ['a', 'b'][{word}ORDINAL(i + 1)] {rows}").fetchall()

    assert found == [("a", "a"), ("b", "b")]


def test_a_transform_does_not_raise_for_zero() -> None:
    text = "CREATE MODEL m TRANSFORM(a / b AS q, y) OPTIONS(model_type='linear_reg') AS SELECT 1"
    (statement,) = parse_text(text, file="a.sql", dialect="bigquery")
    assert isinstance(statement, CreateModel)
    assert statement.transform[0].sql == "a / b"
