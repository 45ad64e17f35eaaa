"""What people write is read as typed statements."""

from __future__ import annotations

import pytest

from tidemill.sql.parse import parse_each, parse_text
from tidemill.sql.statements import (
    Assert,
    CreateModel,
    CreateTable,
    CreateView,
    DropModel,
    DropTable,
    HparamSpace,
    LoadData,
    Other,
    Select,
    Statement,
)


def read(text: str, dialect: str = "bigquery") -> list[Statement]:
    return parse_text(text, file="a.sql", dialect=dialect)


def read_model(text: str, dialect: str = "bigquery") -> CreateModel:
    (statement,) = read(text, dialect)
    assert isinstance(statement, CreateModel)
    return statement


def read_table(text: str, dialect: str = "duckdb") -> CreateTable:
    (statement,) = read(text, dialect)
    assert isinstance(statement, CreateTable)
    return statement


def values(model: CreateModel) -> dict[str, object]:
    return {option.name.lower(): option.value for option in model.options}


def test_a_model_has_its_name_without_the_project() -> None:
    for name in ("`my-proj.shop.churn`", "`my-proj`.shop.churn", "my-proj.shop.churn", "shop.churn", "`shop`.`churn`"):
        assert read_model(f"CREATE MODEL {name} OPTIONS(model_type='linear_reg') AS SELECT 1").name == "shop.churn"


def test_backticks_name_parts_in_the_duckdb_dialect_too() -> None:
    assert read_model("CREATE MODEL `p.shop.churn` OPTIONS(model_type='linear_reg') AS SELECT 1", "duckdb").name == (
        "shop.churn"
    )


def test_option_values_come_as_plain_data() -> None:
    model = read_model(
        """CREATE OR REPLACE MODEL m OPTIONS(
          model_type = "logistic_reg", l2_reg = 1e-3, max_iterations = 2 * 5, early_stop = FALSE, ls = -0.5,
          input_label_cols = ['a', "b"], class_weights = [STRUCT('x', 0.5), ('y', 2)], order_ = (1, 0, 1),
          pairs = [STRUCT('k' AS key, 1 AS value)], nothing = NULL, typed = STRUCT<a INT64, b ARRAY<STRING>>(1, ['z']),
          learn_rate = HPARAM_RANGE(0.1, 1), depth = HPARAM_CANDIDATES([4, 6]),
          layers = HPARAM_CANDIDATES([STRUCT([8]), STRUCT([8, 16])]), ttl = INTERVAL 3 HOUR, born = DATE '2020-01-02'
        ) AS SELECT 1"""
    )
    assert values(model) == {
        "model_type": "logistic_reg",
        "l2_reg": 0.001,
        "max_iterations": 10,
        "early_stop": False,
        "ls": -0.5,
        "input_label_cols": ["a", "b"],
        "class_weights": [["x", 0.5], ["y", 2]],
        "order_": [1, 0, 1],
        "pairs": [{"key": "k", "value": 1}],
        "nothing": None,
        "typed": [1, ["z"]],
        "learn_rate": HparamSpace(low=0.1, high=1.0),
        "depth": HparamSpace(candidates=(4, 6)),
        "layers": HparamSpace(candidates=([[8]], [[8, 16]])),
        "ttl": "INTERVAL 3 HOUR",
        "born": "2020-01-02",
    }


def test_an_option_knows_the_places_of_its_name_and_value() -> None:
    model = read_model("CREATE MODEL m\nOPTIONS(model_type='linear_reg',\n  l2_reg = 0.25) AS SELECT 1")
    option = model.options[1]
    assert (option.name_line, option.name_column, option.line, option.column, option.length) == (3, 3, 3, 12, 4)


def test_a_string_keeps_its_quotes_and_escapes() -> None:
    assert values(read_model(r"CREATE MODEL m OPTIONS(a='it\'s', b=r'\d', c='') AS SELECT 1")) == {
        "a": "it's",
        "b": r"\d",
        "c": "",
    }
    assert values(read_model("CREATE MODEL m OPTIONS(a='it''s') AS SELECT 1", "duckdb")) == {"a": "it's"}


@pytest.mark.parametrize("order", ["{t} {o}", "{o} {t}"])
def test_transform_may_stand_on_either_side_of_options(order: str) -> None:
    clauses = order.format(t="TRANSFORM(a, b)", o="OPTIONS(model_type='linear_reg')")
    model = read_model(f"CREATE MODEL m {clauses} AS SELECT 1")
    assert [item.name for item in model.transform] == ["a", "b"]
    assert len(model.options) == 1


def test_transform_items_have_names_stars_and_places() -> None:
    model = read_model(
        """CREATE MODEL m TRANSFORM(
  ML.STANDARD_SCALER(a) OVER() AS a2,
  ML.FEATURE_CROSS(STRUCT(b, c)) bc,
  a + 1,
  label,
  * EXCEPT(b, c) REPLACE(LOWER(d) AS d),
) OPTIONS(model_type='linear_reg') AS SELECT 1"""
    )
    scaled, crossed, unnamed, label, star = model.transform
    assert (scaled.name, scaled.sql, scaled.line, scaled.column) == ("a2", "ML.STANDARD_SCALER(a) OVER ()", 2, 3)
    assert crossed.name == "bc"
    assert (unnamed.name, unnamed.sql) == ("", "a + 1")
    assert label.name == "label"
    assert star.star
    assert star.excepted == ("b", "c")
    assert [(item.name, item.sql) for item in star.replaced] == [("d", "LOWER(d)")]


def test_remote_models_are_read_with_their_clauses() -> None:
    model = read_model(
        "CREATE MODEL d.r INPUT(a FLOAT64) OUTPUT(b ARRAY<FLOAT64>) "
        "REMOTE WITH CONNECTION `p.us.c` OPTIONS(endpoint='x')"
    )
    assert model.extras == ("input", "output", "remote")
    assert model.query is None
    assert read_model("CREATE MODEL d.r REMOTE WITH CONNECTION DEFAULT OPTIONS(endpoint='x')").extras == ("remote",)


@pytest.mark.parametrize(
    "query",
    [
        "AS SELECT a FROM t",
        "AS (SELECT a FROM t)",
        "AS WITH w AS (SELECT 1) SELECT a FROM t",
        "AS (training_data AS (SELECT a FROM t))",
    ],
)
def test_a_model_takes_its_query_in_each_written_form(query: str) -> None:
    model = read_model(f"CREATE MODEL m OPTIONS(model_type='linear_reg') {query}")
    assert model.query is not None
    assert "SELECT a FROM t" in model.query.source.text


def test_custom_holidays_are_noted_and_the_training_data_is_the_query() -> None:
    model = read_model("CREATE MODEL m AS (custom_holiday AS (SELECT 2), training_data AS (SELECT 1))")
    assert model.extras == ("custom_holiday",)
    assert model.query is not None
    assert model.query.source.text == "SELECT 1"


def test_table_columns_may_be_a_few_with_or_without_types() -> None:
    table = read_table(
        """CREATE OR REPLACE TABLE shop.t (
          id INTEGER PRIMARY KEY,
          price DECIMAL(10, 2) NOT NULL CHECK (price > 0) NOT ENFORCED OPTIONS (description = 'in euro'),
          "Odd Name",
          tags VARCHAR[],
          place STRUCT(x DOUBLE, y DOUBLE),
          CONSTRAINT enough CHECK (count(*) > 10),
          UNIQUE (price, "Odd Name") NOT ENFORCED,
          FOREIGN KEY (price) REFERENCES shop.prices (price)
        ) AS SELECT * FROM 'x.csv'"""
    )
    assert (table.name, table.replace) == ("shop.t", True)
    assert [(column.name, column.type) for column in table.columns] == [
        ("id", "INTEGER"),
        ("price", "DECIMAL(10, 2)"),
        ("Odd Name", ""),
        ("tags", "VARCHAR[]"),
        ("place", "STRUCT(x DOUBLE, y DOUBLE)"),
    ]
    assert [(one.name, one.value) for one in table.columns[1].options] == [("description", "in euro")]
    found = [(rule.kind, rule.name, rule.columns, rule.expression, rule.enforced) for rule in table.constraints]
    assert found == [
        ("primary_key", "", ("id",), "", True),
        ("not_null", "", ("price",), "", True),
        ("check", "", ("price",), "price > 0", False),
        ("check", "enough", (), "count(*) > 10", True),
        ("unique", "", ("price", "Odd Name"), "", False),
        ("references", "", ("price",), "", True),
    ]
    assert (table.constraints[-1].table, table.constraints[-1].foreign) == ("shop.prices", ("price",))
    assert (table.constraints[0].line, table.constraints[0].column) == (2, 22)


def test_a_bigquery_table_keeps_only_what_is_ours() -> None:
    table = read_table(
        """CREATE TABLE IF NOT EXISTS `p.d.t` (
          id INT64 NOT NULL OPTIONS(description="x"), PRIMARY KEY (id) NOT ENFORCED)
        PARTITION BY DATE_TRUNC(ts, MONTH) CLUSTER BY id, b
        OPTIONS(expiration_timestamp=TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 48 HOUR), description='y')
        AS (SELECT 1 AS id)""",
        "bigquery",
    )
    assert (table.name, table.if_not_exists) == ("d.t", True)
    assert [option.name for option in table.options] == ["expiration_timestamp", "description"]
    assert table.query.source.text == "(SELECT 1 AS id)"


def test_columns_may_have_the_names_of_constraints() -> None:
    table = read_table('CREATE TABLE t ("primary" INTEGER, "check" VARCHAR, "unique") AS SELECT 1')
    assert [column.name for column in table.columns] == ["primary", "check", "unique"]


def test_views_and_drops_and_assertions_are_read() -> None:
    view, drop_model, drop_table, drop_view, check = read(
        "CREATE VIEW v AS SELECT 1; DROP MODEL IF EXISTS `p.d.m`; DROP TABLE d.t; DROP VIEW IF EXISTS v;"
        "ASSERT (SELECT COUNT(*) FROM t) > 5 AS 'too few rows'"
    )
    assert isinstance(view, CreateView)
    assert isinstance(drop_model, DropModel)
    assert (drop_model.name, drop_model.if_exists) == ("d.m", True)
    assert isinstance(drop_table, DropTable)
    assert isinstance(drop_view, DropTable)
    assert (drop_table.kind, drop_view.kind) == ("table", "view")
    assert isinstance(check, Assert)
    assert check.message == "too few rows"
    assert check.query.source.text == "SELECT (SELECT COUNT(*) FROM t) > 5 AS holds"


def test_load_data_names_its_files_and_format() -> None:
    load, other = read(
        "LOAD DATA OVERWRITE `p.d.t` (a INT64) FROM FILES (format='CSV', uris=['a.csv', 'b.csv'], skip_leading_rows=1);"
        "LOAD DATA INTO t FROM FILES (uris='x.parquet')"
    )
    assert isinstance(load, LoadData)
    assert (load.name, load.overwrite, load.format, load.uris) == ("d.t", True, "CSV", ("a.csv", "b.csv"))
    assert [option.name for option in load.options] == ["skip_leading_rows"]
    assert isinstance(other, LoadData)
    assert (other.overwrite, other.format, other.uris) == (False, "PARQUET", ("x.parquet",))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ALTER MODEL d.m SET OPTIONS(description='x')", "ALTER MODEL"),
        ("EXPORT MODEL d.m OPTIONS(URI='gs://b/m')", "EXPORT MODEL"),
        ("EXPORT DATA OPTIONS(uri='gs://b/*.csv', format='CSV') AS SELECT 1", "EXPORT DATA"),
        ("INSERT INTO t VALUES (1)", "INSERT"),
        ("MERGE t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "MERGE"),
        ("DECLARE x INT64 DEFAULT 5", "DECLARE"),
        ("SET x = (SELECT 1)", "SET"),
        ("BEGIN SELECT 1; IF x > 1 THEN SELECT 2; END IF; EXCEPTION WHEN ERROR THEN SELECT 3; END", "BEGIN"),
        ("FOR r IN (SELECT 1) DO SELECT r; END FOR", "FOR"),
        ("WHILE x < 3 DO SET x = x + 1; END WHILE", "WHILE"),
        ('EXECUTE IMMEDIATE """SELECT 1; SELECT 2"""', "EXECUTE"),
        ("CALL d.p(1)", "CALL"),
        ("CREATE TEMP FUNCTION f(x FLOAT64) AS (x * 2)", "CREATE TEMP FUNCTION"),
        ('CREATE FUNCTION d.f(x STRING) RETURNS STRING LANGUAGE js AS r"""return x;"""', "CREATE FUNCTION"),
        ("CREATE OR REPLACE PROCEDURE d.p(IN x INT64) BEGIN SELECT 1; SELECT 2; END", "CREATE PROCEDURE"),
        ("CREATE SCHEMA d", "CREATE SCHEMA"),
        ("CREATE VECTOR INDEX i ON d.t(e) OPTIONS(index_type='IVF')", "CREATE VECTOR INDEX"),
        ("CREATE TEMP TABLE t AS SELECT 1", "CREATE TEMP TABLE"),
        ("CREATE EXTERNAL TABLE t OPTIONS(format='CSV')", "CREATE EXTERNAL TABLE"),
        ("CREATE TABLE t (a INT64)", "CREATE TABLE"),
        ("CREATE TABLE t LIKE u", "CREATE TABLE LIKE"),
        ("DROP SCHEMA d CASCADE", "DROP SCHEMA"),
        ("GRANT SELECT ON t TO u", "GRANT"),
        ("TRUNCATE TABLE t", "TRUNCATE"),
    ],
)
def test_statements_we_do_not_carry_out_have_a_reason(text: str, what: str) -> None:
    before, statement, after = read(f"SELECT 0; {text}; SELECT 9")
    assert isinstance(before, Select)
    assert isinstance(after, Select)
    assert isinstance(statement, Other)
    assert statement.what == what
    assert len(statement.reason) > 10


def test_semicolons_in_strings_comments_and_dollars_do_not_split() -> None:
    statements = read("SELECT 'a;b' -- c; d\n, $$e; 'f$$ /* ; */; ; -- ;\nSELECT 2", "duckdb")
    assert [statement.source.text.splitlines()[0] for statement in statements] == ["SELECT 'a;b' -- c; d", "SELECT 2"]
    assert [statement.source.line for statement in statements] == [1, 3]
    assert len(read('SELECT """a; b""", r"c;" # d;\n; SELECT 2')) == 2


def test_a_statement_after_a_broken_one_is_still_read() -> None:
    results = list(parse_each("SELECT 1; CREAT MODEL m; SELECT 2", file="a.sql", dialect="duckdb"))
    assert [isinstance(result, Select) for _, result in results] == [True, False, True]
    assert [source.column for source, _ in results] == [1, 11, 26]


def test_lines_may_be_counted_from_the_middle_of_a_file() -> None:
    (statement,) = parse_text("\n  SELECT 1", file="a.sql", dialect="duckdb", line=7)
    assert (statement.source.line, statement.source.column) == (8, 3)


@pytest.mark.parametrize("text", ["", "  \n", "-- nothing", "/* only */ ;;", "\ufeff"])
def test_a_text_without_statements_gives_none(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    "text", ["DESCRIBE t", "SHOW TABLES", "SUMMARIZE t", "EXPLAIN SELECT 1", "FROM t", "VALUES (1)"]
)
def test_looking_at_things_in_duckdb_is_a_query(text: str) -> None:
    (statement,) = read(text, "duckdb")
    assert isinstance(statement, Select)
    assert statement.query.source.text == text
