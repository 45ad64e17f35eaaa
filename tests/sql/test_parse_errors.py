"""What cannot be read is refused with its place, and never with a crash."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.core.errors import BindError, ParseError, SettingsError, TidemillError
from tidemill.sql.bind import bind_query
from tidemill.sql.parse import parse_each, parse_text
from tidemill.sql.statements import CreateView, Select
from tidemill.sql.summarise import summarise


def refuse(text: str, dialect: str = "duckdb") -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse_text(text, file="a.sql", dialect=dialect)
    return caught.value


@pytest.mark.parametrize(
    ("text", "marked", "words", "hint"),
    [
        ("SELECT a b ^c^ FROM t", "c", "unexpected 'c'", ""),
        ("SELECT * FROM ML.PREDICT(MODEL m ^TABLE^ t)", "TABLE", "expected , or )", ""),
        ("SELECT * FROM ML.PREDICT(MODEL m, ^SELECT^ 1)", "SELECT", "parentheses", "write (SELECT ...)"),
        ("SELECT * FROM ML.PREDICT(MODEL m, (SELECT a FROM^)^)", ")", "expected table name", ""),
        ("CREATE MODEL m OPTIONS (model_type = ^linear_reg^) AS SELECT 1", "linear_reg", "literal", "'linear_reg'"),
        ("CREATE MODEL m OPTIONS (model_type ^'a'^) AS SELECT 1", "'a'", "expected =", ""),
        ("CREATE MODEL m OPTIONS (a = 'x' ^b^ = 1) AS SELECT 1", "b", "expected , or )", ""),
        ("CREATE MODEL m OPTIONS (a = 1,^)^ AS SELECT 1", ")", "name of an option", "name = value"),
        ("CREATE MODEL m OPTIONS (a = ^HPARAM_RANGE^(1)) AS SELECT 1", "HPARAM_RANGE", "two numbers", ""),
        ("CREATE MODEL m ^SELECT^ 1", "SELECT", "unexpected", "write AS"),
        ("CREATE MODEL ^AS^ SELECT 1", "AS", "expected the name of the model", ""),
        ("CREATE MODEL m AS ^SELEC^ 1", "SELEC", "expected a query", "did you mean SELECT?"),
        ("CREATE MODEL m OPTIONS(a=1) ^OPTIONS^(b=1) AS SELECT 1", "OPTIONS", "stands twice", ""),
        ("CREATE OR REPLACE MODEL IF NOT ^EXISTS^ m AS SELECT 1", "EXISTS", "exclude each other", ""),
        ("CREATE TABLE x (a INT ^b^) AS SELECT 1", "b", "after the column 'a'", ""),
        (
            "CREATE TABLE x (a INT DEFAULT 1) AS SELECT 1".replace("DEFAULT", "^DEFAULT^"),
            "DEFAULT",
            "DEFAULT",
            "COALESCE",
        ),
        ("CREATE ^TABEL^ x AS SELECT 1", "TABEL", "expected TABLE", "did you mean TABLE?"),
        ("^CRATE^ TABLE x AS SELECT 1", "CRATE", "begins no statement", "did you mean CREATE?"),
        ("ASSERT 1 = 1 AS ^few^", "few", "message in quotes", ""),
        ("LOAD DATA ^t^ FROM FILES (uris=['a'])", "t", "OVERWRITE or INTO", ""),
        (
            "LOAD DATA INTO t ^OPTIONS^(max_bad_rows=5) FROM FILES (uris='a')",
            "OPTIONS",
            "in OPTIONS",
            "max_bad_records",
        ),
        ("^LOAD^ DATA INTO t FROM FILES (format='CSV')", "LOAD", "uris", "data/*.csv"),
        ("SELECT ^{{ x }}^ FROM t", "{{ x }}", "templates", ""),
        ("SELECT ^${x}^ FROM t", "${x}", "templates", ""),
        ("SELECT * FROM ^{table}^", "{table}", "templates", ""),
        ("SELECT ^\u2018^x\u2019", "\u2018", "U+2018", "write '"),
        ("SELECT x^\uff0c^y FROM t", "\uff0c", "U+FF0C", "write ,"),
        ("^#^ c\nSELECT 1", "#", "begins no statement", "--"),
        ("SELECT 1, ^'^abc\nFROM t", "'", "never closed", "close it with '"),
        ("SELECT ^/*^ x", "/*", "never closed", "close it with */"),
    ],
)
def test_an_error_points_at_its_token(text: str, marked: str, words: str, hint: str) -> None:
    start = text.index("^")
    error = refuse("SELECT 1;\n\t " + text.replace("^", "") if "never" not in words else text.replace("^", ""))
    assert error.where is not None
    shown = error.where.text[error.where.column - 1 :][: error.where.length]
    assert shown == marked
    line = text.replace("^", "").count("\n", 0, start)
    assert error.where.line == (line + 1 if "never" in words else line + 2)
    assert words in error.message
    assert hint in error.hint


def test_an_unfinished_statement_points_behind_its_last_token() -> None:
    error = refuse("SELECT (1  ")
    assert error.where is not None
    assert (error.where.line, error.where.column) == (1, 10)
    assert "end of the statement" in error.message


def test_messages_have_neither_terminal_codes_nor_class_names() -> None:
    for text in (
        "SELECT 1 +",
        "SELECT CAST(a AS )",
        "SELECT * FROM t JOIN",
        "SELECT a FROM t GROUP",
        "SELECT CASE WHEN",
    ):
        for dialect in ("duckdb", "bigquery"):
            for _, result in parse_each(text, file="a.sql", dialect=dialect):
                rendered = result.render() if isinstance(result, ParseError) else ""
                assert not re.search(r"\x1b|<class|sqlglot", rendered)


@pytest.mark.parametrize("count", [201, 200_000])
def test_endless_nesting_is_refused_with_its_place(count: int) -> None:
    error = refuse("SELECT " + "(" * count + "1" + ")" * count)
    assert "nested too deeply" in error.message
    assert error.where is not None
    assert error.where.line == 1


def test_a_hundred_and_fifty_parentheses_are_read() -> None:
    (statement,) = parse_text("SELECT " + "(" * 150 + "1" + ")" * 150, file="a.sql", dialect="bigquery")
    assert isinstance(statement, Select)
    assert bind_query(statement.query, views={}).sql.startswith("SELECT ((((")


def test_a_statement_of_a_megabyte_is_refused() -> None:
    assert "1,000,000" in refuse(f"SELECT '{'x' * 1_000_001}'").message


def test_a_nul_character_is_refused_with_its_place() -> None:
    error = refuse("SELECT 1\n + \0")
    assert error.where is not None
    assert (error.where.line, error.where.column) == (2, 4)


def test_an_unknown_dialect_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="there is no SQL dialect 'duckdbb'") as caught:
        parse_text("SELECT 1", file="a.sql", dialect="duckdbb")
    assert caught.value.hint == "did you mean duckdb?"


SOUP = """
SELECT FROM WHERE ( ) , . ML . PREDICT ML.PREDICT( MODEL TABLE m t STRUCT( AS => := { } [ ] 'x' "y" `z` 1 0.5 WITH UNION
ALL CREATE OR REPLACE MODEL OPTIONS( TRANSFORM( * EXCEPT ; -- /* */ OVER () UNNEST( JOIN ON CASE WHEN END IF BEGIN
DECLARE NOT NULL PRIMARY KEY CHECK ENFORCED REFERENCES LOAD DATA ASSERT DROP INTERVAL = < > $ @ % ? : -> é
"""
WORDS = [*SOUP.split(), "\n"]
STARTS = (
    *("", "SELECT ", "CREATE MODEL m ", "CREATE TABLE t ", "CREATE TABLE t ("),
    *("SELECT * FROM ML.PREDICT(MODEL m, ", "CREATE MODEL m OPTIONS("),
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(WORDS), max_size=14),
    st.sampled_from(["duckdb", "bigquery", "postgres", "snowflake", "spark", "mysql"]),
)
def test_no_text_makes_the_reader_crash(start: str, words: list[str], dialect: str) -> None:
    for source, result in parse_each(start + " ".join(words), file="a.sql", dialect=dialect):
        if isinstance(result, ParseError):
            assert result.where is not None
            assert result.where.line >= 1
            continue
        assert source.text
        summarise(result, 0)
        if isinstance(result, Select):
            with contextlib.suppress(TidemillError):
                bind_query(result.query, views={})


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["duckdb", "bigquery"]))
def test_any_characters_are_read_or_refused(text: str, dialect: str) -> None:
    for _, result in parse_each(text, file="a.sql", dialect=dialect):
        if isinstance(result, ParseError):
            assert result.render()


def test_nested_views_without_end_are_refused() -> None:
    text = (
        ";".join(f"CREATE VIEW v{n} AS SELECT * FROM v{n + 1}" for n in range(3))
        + "; CREATE VIEW v3 AS SELECT * FROM v1"
    )
    statements = parse_text(text, file="v.sql", dialect="duckdb")
    views = {view.name: view.query for view in statements if isinstance(view, CreateView)}
    (query,) = parse_text("SELECT * FROM v0", file="a.sql", dialect="duckdb")
    assert isinstance(query, Select)
    with pytest.raises(BindError, match="v1 -> v2 -> v3 -> v1"):
        bind_query(query.query, views=views)
