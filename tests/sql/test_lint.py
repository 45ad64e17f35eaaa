"""Lint: what would become of statements people wrote, without running them."""

from __future__ import annotations

import sys

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.core.errors import BindError
from tidemill.core.farm import SQL_FUNCTIONS
from tidemill.model_types.table import MODEL_TYPES
from tidemill.runner.shape import READERS
from tidemill.sql.engine_functions import engine_functions, missing_functions
from tidemill.sql.functions import ML_FUNCTIONS
from tidemill.sql.lint import LOAD_FORMATS, LintRow, lint_texts


def lint(text: str, dialect: str = "bigquery") -> list[LintRow]:
    return lint_texts([("statements.sql", text)], dialect=dialect)


SUPPORTED = [
    """CREATE OR REPLACE MODEL `my-project.ds.m` TRANSFORM(
         ML.FEATURE_CROSS(STRUCT(a, b)) AS ab, ML.STANDARD_SCALER(x) OVER() AS x, ML.HASH_BUCKETIZE(s, 10) AS h,
         ML.BUCKETIZE(y, [1, 2, 3]) AS y, ML.MULTI_HOT_ENCODER(tags) OVER() AS tags, * EXCEPT(z), label)
       OPTIONS(model_type='logistic_reg', auto_class_weights=TRUE, l2_reg=0.1) AS SELECT * FROM `p.d.t`""",
    'CREATE MODEL ds.m OPTIONS(model_type="linear_reg", labels=["y"]) AS SELECT 1 AS x, 2 AS y',
    (
        "CREATE MODEL IF NOT EXISTS m OPTIONS(model_type='random_forest_regressor', input_label_cols=['y'], "
        "num_parallel_tree=50, subsample=0.8) AS (SELECT * FROM t)"
    ),
    (
        "CREATE MODEL m OPTIONS(model_type='boosted_tree_classifier', class_weights=[STRUCT('a', 0.3), ('b', 0.7)], "
        "data_split_method='CUSTOM', data_split_col='is_test') AS SELECT * FROM t"
    ),
    "SELECT * FROM ML.EVALUATE(MODEL `p.d.m`, (SELECT * FROM t), STRUCT(0.55 AS threshold))",
    "SELECT * FROM ML.PREDICT(MODEL d.m, TABLE d.new_rows)",
    "SELECT * FROM ML.EVALUATE(MODEL `p.d.m` AT (VERSION => 2), TABLE d.new_rows)",
    "SELECT predicted_y, p.prob FROM ML.PREDICT(MODEL d.m, (SELECT * FROM t)), UNNEST(predicted_y_probs) p",
    "SELECT * FROM ML.ROC_CURVE(MODEL d.m, (SELECT * FROM t), GENERATE_ARRAY(0.4, 0.6, 0.01))",
    "SELECT feature FROM ML.FEATURE_IMPORTANCE(MODEL d.m) ORDER BY importance_gain DESC LIMIT 10",
    "WITH e AS (SELECT * FROM ML.EVALUATE(MODEL d.m)) SELECT IF(roc_auc > 0.9, 'good', 'poor') FROM e",
    "SELECT SAFE_DIVIDE(a, b), COUNTIF(c), DATE_DIFF(d, e, DAY), APPROX_QUANTILES(a, 4) FROM t GROUP BY ALL",
    "CREATE OR REPLACE TABLE d.t OPTIONS(description='rows') AS SELECT * FROM d.s",
    "LOAD DATA OVERWRITE d.t FROM FILES (format='CSV', uris=['t.csv'])",
    """CREATE OR REPLACE MODEL d.natality TRANSFORM(
         weight, CAST(race AS STRING) AS race, ML.FEATURE_CROSS(STRUCT(male, CAST(race AS STRING) AS race)) male_race,
         IFNULL(x, 999) AS filled, IF(x IS NULL, 1, 0) AS was_null, EXTRACT(DAYOFWEEK FROM ts) AS dow,
         LOG(GREATEST(y, 1)) AS log_y, SAFE_CAST(q AS FLOAT64) q, ML.POLYNOMIAL_EXPAND(STRUCT(x, y)).*)
       OPTIONS(model_type='linear_reg', input_label_cols=['weight'], ls_init_learn_rate=.15) AS
       #standardSQL
       SELECT * FROM d.births WHERE RAND() < 0.001""",
    "SELECT predicted_y_probs[OFFSET(0)].prob FROM ML.PREDICT(MODEL d.m, (WITH a AS (SELECT 1 AS x) SELECT * FROM a))",
    "SELECT category FROM UNNEST((SELECT category_weights FROM ML.WEIGHTS(MODEL d.m) WHERE processed_input = 'a'))",
    "DROP MODEL IF EXISTS d.m",
    "ASSERT (SELECT COUNT(*) FROM d.t) > 0 AS 'no rows'",
]


@pytest.mark.parametrize("statement", SUPPORTED, ids=lambda text: " ".join(text.split())[:40])
def test_a_statement_that_works_is_supported(statement: str) -> None:
    assert [(row.status, row.reason) for row in lint(statement)] == [("supported", "")]


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        (
            "CREATE MODEL m OPTIONS(model_type='linear_reg', model_registry='vertex_ai', kms_key_name='k') AS SELECT 1",
            ["MODEL_REGISTRY: ignored", "KMS_KEY_NAME: ignored"],
        ),
        (
            "SELECT * FROM ML.EXPLAIN_PREDICT(MODEL m, TABLE t, STRUCT(TRUE AS approx_feature_contrib))",
            ["approx_feature_contrib: ignored"],
        ),
        (
            "CREATE TABLE d.t PARTITION BY DATE(ts) CLUSTER BY a OPTIONS(require_partition_filter=TRUE) AS SELECT 1",
            ["REQUIRE_PARTITION_FILTER: ignored"],
        ),
        (
            "CREATE MODEL m OPTIONS(model_type='linear_reg', data_split_eval_fraction=0.3) AS SELECT 1",
            ["DATA_SPLIT_EVAL_FRACTION is ignored"],
        ),
    ],
)
def test_what_is_ignored_makes_a_statement_partial(statement: str, parts: list[str]) -> None:
    (row,) = lint(statement)
    assert row.status == "partial"
    assert [part in row.reason for part in parts] == [True] * len(parts)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE MODEL m OPTIONS(model_type='ARIMA_PLUS', time_series_data_col='x') AS SELECT 1", "LAG(value, n)"),
        ("CREATE MODEL m OPTIONS(model_type='ARIMA') AS SELECT 1", "ARIMA_PLUS is not supported"),
        ("CREATE MODEL m OPTIONS(model_type='kmeans', num_clusters=4) AS SELECT 1", "Clustering is not built yet"),
        ("CREATE MODEL m REMOTE WITH CONNECTION `us.c` OPTIONS(endpoint='gemini')", "endpoint on Google Cloud"),
        (
            "CREATE MODEL m INPUT(x INT64) OUTPUT(y FLOAT64) REMOTE WITH CONNECTION DEFAULT OPTIONS(endpoint='https://e')",
            "endpoint on Google Cloud",
        ),
        ("CREATE MODEL m OPTIONS(model_type='TENSORFLOW', model_path='gs://b/*')", "Importing a model file"),
        (
            "CREATE MODEL m OPTIONS(model_type='ONNX', model_path='gs://b/m.onnx')",
            "Importing a model file",
        ),
        (
            "CREATE MODEL m OPTIONS(model_type='linear_reg', num_trials=10, l1_reg=HPARAM_RANGE(0, 5)) AS SELECT 1",
            "Hyperparameter tuning",
        ),
        (
            (
                "CREATE MODEL m OPTIONS(model_type='boosted_tree_regressor', max_tree_depth=HPARAM_CANDIDATES([2, 4])) "
                "AS SELECT 1"
            ),
            "Hyperparameter tuning",
        ),
        (
            "CREATE MODEL m TRANSFORM(ML.TF_IDF(w) OVER() AS w, y) OPTIONS(model_type='linear_reg') AS SELECT 1",
            "Word counts",
        ),
        (
            (
                "CREATE MODEL m OPTIONS(model_type='linear_reg') AS "
                "(training_data AS (SELECT 1 AS label), custom_holiday AS (SELECT 2))"
            ),
            "custom_holiday",
        ),
        ("EXPORT MODEL m OPTIONS(uri='gs://b/m')", "EXPORT MODEL"),
        ("ALTER MODEL m SET OPTIONS(description='x')", "CREATE MODEL"),
        ("SELECT * FROM ML.FORECAST(MODEL m, STRUCT(30 AS horizon))", "Forecasting models"),
        ("SELECT * FROM ML.GENERATE_TEXT(MODEL m, (SELECT 'x' AS prompt), STRUCT(0.2 AS temperature))", "Google Cloud"),
        ("SELECT AI.GENERATE('hi', connection_id => 'us.c') FROM t", "Google Cloud"),
        ("SELECT * FROM t WHERE AI.IF(x)", "Google Cloud"),
        ("SELECT * FROM AI.FORECAST(TABLE t, data_col => 'x', timestamp_col => 'd')", "TimesFM"),
        ("SELECT * FROM VECTOR_SEARCH(TABLE t, 'emb', (SELECT 1), top_k => 3)", "Vector search"),
        ("CREATE VECTOR INDEX i ON t(emb) OPTIONS(index_type='IVF')", "vector index"),
        ("SELECT * FROM ML.EVALUATE(MODEL m, TABLE t, STRUCT(2 AS trial_id))", "trial_id"),
        ("LOAD DATA INTO t FROM FILES (format='AVRO', uris=['x.avro'])", "CSV, JSON"),
        ("LOAD DATA INTO t FROM FILES (format='CSV', uris=['gs://b/x.csv'])", "copy the files here"),
        ("SELECT * FROM `p.d.events_*` WHERE _TABLE_SUFFIX > '1'", "wildcard tables"),
        ("SELECT * FROM `region-us`.INFORMATION_SCHEMA.JOBS", "BigQuery's own"),
        ("SELECT ST_GEOGPOINT(1, 2) FROM t", "ST_GEOGPOINT is not supported"),
        ("SELECT KEYS.NEW_KEYSET('AEAD_AES_GCM_256') FROM t", "KEYS"),
        ("SELECT ML.MULTI_HOT_ENCODER(x) OVER() FROM t", "in TRANSFORM only"),
        ("INSERT INTO t VALUES (1)", "CREATE OR REPLACE TABLE"),
        ("DECLARE x INT64 DEFAULT 3", "scripts are not carried out"),
        ("CREATE FUNCTION f(x INT64) AS (x + 1)", "functions of your own"),
    ],
)
def test_what_is_not_built_is_rejected_with_its_own_reason(statement: str, reason: str) -> None:
    (row,) = lint(statement)
    assert row.status == "rejected"
    assert reason in row.reason


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT FROM WHERE", "(line 1, column 13)"),
        ("CREATE MODEL m OPTIONS(model_type='linear_rge') AS SELECT 1", "Try: did you mean LINEAR_REG?"),
        ("CREATE MODEL m OPTIONS(model_type='linear_reg', l2_rge=1) AS SELECT 1", "Try: did you mean L2_REG?"),
        ("CREATE MODEL m OPTIONS(l2_reg=1) AS SELECT 1", "MODEL_TYPE is missing (line 1, column 1). Try: add OPTIONS"),
        ("CREATE MODEL m OPTIONS(model_type='linear_reg')", "the model m has no training query"),
        ("SELECT * FROM ML.PREDCT(MODEL m, TABLE t)", "there is no function ML.PREDCT (line 1, column 15)"),
        (
            "SELECT * FROM ML.PREDICT(MODEL m, TABLE t, STRUCT(2.0 AS threshold))",
            "threshold takes a number from 0 to 1",
        ),
        ("SELECT * FROM ML.PREDICT(MODEL m)", "needs data"),
        ("CREATE MODEL m TRANSFORM(AVG(x) AS x) OPTIONS(model_type='linear_reg') AS SELECT 1", "no aggregate"),
        ("CREATE MODEL m TRANSFORM(a + 1) OPTIONS(model_type='linear_reg') AS SELECT 1", "needs a name"),
        ("CREATE MODEL m TRANSFORM(LAG(x) OVER() AS x) OPTIONS(model_type='linear_reg') AS SELECT 1", "no window"),
        ("CREATE MODEL m TRANSFORM((SELECT 1) AS x) OPTIONS(model_type='linear_reg') AS SELECT 1", "no subquery"),
        (
            "CREATE MODEL m TRANSFORM(ML.STANDARD_SCALER(x) AS x) OPTIONS(model_type='linear_reg') AS SELECT 1",
            "ML.STANDARD_SCALER needs OVER() (line 1, column 26)",
        ),
    ],
)
def test_a_mistake_is_an_error_with_place_and_next_step(statement: str, reason: str) -> None:
    (row,) = lint(statement)
    assert row.status == "error"
    assert reason in row.reason
    assert row.error is not None


def test_a_statement_that_cannot_be_read_does_not_hide_the_next() -> None:
    rows = lint("SELECT 1;\nSELEC 2;\nSELECT (3;\nSELECT 4;")
    assert [(row.line, row.status) for row in rows] == [
        (1, "supported"),
        (2, "error"),
        (3, "error"),
        (4, "supported"),
    ]


def test_a_function_is_held_against_the_model_made_beside_it() -> None:
    made = "CREATE MODEL d.m OPTIONS(model_type='{}', input_label_cols=['y']) AS SELECT 1 AS y;"
    reads = "SELECT * FROM ML.WEIGHTS(MODEL d.m)"
    assert [row.status for row in lint(made.format("linear_reg") + reads)] == ["supported", "supported"]
    trees = lint(made.format("boosted_tree_regressor") + reads)[1]
    assert trees.status == "error"
    assert "ML.WEIGHTS does not take BOOSTED_TREE_REGRESSOR models, and d.m is one" in trees.reason
    groups = lint(made.format("pca") + "SELECT * FROM ML.PREDICT(MODEL d.m, TABLE t)")[1]
    assert groups.status == "rejected"
    assert groups.reason.startswith("it reads the model d.m: PCA is not supported.")


def test_files_of_a_project_know_one_another() -> None:
    rows = lint_texts(
        [("a.sql", "SELECT * FROM v"), ("b.sql", "CREATE VIEW v AS SELECT * FROM ML.FORECAST(MODEL m)")],
        dialect="duckdb",
    )
    assert [(row.file, row.status) for row in rows] == [("a.sql", "rejected"), ("b.sql", "rejected")]


def test_a_row_is_a_plain_object_of_five_fields() -> None:
    (row,) = lint("SELECT\n  1\n  AS x")
    assert row.as_json() == {
        "file": "statements.sql",
        "line": 1,
        "statement": "SELECT 1 AS x",
        "status": "supported",
        "reason": "",
    }


@pytest.mark.parametrize("name", sorted(MODEL_TYPES))
def test_a_minimal_model_of_each_type_has_the_status_of_its_row(name: str) -> None:
    (row,) = lint(f"CREATE MODEL m OPTIONS(model_type='{name.lower()}') AS SELECT 1 AS label, 2 AS x")
    assert row.status == MODEL_TYPES[name].status
    if row.status == "rejected":
        assert MODEL_TYPES[name].reason.removesuffix(".") in row.reason


@pytest.mark.parametrize("name", sorted(name for name, row in ML_FUNCTIONS.items() if row.status == "rejected"))
def test_a_rejected_function_gives_the_reason_of_its_row(name: str) -> None:
    function = ML_FUNCTIONS[name]
    call = f"SELECT * FROM {name}(MODEL m, TABLE t)" if function.kind == "table" else f"SELECT {name}(x) FROM t"
    (row,) = lint(call)
    assert row.status == "rejected"
    assert function.reason in row.reason


@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
@given(text=st.text(alphabet="SELECTMODLfromx()'\"`;,.*=[]{}-/#$ \n1", max_size=60))
def test_no_text_makes_lint_fail(dialect: str, text: str) -> None:
    for row in lint(text, dialect):
        assert row.status in ("supported", "partial", "rejected", "error")
        assert (row.status == "supported") == (row.reason == "")


def test_the_names_of_engine_functions_are_those_of_the_engine() -> None:
    with duckdb.connect(config={"autoload_known_extensions": False}) as connection:
        rows = connection.execute("SELECT DISTINCT lower(function_name) FROM duckdb_functions()").fetchall()
    words = {name for (name,) in rows if name[0].isalpha() or name[0] == "_"}
    assert engine_functions() == words | set(SQL_FUNCTIONS), (
        "write sorted(words) to src/tidemill/sql/duckdb_functions.txt, one per line"
    )


def test_a_function_the_engine_lacks_is_named_once() -> None:
    assert list(missing_functions("SELECT nosuch(a), nosuch(b), abs(c), CAST(d AS INT), e IN (1) FROM range(3)")) == [
        "nosuch"
    ]


def test_a_misspelt_engine_function_is_guessed() -> None:
    (row,) = lint("SELECT 1 AS a,\n  strptim(x, '%Y') AS y FROM t", "duckdb")
    assert isinstance(row.error, BindError)
    assert row.reason == "there is no function strptim (line 2, column 3). Try: did you mean strptime?"


def test_load_formats_are_those_the_runner_reads() -> None:
    assert set(LOAD_FORMATS) == set(READERS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SELECT * FROM `{project}.ds.t`", "{project}"),
        ("CREATE MODEL `${dataset}.m` OPTIONS(model_type='linear_reg') AS SELECT 1 AS label", "${dataset}"),
        ("SELECT * FROM ML.PREDICT(MODEL {model}, TABLE t)", "{model}"),
        ("SELECT * FROM %s", "%s"),
        ("SELECT * FROM t WHERE d = %(day)s", "%(day)s"),
        ("SELECT * FROM <your_table>", "<your_table>"),
        ("SELECT * FROM <project>.d.t", "<project>"),
        ("SELECT * FROM ML.EVALUATE(MODEL `<project>.<dataset>.<model>`)", "<project>"),
        ("SELECT * FROM $table", "$table"),
    ],
)
def test_a_template_nobody_filled_in_is_named(text: str, shown: str) -> None:
    (row,) = lint(text)
    assert row.status == "error"
    assert row.reason.startswith(f"{shown} is a template's place: templates are not filled in here")


@pytest.mark.parametrize("text", ["SELECT '{x}', \"%s\"", "SELECT * FROM t WHERE a <b AND b> 3", "SELECT r'${x}'"])
def test_braces_in_strings_are_no_templates(text: str) -> None:
    assert [row.status for row in lint(text)] == ["supported"]


def test_predict_without_ml_points_to_the_function() -> None:
    (row,) = lint("SELECT * FROM PREDICT(MODEL m, TABLE t)")
    assert (row.status, row.reason.partition(" (")[0]) == ("error", "there is no function PREDICT")
    assert row.reason.endswith("Try: ML.PREDICT(MODEL name, ...)")


def test_a_name_in_parentheses_is_no_data() -> None:
    (row,) = lint("SELECT * FROM ML.PREDICT(MODEL m, (t))")
    assert row.reason.endswith("Try: write TABLE t")


@pytest.mark.parametrize("dialect", ["bigquery", "duckdb"])
def test_thresholds_may_be_generated_in_any_dialect(dialect: str) -> None:
    (row,) = lint("SELECT * FROM ML.ROC_CURVE(MODEL m, TABLE t, GENERATE_ARRAY(0.4, 0.6, 0.1))", dialect)
    assert row.status == "supported"


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT {'CAST(' * 150}x{' AS INT64)' * 150} FROM t",
        f"SELECT {'RANGE_BUCKET(' * 60}x{', [1, 2])' * 60} FROM t",
        f"SELECT {'CASE WHEN a THEN ' * 150}1{' END' * 150} FROM t",
        f"SELECT 1 FROM t WHERE {' OR '.join(['x LIKE a'] * 1500)}",
    ],
    ids=["casts", "buckets", "cases", "conditions"],
)
def test_long_and_nested_expressions_are_judged_in_a_moment(text: str) -> None:
    calls = 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        found = lint(text)
    finally:
        sys.setprofile(None)
    assert [row.status for row in found] == ["supported"]
    # 0.4 to 2.1 million calls; what grows with a power of the depth needs hundreds.
    assert calls < 5_000_000


def test_a_function_of_geography_says_what_it_is() -> None:
    assert lint("SELECT ST_DISTANCE(a, b) FROM t")[0].reason.startswith("ST_DISTANCE is not supported: geography")


@pytest.mark.parametrize(
    ("clause", "words"),
    [
        ("ML.PREDICT(MODEL m, TABLE t) AS x, label", "returns a table"),
        ("x AS a, y AS a, label", "two columns named a"),
        ("x AS label", "TRANSFORM changes label"),
        ("* REPLACE(label + 1 AS label)", "TRANSFORM changes label"),
        ("x", "TRANSFORM leaves out label"),
        ("* EXCEPT(label)", "TRANSFORM leaves out label"),
        ("nosuch(x) AS x, label", "NOSUCH is not supported"),
        ("FORMAT('%p', x) AS x, label", "FORMAT is not supported with %p"),
    ],
)
def test_lint_refuses_of_transform_what_training_refuses(clause: str, words: str) -> None:
    (row,) = lint(f"CREATE MODEL m TRANSFORM({clause}) OPTIONS(model_type='linear_reg') AS SELECT * FROM t")
    assert row.status in ("error", "rejected")
    assert words in row.reason
