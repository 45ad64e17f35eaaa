"""Reads, digests and summaries of statements."""

from __future__ import annotations

import time

import pytest

from tidemill.sql.parse import parse_text
from tidemill.sql.reads import find_reads
from tidemill.sql.statements import Select, Summary
from tidemill.sql.summarise import summarise


def sum_up(text: str, dialect: str = "duckdb") -> Summary:
    (statement,) = parse_text(text, file="a.sql", dialect=dialect)
    return summarise(statement, 0)


MODEL = (
    "CREATE OR REPLACE MODEL shop.churn TRANSFORM(a, b) OPTIONS(model_type='linear_reg', l2_reg=1) AS "
    "SELECT a, b FROM t"
)
TABLE = "CREATE TABLE t (id INTEGER NOT NULL, CHECK (a > 1)) AS SELECT id, a FROM u"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MODEL, MODEL.lower()),
        (MODEL, MODEL.replace(" ", "\n  ").replace("AS\n", "AS -- why\n")),
        (MODEL, MODEL.replace("l2_reg=1)", "l2_reg=1, description='churn')")),
        (MODEL, MODEL.replace("model_type='linear_reg', l2_reg=1", "L2_REG = 1, MODEL_TYPE = 'linear_reg'")),
        (MODEL, MODEL.replace("OR REPLACE ", "")),
        (TABLE, TABLE.replace("CHECK (a > 1)", "CHECK(a>1 /* few */)")),
        (TABLE, TABLE.replace("NOT NULL", "NOT NULL OPTIONS (description = 'key')")),
    ],
)
def test_looks_and_descriptions_do_not_change_the_digest(before: str, after: str) -> None:
    assert sum_up(before).digest == sum_up(after).digest


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        (MODEL, MODEL.replace("l2_reg=1", "l2_reg=2"), "options"),
        (MODEL, MODEL.replace("FROM t", "FROM u"), "query"),
        (MODEL, MODEL.replace("SELECT a, b", "SELECT a, 'b' AS b"), "query"),
        (MODEL, MODEL.replace("TRANSFORM(a, b)", "TRANSFORM(a, b + 1 AS b)"), "transform"),
        (TABLE, TABLE.replace("INTEGER", "BIGINT"), "columns"),
        (TABLE, TABLE.replace("SELECT id", 'SELECT "ID"'), "query"),
    ],
)
def test_a_change_shows_in_the_digest_of_its_part(before: str, after: str, part: str) -> None:
    old, new = sum_up(before), sum_up(after)
    assert old.digest != new.digest
    assert {name for name in old.parts if old.parts[name] != new.parts[name]} == {part}


INCREMENTAL = "CREATE TABLE t (a) OPTIONS (incremental_by = 'a', lookback = 3) AS SELECT a FROM u"


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        (TABLE, TABLE.replace("a > 1", "a > 2"), "checks"),
        (TABLE, TABLE.replace("NOT NULL", "NOT NULL NOT ENFORCED"), "checks"),
        (TABLE, TABLE.replace("(id", "(a, id"), "checks"),
        (
            TABLE,
            TABLE.replace(" AS SELECT", " OPTIONS (freshness_column = 'a', max_age = '1 day') AS SELECT"),
            "checks",
        ),
        (INCREMENTAL, INCREMENTAL.replace("lookback = 3", "lookback = 4"), None),
        (INCREMENTAL, INCREMENTAL.replace("lookback = 3", "lookback = 3, on_schema_change = 'add_columns'"), None),
        (INCREMENTAL, INCREMENTAL.replace("lookback = 3", "lookback = 3, max_bad_rows = 4"), None),
    ],
)
def test_what_changes_no_row_is_no_part_of_the_digest(before: str, after: str, part: str | None) -> None:
    old, new = sum_up(before), sum_up(after)
    assert old.digest == new.digest
    assert {name for name in old.parts if old.parts[name] != new.parts[name]} == ({part} if part else set())


def test_strings_keep_their_case_in_the_digest() -> None:
    assert sum_up("SELECT 'a'").digest != sum_up("SELECT 'A'").digest
    assert sum_up("SELECT 'a'").digest != sum_up("SELECT a").digest


def test_a_description_changes_only_its_own_digest() -> None:
    old, new = sum_up(MODEL), sum_up(MODEL.replace("l2_reg=1)", "l2_reg=1, description='x')"))
    assert (old.digest, old.description_digest != new.description_digest) == (new.digest, True)


def test_a_summary_says_kind_name_place_and_reads() -> None:
    summary = sum_up(
        "\n  CREATE MODEL s.m OPTIONS(model_type='Linear_Reg') AS SELECT * FROM ML.PREDICT(MODEL o, TABLE s.t)"
    )
    assert (summary.kind, summary.name, summary.line, summary.column) == ("model", "s.m", 2, 3)
    assert (summary.tables, summary.models, summary.model_type) == (("s.t",), ("o",), "LINEAR_REG")


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("CREATE TABLE a AS SELECT 1", "table", "a"),
        ("CREATE VIEW a AS SELECT 1", "view", "a"),
        ("LOAD DATA OVERWRITE a FROM FILES (uris=['x.csv'])", "load", "a"),
        ("DROP MODEL a", "drop_model", "a"),
        ("DROP TABLE a", "drop_table", "a"),
        ("SELECT 1", "select", ""),
        ("INSERT INTO t VALUES (1)", "other", "INSERT (a.sql:1)"),
    ],
)
def test_each_kind_of_statement_has_its_word(text: str, kind: str, name: str) -> None:
    summary = sum_up(text)
    assert (summary.kind, summary.name) == (kind, name)


def test_an_assertion_gets_a_name_that_lasts() -> None:
    first, again = sum_up("ASSERT 1 = 1 AS 'x'"), sum_up("assert  1=1 as 'x'")
    assert first.name == again.name
    assert first.name.startswith("assert_")


def test_a_referenced_table_is_read_and_the_own_one_is_not() -> None:
    text = "CREATE TABLE t (a INTEGER REFERENCES u (a), b INTEGER REFERENCES T (a)) AS SELECT 1"
    assert (sum_up(text).tables, sum_up(text).checked) == (("u",), ("u",))
    assert sum_up(text.replace("SELECT 1", "SELECT * FROM U")).checked == ()


@pytest.mark.parametrize(
    ("text", "dialect", "tables", "models", "files"),
    [
        ("WITH t AS (SELECT * FROM t), u AS (FROM t) SELECT * FROM u", "duckdb", ("t",), (), ()),
        ("SELECT * FROM a.b, B.c WHERE x IN (SELECT y FROM (SELECT * FROM d))", "duckdb", ("a.b", "B.c", "d"), (), ()),
        ("SELECT * FROM t UNION ALL SELECT * FROM T", "duckdb", ("t",), (), ()),
        (
            "SELECT * FROM 'a.csv', \"b.parquet\", read_csv('c/*.csv', header = true)",
            "duckdb",
            (),
            (),
            ("a.csv", "b.parquet", "c/*.csv"),
        ),
        ("SELECT * FROM read_parquet(['a', 'b']) JOIN read_json_auto('c') ON true", "duckdb", (), (), ("a", "b", "c")),
        ("SELECT * FROM range(10) JOIN generate_series(1, 2) ON true", "duckdb", (), (), ()),
        (
            """WITH d AS (SELECT * FROM `p.s.a`)
            SELECT * FROM ML.PREDICT(MODEL `p.s.m`, (SELECT * FROM d JOIN e USING (k))) p, p.arr AS q, UNNEST(x)""",
            "bigquery",
            ("p.s.a", "e"),
            ("s.m",),
            (),
        ),
        (
            "SELECT * FROM `bigquery-public-data`.ga.sessions_*",
            "bigquery",
            ("bigquery-public-data.ga.sessions_*",),
            (),
            (),
        ),
        ("SELECT * FROM bigquery-public-data.ga.x", "bigquery", ("bigquery-public-data.ga.x",), (), ()),
        ("WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r", "duckdb", (), (), ()),
    ],
)
def test_reads_are_tables_models_and_files(
    text: str, dialect: str, tables: tuple[str, ...], models: tuple[str, ...], files: tuple[str, ...]
) -> None:
    (statement,) = parse_text(text, file="a.sql", dialect=dialect)
    assert isinstance(statement, Select)
    assert find_reads(statement.query) == (tables, models, files)


def test_ten_statements_are_parsed_and_summed_up_in_little_time() -> None:
    text = ";".join([MODEL, TABLE, "SELECT * FROM ML.PREDICT(MODEL m, (SELECT * FROM t))"] * 4)
    [summarise(statement, 0) for statement in parse_text(text, file="a.sql", dialect="duckdb")]
    start = time.perf_counter()
    for ordinal, statement in enumerate(parse_text(text, file="a.sql", dialect="duckdb")):
        summarise(statement, ordinal)
    assert time.perf_counter() - start < 0.5  # a busy machine may be five times slower


def test_the_version_of_a_model_is_part_of_the_digest() -> None:
    digests = {
        sum_up(f"CREATE TABLE t AS SELECT * FROM ML.WEIGHTS(MODEL m{at})").digest
        for at in ("", " AT (VERSION => 1)", " at (version=>1)", " AT (VERSION => 2)")
    }

    assert len(digests) == 3
