"""CLEAN functions: their examples, and where they may stand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest
from tests.model_types.bad_values import bad_values
from tests.sql.clean_queries import bound, rows, values

from tidemill.core.errors import BindError, OptionError, StatementError
from tidemill.sql.bind import bind_query
from tidemill.sql.bind_clean import TABLES
from tidemill.sql.clean.table import CLEAN_BUILDERS
from tidemill.sql.functions import CLEAN_FUNCTIONS, find_function
from tidemill.sql.functions_base import Example, MLFunction, TableExample
from tidemill.sql.lint import lint_texts
from tidemill.sql.options import check_settings
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import Select
from tidemill.sql.summarise import summarise

ROWS = list(CLEAN_FUNCTIONS.values())
EXAMPLES = [pytest.param(row, example, id=f"{row.name}-{n}") for row in ROWS for n, example in enumerate(row.examples)]
MEANING = Path(__file__).with_name("clean_sql.txt")


def statement_of(row: MLFunction, example: Example | TableExample) -> str:
    if isinstance(example, Example):
        return f"SELECT {row.name}({example.given})"
    data = f"WITH t({', '.join(example.columns)}) AS ({example.rows})"
    if row.kind == "table":
        return f"{data} SELECT * FROM {example.call} ORDER BY ALL"
    return f"{data} SELECT t.*, {example.call} FROM t ORDER BY ALL"


@pytest.mark.parametrize(("row", "example"), EXAMPLES)
def test_an_example_gives_what_the_documentation_shows(row: MLFunction, example: Example | TableExample) -> None:
    found = rows(statement_of(row, example))
    if isinstance(example, Example):
        assert [None if value is None else str(value) for value in found[0]] == [example.gives]
    elif row.kind == "table":
        assert [str(line) for line in found] == list(example.gives)
    else:
        with duckdb.connect() as engine:
            before = engine.execute(f"{example.rows} ORDER BY ALL").fetchall()
            given = dict(zip(engine.execute(example.rows).fetchall(), example.gives, strict=True))
        after = [None if line[-1] is None else str(line[-1]) for line in found]
        assert after == [given[line] for line in before]


def test_each_function_has_what_writes_it_and_examples() -> None:
    assert {row.name for row in ROWS} == {*CLEAN_BUILDERS, *TABLES}
    assert [row.name for row in ROWS if not row.examples or not row.doc.endswith(".")] == []


def test_sql_that_changes_raises_the_version_of_its_function() -> None:
    # When this fails because a function now gives other values, raise its number in sql/function_versions.py.
    # Then write the new digests into the file that is named.
    lines = []
    for row in ROWS:
        text = "\n".join(bound(statement_of(row, example)) for example in row.examples)
        lines.append(f"{row.name} {row.version} {hashlib.sha256(text.encode()).hexdigest()[:16]}\n")
    assert "".join(lines) == MEANING.read_text(encoding="utf-8"), "".join(lines)


def test_a_changed_function_changes_the_fingerprint_of_statements_that_call_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned = parse_text("CREATE TABLE t AS SELECT CLEAN.DATE(x) AS d FROM s", file="t.sql", dialect="duckdb")[0]
    latest = parse_text("CREATE TABLE t AS FROM CLEAN.LATEST(TABLE s, 'a', 'b')", file="t.sql", dialect="duckdb")[0]
    before = [summarise(statement, 0).digest for statement in (cleaned, latest)]
    monkeypatch.setattr("tidemill.sql.summarise.VERSIONS", {"CLEAN.DATE": 2})
    after = [summarise(statement, 0).digest for statement in (cleaned, latest)]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True]


SETTINGS = [pytest.param(row, option, id=f"{row.name}-{option.name}") for row in ROWS for option in row.settings]


@pytest.mark.parametrize(("row", "option"), SETTINGS)
def test_each_bad_value_of_a_cleaning_setting_is_refused_by_name(row: MLFunction, option: object) -> None:
    for value in bad_values(option):  # type: ignore[arg-type]
        with pytest.raises(StatementError) as caught:
            check_settings(row, {option.name: value})  # type: ignore[attr-defined]
        assert caught.value.message.startswith(option.name)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("sql", "message", "hint", "column", "length"),
    [
        ("SELECT CLEAN.DATES(x) FROM t", "there is no function CLEAN.DATES", "did you mean CLEAN.DATE?", 8, 11),
        ("SELECT CLEAN.DATE() FROM t", "CLEAN.DATE takes 1 argument, not 0", None, 8, 10),
        (
            "SELECT CLEAN.DATE(x, dayfirst => TRUE) FROM t",
            "CLEAN.DATE has no setting dayfirst",
            "did you mean day_first?",
            22,
            16,
        ),
        (
            "SELECT CLEAN.DATE(x, day_first => 1) FROM t",
            "day_first takes TRUE or FALSE, not 1",
            None,
            22,
            14,
        ),
        (
            "SELECT CLEAN.DATE(x, pivot => y) FROM t",
            "the setting pivot of CLEAN.DATE is not a literal",
            "write the value itself",
            22,
            10,
        ),
        ("SELECT CLEAN.FILL(x, 'mean') FROM t", "CLEAN.FILL needs OVER()", None, 8, 10),
        (
            "SELECT CLEAN.FILL(x, 'forward') OVER () FROM t",
            "CLEAN.FILL 'forward' needs an ORDER BY in OVER()",
            "write CLEAN.FILL(x, 'forward') OVER (ORDER BY time)",
            8,
            10,
        ),
        ("SELECT CLEAN.TEXT(x) OVER () FROM t", "CLEAN.TEXT looks at one row: it takes no OVER()", None, 8, 10),
        (
            "SELECT CLEAN.RARE(x) OVER () FROM t",
            "CLEAN.RARE: give one of least (a number of rows) and share (of the rows with a value)",
            None,
            8,
            10,
        ),
        (
            "SELECT CLEAN.RARE(x, least => 2) OVER (ORDER BY x) FROM t",
            "the OVER() of CLEAN.RARE takes PARTITION BY alone",
            None,
            8,
            10,
        ),
        ("SELECT CLEAN.LATEST(TABLE t, 'a', 'b')", "CLEAN.LATEST returns a table: it stands in FROM", None, 8, 12),
        (
            "SELECT * FROM CLEAN.DATE(x)",
            "CLEAN.DATE returns one value per row: it stands in SELECT, not in FROM",
            None,
            15,
            10,
        ),
        (
            "SELECT * FROM CLEAN.LATEST(TABLE t, id, 'b')",
            "CLEAN.LATEST takes names of columns in quotes",
            "write 'id'",
            37,
            2,
        ),
        (
            "SELECT * FROM CLEAN.LATEST(TABLE t, 'id')",
            "CLEAN.LATEST takes two names, the key and what orders it; 1 given",
            None,
            15,
            12,
        ),
    ],
)
def test_a_wrong_call_says_what_and_where(sql: str, message: str, hint: str | None, column: int, length: int) -> None:
    with pytest.raises(StatementError) as caught:
        bound(sql)
    error = caught.value
    assert isinstance(error, BindError | OptionError)
    assert error.message == message
    assert hint is None or error.hint == hint
    assert error.where is not None
    assert (error.where.column, error.where.length) == (column, length)


def test_functions_nest_and_stand_in_each_part_of_a_query() -> None:
    sql = """
    WITH raw(name, price, day) AS (
      VALUES ('  Ale ', '$1,200', '22 Feb 04'), ('ale', 'n/a', '23 Feb 04'), ('Gose', '3', '24 Feb 04')
    ), clean AS (
      SELECT CLEAN.FOLD(CLEAN.TEXT(name)) AS name, CLEAN.NUMBER(CLEAN.NULLS(price)) AS price,
        CLEAN.DATE(day) AS day
      FROM raw WHERE CLEAN.DATE(day) IS NOT NULL
    )
    SELECT name, CLEAN.FILL(price, 'mean') OVER (PARTITION BY CLEAN.FOLD(name)) AS price
    FROM CLEAN.LATEST((SELECT * FROM clean), 'name', 'day') AS newest
    JOIN (SELECT 1 AS one) ON TRUE ORDER BY CLEAN.FOLD(name)
    """
    assert rows(sql) == [("ale", None), ("gose", 3.0)]


def test_a_macro_reads_the_same_in_bigquerys_dialect() -> None:
    sql = """
    SELECT CLEAN.DATE('22/02/04', day_first => TRUE) AS d, CLEAN.NUMBER('1.234,5', decimal => ',') AS n,
      CLEAN.FILL(x, 'median') OVER (PARTITION BY k) AS x, CLEAN.CATEGORY('usa', ['USA']) AS c
    FROM CLEAN.LATEST((SELECT 1 AS k, 2.5 AS x, 3 AS t), ['k'], 't')
    """
    found = rows(sql, "bigquery")
    assert [str(value) for value in found[0]] == ["2004-02-22", "1234.5", "2.5", "USA"]


def test_data_of_ml_functions_are_cleaned_on_their_way() -> None:
    sql = "SELECT * FROM ML.PREDICT(MODEL m, (SELECT CLEAN.NUMBER(x) AS x FROM CLEAN.LATEST(TABLE t, 'id', 'at')))"
    statement = parse_text(sql, file="q.sql", dialect="duckdb")[0]
    assert isinstance(statement, Select)
    call = bind_query(statement.query, views={}).calls[0]
    assert call.inputs[0].tables == ("t",)
    assert "CLEAN" not in call.inputs[0].sql


def test_lint_knows_cleaning_functions() -> None:
    sql = "CREATE TABLE a AS SELECT CLEAN.DATE(d) AS d FROM CLEAN.LATEST(TABLE t, 'id', 'at')"
    assert [row.status for row in lint_texts([("a.sql", sql)], dialect="bigquery")] == ["supported"]


def test_a_row_of_a_function_is_found_in_any_case() -> None:
    assert find_function("clean.date") is CLEAN_FUNCTIONS["CLEAN.DATE"]


def test_each_different_value_is_worked_on_once_when_asked() -> None:
    data = ["22 Feb 04", "22 Feb 04", None, "nonsense", "1.2.2003"]
    plain = values("CLEAN.DATE(x, day_first => TRUE)", data)
    assert values("CLEAN.DATE(x, day_first => TRUE, distinct_first => TRUE)", data) == plain


def test_latest_keeps_the_same_row_however_rows_are_ordered() -> None:
    pairs = [(1, 5, "a"), (1, 5, "b"), (1, 5, "c"), (1, 4, "z")]
    kept = set()
    for order in ("ASC", "DESC"):
        listed = ", ".join(map(str, pairs))
        sql = f"WITH t(k, u, v) AS (SELECT * FROM (VALUES {listed}) AS s(k, u, v) ORDER BY v {order})"
        kept.add(tuple(rows(f"{sql} SELECT * FROM CLEAN.LATEST(TABLE t, 'k', 'u')")))
    assert len(kept) == 1


@pytest.mark.parametrize("method", ["iqr", "zscore", "mad"])
def test_outliers_are_null_for_null_and_found_in_their_own_group(method: str) -> None:
    listed = ", ".join([*(f"('a', {1 + i % 3})" for i in range(30)), "('a', 1000)", "('a', NULL)", "('b', 1000)"])
    sql = f"""
    SELECT k, x, CLEAN.IS_OUTLIER(x, method => '{method}') OVER (PARTITION BY k) AS far
    FROM (VALUES {listed}) AS t(k, x) QUALIFY x IS NULL OR x = 1000 ORDER BY ALL
    """
    assert rows(sql) == [("a", 1000, True), ("a", None, None), ("b", 1000, False)]


def test_gaps_are_filled_in_time() -> None:
    data = "(VALUES (1, 1.0), (2, NULL), (3, NULL), (4, 4.0)) AS t(t, x)"
    for method, settings, expected in (
        ("forward", "", [1, 1, 1, 4]),
        ("forward", ", most => 1", [1, 1, None, 4]),
        ("backward", "", [1, 4, 4, 4]),
        ("linear", "", [1, 2, 3, 4]),
    ):
        found = rows(f"SELECT CLEAN.FILL(x, '{method}'{settings}) OVER (ORDER BY t) FROM {data} ORDER BY t")
        assert [None if value is None else float(value) for (value,) in found] == expected


def test_a_line_ends_at_the_first_and_at_the_last_known_value() -> None:
    data = "(VALUES (1, NULL), (2, 5), (3, NULL), (4, 9), (5, NULL)) AS t(t, x)"
    found = rows(f"SELECT CLEAN.FILL(x, 'linear') OVER (ORDER BY t) FROM {data} ORDER BY t")
    assert [value for (value,) in found] == [None, 5.0, 7.0, 9.0, None]
    found = rows(f"SELECT CLEAN.FILL(x, 'linear') OVER (ORDER BY t) FROM {data} WHERE t < 3 ORDER BY t")
    assert found == [(None,), (5.0,)]


def test_the_most_frequent_value_fills_and_ties_go_to_the_smaller() -> None:
    data = "(VALUES (1, 'b'), (2, 'a'), (3, NULL)) AS t(i, x)"
    assert rows(f"SELECT CLEAN.FILL(x, 'mode') OVER () FROM {data} ORDER BY i") == [("b",), ("a",), ("a",)]
