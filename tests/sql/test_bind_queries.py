"""Queries become engine SQL: calls cut out, views read in place, other dialects translated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pytest

from tidemill.core.errors import BindError, OptionError, ParseError, TidemillError, UnsupportedError
from tidemill.sql.bind import bind_query
from tidemill.sql.bound import BoundCall, BoundQuery
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateView, Query, Select


def read(text: str, dialect: str = "duckdb") -> Query:
    (statement,) = parse_text(text, file="a.sql", dialect=dialect)
    assert isinstance(statement, Select)
    return statement.query


def read_views(text: str, dialect: str = "duckdb") -> dict[str, Query]:
    statements = parse_text(text, file="v.sql", dialect=dialect)
    return {view.name: view.query for view in statements if isinstance(view, CreateView)}


def bind(text: str, dialect: str = "duckdb", views: Mapping[str, Query] | None = None) -> BoundQuery:
    return bind_query(read(text, dialect), views=views or {})


def call_of(text: str, dialect: str = "duckdb") -> BoundCall:
    (call,) = bind(text, dialect).calls
    return call


def refuse(text: str, dialect: str = "duckdb", views: Mapping[str, Query] | None = None) -> TidemillError:
    with pytest.raises(TidemillError) as caught:
        bind(text, dialect, views)
    return caught.value


def run(bound: BoundQuery, **tables: str) -> list[Any]:
    """Rows of a bound query, its relations and tables standing for the given SELECTs."""
    with duckdb.connect() as con:
        for name, query in tables.items():
            con.execute(f"CREATE TABLE {name} AS {query}")
        return con.execute(bound.sql).fetchall()


PROBS = (
    "SELECT 1 AS id, 'b' AS predicted_y, "
    "[{'label': 'b', 'prob': 0.7}, {'label': 'a', 'prob': 0.3}] AS predicted_y_probs "
    "UNION ALL SELECT 2, 'a', [{'label': 'b', 'prob': 0.2}, {'label': 'a', 'prob': 0.8}]"
)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a, -- why\n  b FROM t WHERE x = 'ML.PREDICT('",
        "FROM t SELECT COLUMNS('x.*'), list_filter(l, x -> x > 1)[1]",
        "SELECT * FROM t AT (VERSION => 3) ASOF JOIN u ON t.a >= u.a",
        "WITH w AS (SELECT 1) SELECT $$ d $$, E'\\n' FROM 'x.csv'",
    ],
)
def test_a_query_of_the_engine_keeps_its_text(text: str) -> None:
    assert bind(text).sql == text


def test_only_the_call_is_replaced_in_a_query_of_the_engine() -> None:
    bound = bind(
        "SELECT id, -- why\n  list_sort(p.x, 'DESC') FROM ML.PREDICT(MODEL m, (FROM t WHERE a > 1)) AS p -- end"
    )
    assert bound.sql == "SELECT id, -- why\n  list_sort(p.x, 'DESC') FROM \"tm_call_0\" AS p"
    assert bound.calls[0].inputs[0].sql == "(FROM t WHERE a > 1)"


def test_calls_nest_in_the_data_of_calls() -> None:
    bound = bind("SELECT x FROM ML.PREDICT(MODEL s.outer_, (SELECT * FROM ML.PREDICT(MODEL inner_, TABLE s.t)))")
    (outer,) = bound.calls
    (inner,) = outer.inputs[0].calls
    assert (outer.relation, outer.model, inner.relation, inner.model) == (
        "tm_call_0",
        "s.outer_",
        "tm_call_1",
        "inner_",
    )
    assert outer.inputs[0].sql == '(SELECT * FROM "tm_call_1")'
    assert inner.inputs[0].sql == "SELECT * FROM s.t"
    assert (bound.tables, bound.models) == (("s.t",), ("s.outer_", "inner_"))


def test_calls_stand_wherever_a_table_may() -> None:
    bound = bind(
        "WITH w AS (SELECT * FROM ML.WEIGHTS(MODEL m)) SELECT (SELECT roc_auc FROM ML.EVALUATE(MODEL m)) FROM w "
        "JOIN ML.FEATURE_INFO(MODEL m) f ON TRUE WHERE EXISTS (SELECT 1 FROM ML.TRAINING_INFO(MODEL m))"
    )
    assert {call.function for call in bound.calls} == {
        "ML.WEIGHTS",
        "ML.EVALUATE",
        "ML.FEATURE_INFO",
        "ML.TRAINING_INFO",
    }
    assert len({call.relation for call in bound.calls}) == 4
    assert "ML." not in bound.sql


@pytest.mark.parametrize(
    "arguments",
    [
        "MODEL m, TABLE t, STRUCT(0.3 AS threshold)",
        "MODEL m, STRUCT(0.3 AS threshold), TABLE t",
        "MODEL m, {'threshold': 0.3}, (SELECT * FROM t)",
        "MODEL m, TABLE t, threshold => 0.3",
        "model m, threshold := 0.3, table t",
        "MODEL m, TABLE t, STRUCT<threshold DOUBLE>(0.3)",
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
def test_settings_and_data_stand_in_any_order_and_form(arguments: str, dialect: str) -> None:
    if dialect == "bigquery":
        arguments = arguments.replace("DOUBLE", "FLOAT64")
    call = call_of(f"SELECT * FROM ml.Predict({arguments})", dialect)
    assert (call.function, call.model, call.settings["threshold"]) == ("ML.PREDICT", "m", 0.3)
    assert len(call.inputs) == 1


def test_thresholds_of_a_roc_curve_are_worked_out() -> None:
    call = call_of("SELECT * FROM ML.ROC_CURVE(MODEL m, TABLE t, GENERATE_ARRAY(0.4, 0.6, 0.1))", "bigquery")
    assert call.arguments[0] == pytest.approx([0.4, 0.5, 0.6])
    assert call_of("SELECT * FROM ML.ROC_CURVE(MODEL m, TABLE t, [0.25, 0.5])").arguments == ([0.25, 0.5],)


def test_a_call_knows_its_place() -> None:
    call = call_of("SELECT *\n  FROM ML.EVALUATE(MODEL m)")
    assert call.where is not None
    assert (call.where.file, call.where.line, call.where.column, call.where.length) == ("a.sql", 2, 8, 20)


def test_data_takes_the_with_clauses_it_names_along() -> None:
    bound = bind(
        "WITH raw AS (SELECT 1 AS a), twice AS (SELECT a * 2 AS a FROM raw), other AS (SELECT 3 AS b) "
        "SELECT p.a, o.b FROM ML.PREDICT(MODEL m, TABLE twice) AS p, other AS o"
    )
    (data,) = bound.calls[0].inputs
    assert run(data) == [(2,)]
    assert "raw" not in bound.sql
    assert run(bound, tm_call_0="SELECT 2 AS a") == [(2, 3)]


def test_a_with_clause_may_have_the_name_of_a_table() -> None:
    bound = bind("WITH t AS (SELECT * FROM t WHERE a > 1) SELECT a FROM ML.PREDICT(MODEL m, TABLE t)")
    assert bound.tables == ("t",)
    assert run(bound.calls[0].inputs[0], t="SELECT unnest([1, 2, 3]) AS a") == [(2,), (3,)]


def test_data_with_its_own_with_clause_keeps_both_levels() -> None:
    bound = bind(
        "WITH x AS (SELECT 5 AS a) SELECT a FROM "
        "ML.PREDICT(MODEL m, (WITH y AS (SELECT a + 1 AS a FROM x) SELECT * FROM y))"
    )
    assert run(bound.calls[0].inputs[0]) == [(6,)]


def test_recursive_clauses_are_carried_as_recursive() -> None:
    bound = bind(
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 4) "
        "SELECT * FROM ML.PREDICT(MODEL m, TABLE r)"
    )
    assert run(bound.calls[0].inputs[0]) == [(1,), (2,), (3,), (4,)]


def test_a_clause_with_a_call_serves_the_query_and_other_data() -> None:
    bound = bind(
        "WITH p AS (SELECT id, y FROM ML.PREDICT(MODEL a, TABLE t)) "
        "SELECT p.y, q.z FROM p JOIN ML.PREDICT(MODEL b, TABLE p) AS q USING (id)"
    )
    by_model = {call.model: call for call in bound.calls}
    assert set(by_model) == {"a", "b"}
    assert [call.model for call in by_model["b"].inputs[0].calls] == ["a"]


def test_views_are_read_in_place_through_each_other() -> None:
    views = read_views(
        "CREATE VIEW base AS SELECT id, x FROM t -- all\n; CREATE VIEW s.big AS SELECT * FROM base WHERE x > 1;"
        "CREATE VIEW named (a, b) AS SELECT id, x FROM s.big"
    )
    bound = bind("SELECT named.b FROM named JOIN s.big AS g ON g.id = named.a", views=views)
    assert bound.tables == ("t",)
    assert run(bound, t="SELECT 1 AS id, 1 AS x UNION ALL SELECT 2, 7") == [(7,)]


def test_a_view_of_another_dialect_is_translated() -> None:
    views = read_views("CREATE VIEW v AS SELECT * EXCEPT(b), IF(a > 1, 'x', 'y') AS c FROM `p.t`", "bigquery")
    bound = bind("SELECT c FROM V ORDER BY a", views=views)
    assert bound.tables == ("p.t",)
    assert "EXCLUDE" in bound.sql


def test_calls_in_views_become_calls_of_the_query() -> None:
    views = read_views("CREATE VIEW scored AS SELECT id, y FROM ML.PREDICT(MODEL m, TABLE raw)")
    bound = bind("SELECT y FROM scored a JOIN scored b USING (id) JOIN ML.EVALUATE(MODEL m) ON TRUE", views=views)
    assert sorted(call.function for call in bound.calls) == ["ML.EVALUATE", "ML.PREDICT"]
    assert bound.tables == ("raw",)


def test_data_of_a_call_may_be_a_view() -> None:
    views = read_views("CREATE VIEW v AS SELECT id FROM t")
    data = bind("SELECT * FROM ML.PREDICT(MODEL m, TABLE v)", views=views).calls[0].inputs[0]
    assert run(data, t="SELECT 4 AS id, 5 AS x") == [(4,)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT predicted_y, id FROM {}", {"predicted_y", "id"}),
        ("SELECT COUNT(*) FROM {} AS p WHERE p.Predicted_Y = 1", {"predicted_y"}),
        ("SELECT sum(a) FROM {} GROUP BY b HAVING max(c) > 1 ORDER BY d", {"a", "b", "c", "d"}),
        ("SELECT 1 FROM {} JOIN t USING (k)", {"k"}),
        ("SELECT * FROM {}", None),
        ("SELECT p.* FROM {} AS p", None),
        ("SELECT p FROM {} AS p", None),
        ("SELECT a FROM (SELECT * FROM {})", None),
        ("SELECT COLUMNS('a') FROM {}", None),
        ("FROM {}", None),
        ("SELECT a FROM {} NATURAL JOIN t", None),
    ],
)
def test_a_call_is_told_which_columns_can_be_seen(text: str, names: set[str] | None) -> None:
    wanted = call_of(text.format("ML.PREDICT(MODEL m, (SELECT * FROM t))")).wanted
    if names is None:
        assert wanted is None
    else:
        assert wanted is not None
        assert names <= wanted


@pytest.mark.parametrize(
    ("text", "ordered"),
    [
        ("SELECT a, b + 1 FROM t WHERE a > 1", True),
        ("FROM 'x.csv'", True),
        ("SELECT * FROM read_parquet('x/*.parquet')", True),
        ("WITH w AS (SELECT * FROM t) SELECT a FROM (SELECT * FROM w) WHERE a > 1", True),
        ("SELECT a FROM t, u", False),
        ("SELECT a FROM t JOIN u USING (a)", False),
        ("SELECT sum(a) FROM t", False),
        ("SELECT DISTINCT a FROM t", False),
        ("SELECT a FROM t GROUP BY a", False),
        ("SELECT a FROM t UNION ALL SELECT a FROM u", False),
        ("SELECT a FROM t ORDER BY b", False),
        ("SELECT a FROM t LIMIT 5", False),
        ("SELECT a FROM t USING SAMPLE 10%", False),
        ("SELECT row_number() OVER () FROM t", False),
        ("SELECT a, random() FROM t", False),
        ("SELECT a FROM t WHERE a IN (SELECT b FROM u)", False),
        ("SELECT a FROM t WHERE a IN (1, 2, 3, 4, 5, 6)", False),
        ("SELECT a NOT IN ('x', 'y') AS b FROM t", False),
        ("SELECT unnest(a) FROM t", False),
        ("SELECT a FROM ML.PREDICT(MODEL m, TABLE t)", False),
        ("WITH w AS (SELECT DISTINCT a FROM t) SELECT * FROM w", False),
    ],
)
def test_only_plain_queries_of_one_table_are_ordered(text: str, ordered: bool) -> None:
    assert bind(text).ordered is ordered


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id, u.prob FROM ML.PREDICT(MODEL m, TABLE t), UNNEST(predicted_y_probs) AS u WHERE u.label = 'a'",
        "SELECT id, prob FROM ML.PREDICT(MODEL m, TABLE t), UNNEST(predicted_y_probs) WHERE label = 'a'",
        "SELECT id, (SELECT prob FROM UNNEST(predicted_y_probs) WHERE label = 'a') FROM ML.PREDICT(MODEL m, TABLE t)",
        "SELECT id, u.prob FROM ML.PREDICT(MODEL m, TABLE t) AS p, UNNEST(p.predicted_y_probs) u WHERE label = 'a'",
        "SELECT id, u.prob FROM ML.PREDICT(MODEL m, TABLE t) AS p, p.predicted_y_probs AS u WHERE u.label = 'a'",
        "SELECT id, predicted_y_probs[OFFSET(1)].prob FROM ML.PREDICT(MODEL m, TABLE t)",
        "SELECT id, predicted_y_probs[SAFE_ORDINAL(2)].prob FROM ML.PREDICT(MODEL m, TABLE t)",
        "SELECT id, u.prob FROM ML.PREDICT(MODEL m, TABLE t) p CROSS JOIN UNNEST(predicted_y_probs) u WHERE label='a'",
    ],
)
def test_probabilities_are_unnested_as_in_bigquery(text: str) -> None:
    bound = bind(text, "bigquery")
    rows = [(row[0], float(row[1])) for row in run(bound, tm_call_0=PROBS)]
    assert sorted(rows) == [(1, 0.3), (2, 0.8)]


def test_bigquery_sql_is_translated_and_the_project_dropped() -> None:
    bound = bind('SELECT * EXCEPT(a), SAFE_DIVIDE(1, a) AS d, "x" AS s FROM `p.main.t` WHERE a IS NOT NULL', "bigquery")
    assert bound.tables == ("main.t",)
    assert run(bound, t="SELECT 0 AS a, 2 AS b") == [(2, None, "x")]


def test_scalar_ml_functions_become_plain_sql() -> None:
    bound = bind("SELECT ML.BUCKETIZE(a, [1, 2, 3]) AS b FROM t")
    assert run(bound, t="SELECT 2.5 AS a") == [("bin_3",)]


@pytest.mark.parametrize(
    ("text", "marked", "kind", "hint"),
    [
        ("SELECT * FROM ML.EVALUAT(MODEL m)", "ML.EVALUAT", BindError, "did you mean ML.EVALUATE?"),
        ("SELECT * FROM ML.PREDICT(m, TABLE t)", "m", BindError, "write MODEL m"),
        ("SELECT * FROM ML.PREDICT(MODEL m, t)", "t", BindError, "write TABLE t"),
        ("SELECT * FROM ML.PREDICT((MODEL m), TABLE t)", "(MODEL m)", BindError, "write MODEL m"),
        ("SELECT * FROM ML.PREDICT(MODEL m)", "ML.PREDICT", BindError, "TABLE name"),
        ("SELECT * FROM ML.PREDICT(TABLE t)", "ML.PREDICT", BindError, "MODEL name"),
        ("SELECT * FROM ML.PREDICT(MODEL m, MODEL n, TABLE t)", "MODEL n", BindError, ""),
        ("SELECT * FROM ML.PREDICT(MODEL m, TABLE t, TABLE u)", "TABLE u", BindError, ""),
        ("SELECT * FROM ML.WEIGHTS(MODEL m, TABLE t)", "TABLE t", BindError, ""),
        ("SELECT * FROM ML.PREDICT(MODEL m, TABLE t, STRUCT(0.5))", "STRUCT(0.5)", BindError, "AS threshold"),
        (
            "SELECT * FROM ML.PREDICT(MODEL m, TABLE t, STRUCT(x AS threshold))",
            "STRUCT(x AS threshold)",
            BindError,
            "value",
        ),
        (
            "SELECT * FROM ML.PREDICT(MODEL m, TABLE t, treshold => 1)",
            "treshold => 1",
            OptionError,
            "did you mean threshold?",
        ),
        ("SELECT ML.PREDICT(MODEL m, TABLE t)", "ML.PREDICT", BindError, "FROM ML.PREDICT"),
        ("SELECT * FROM ML.BUCKETIZE(a, [1])", "ML.BUCKETIZE", BindError, "SELECT ML.BUCKETIZE"),
        ("SELECT * FROM ML.PREDICT", "ML.PREDICT", BindError, "ML.PREDICT(...)"),
        ("SELECT * FROM ML.FORECAST(MODEL m, STRUCT(30 AS horizon))", "ML.FORECAST", UnsupportedError, ""),
        ("SELECT * FROM AI.FORECAST(TABLE t, data_col => 'x')", "AI.FORECAST", UnsupportedError, ""),
        ("SELECT * FROM VECTOR_SEARCH(TABLE t, 'e', TABLE q, top_k => 3)", "VECTOR_SEARCH", UnsupportedError, ""),
        ("SELECT AI.GENERATE(('x', c), connection_id => 'u').result FROM t", "AI.GENERATE", UnsupportedError, ""),
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
def test_a_wrong_call_is_refused_at_its_place(
    text: str, marked: str, kind: type[TidemillError], hint: str, dialect: str
) -> None:
    error = refuse(text, dialect)
    assert type(error) is kind
    assert error.where is not None
    assert error.where.text[error.where.column - 1 :][: error.where.length] == marked
    assert hint in error.hint


def test_what_the_engine_lacks_is_refused_with_its_place() -> None:
    error = refuse("SELECT *\nFROM t WHERE LENGTH(NET.REG_DOMAIN(id)) < 8", "bigquery")
    assert isinstance(error, UnsupportedError)
    assert error.where is not None
    assert (error.where.line, error.where.column) == (2, 25)
    assert isinstance(refuse("SELECT NET.HOST(x) FROM t", "bigquery"), UnsupportedError)


def test_a_view_has_no_versions_to_travel_to() -> None:
    views = read_views("CREATE VIEW v AS SELECT 1")
    assert "has no versions" in refuse("SELECT * FROM v AT (VERSION => 3)", views=views).message


def test_a_query_parameter_is_refused_with_a_hint() -> None:
    assert refuse("SELECT @x FROM t", "bigquery").hint == "write the value"


@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
@pytest.mark.parametrize("name", ["d.m", "`d.m`", "`d`.`m`"])
def test_a_model_is_read_at_the_version_the_call_names(name: str, dialect: str) -> None:
    call = call_of(f"SELECT * FROM ML.EVALUATE(MODEL {name} AT (VERSION => 3), TABLE t)", dialect)

    assert (call.model, call.version) == ("d.m", 3)
    assert call_of(f"SELECT * FROM ML.EVALUATE(MODEL {name}, TABLE t)", dialect).version is None


def test_two_calls_of_one_query_may_read_two_versions_of_a_model() -> None:
    bound = bind("SELECT * FROM ML.WEIGHTS(MODEL m AT (VERSION => 1)) JOIN ML.WEIGHTS(MODEL m) USING (processed_input)")

    assert [call.version for call in bound.calls] == [1, None]
    assert bound.models == ("m",)


@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
def test_a_call_may_read_the_version_an_alias_names(dialect: str) -> None:
    bound = bind("SELECT * FROM ML.WEIGHTS(MODEL m AT (VERSION => 'champion'))", dialect=dialect)

    assert [call.version for call in bound.calls] == ["champion"]


@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
@pytest.mark.parametrize(
    "behind",
    [
        "AT (TIMESTAMP => '2026-01-01')",
        "FOR SYSTEM_TIME AS OF TIMESTAMP '2026-01-01'",
        "BEFORE (VERSION => 2)",
        "AT (VERSION => 1.5)",
        "AT (VERSION => '1')",
        "AT (VERSION => '')",
        "AT (VERSION => -1)",
        "AT (VERSION 1)",
        "VERSION 1",
    ],
)
def test_anything_but_a_version_behind_a_model_is_refused_at_its_place(behind: str, dialect: str) -> None:
    error = refuse(f"SELECT * FROM ML.EVALUATE(MODEL m {behind})", dialect)

    assert "version" in error.message
    assert error.hint.startswith("write MODEL name AT (VERSION => 1)")
    assert error.where is not None
    assert error.where.column == 35


@pytest.mark.parametrize("statement", ["DROP MODEL m AT (VERSION => 1)", "DROP TABLE t AT (VERSION => 1)"])
def test_a_drop_of_one_version_is_not_read_as_a_drop_of_all(statement: str) -> None:
    with pytest.raises(ParseError, match="unexpected 'AT"):
        parse_text(statement, file="a.sql", dialect="duckdb")


def test_a_model_call_carries_the_place_of_the_models_name() -> None:
    call = call_of("SELECT * FROM ML.PREDICT(MODEL credit_riks, TABLE t)")

    assert call.model_where is not None
    assert (call.model_where.column, call.model_where.length) == (32, len("credit_riks"))


@pytest.mark.parametrize(
    ("text", "dialect", "message", "column", "length"),
    [
        (
            "SELECT 1, ST_GEOGPOINT(1, 2)",
            "bigquery",
            "ST_GEOGPOINT is not supported: geography is not built yet",
            11,
            12,
        ),
        ("SELECT 1, st_point(1, 2)", "duckdb", "st_point is not supported: geography is not built yet", 11, 8),
        ("SELECT HLL_COUNT.INIT(x) FROM t", "bigquery", "HLL_COUNT.INIT is not supported", 8, 14),
        ("SELECT x, APPROX_TOP_COUNT(x, 3) FROM t", "bigquery", "APPROX_TOP_COUNT cannot be translated", 11, 16),
        ("SELECT x, APPROX_TOP_SUM(x, y, 3) FROM t", "bigquery", "APPROX_TOP_SUM is not supported", 11, 14),
        ("SELECT SOUNDEX('a')", "bigquery", "SOUNDEX is not supported", 8, 7),
    ],
)
def test_a_function_the_engine_lacks_is_named_as_it_was_written(
    text: str, dialect: str, message: str, column: int, length: int
) -> None:
    error = refuse(text, dialect)

    assert isinstance(error, UnsupportedError)
    assert error.message.startswith(message)
    assert error.where is not None
    assert (error.where.column, error.where.length) == (column, length)


def test_a_missing_function_in_the_data_of_a_call_is_refused_too() -> None:
    error = refuse("SELECT * FROM ML.PREDICT(MODEL m, (SELECT ST_X(p) AS x FROM t))", "bigquery")

    assert error.message.startswith("ST_X is not supported: geography")


@pytest.mark.parametrize(
    "text",
    ["SELECT at, n FROM t", "SELECT t.at, n FROM t WHERE at = 1 ORDER BY at", 'SELECT "at", n FROM t GROUP BY ALL'],
)
def test_a_column_named_like_a_keyword_of_the_engine_needs_no_quotes(text: str) -> None:
    assert run(bind(text), t='SELECT 1 AS "at", 2 AS n') == [(1, 2)]
