"""Unit tests of SQL: what they are given, what they look at, and what they say when it is not so."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

import tidemill
from tidemill.cli.main import run_command
from tidemill.core.errors import ParseError
from tidemill.runner.unit_tests.result import TestResult

STATEMENTS = """
CREATE TABLE flights (origin VARCHAR, day DATE, dep_delay DOUBLE, tailnum VARCHAR) AS
SELECT origin, day, dep_delay, tailnum FROM 'data/flights.csv';
CREATE TABLE planes (tailnum VARCHAR PRIMARY KEY, seats INTEGER) AS SELECT tailnum, seats FROM 'data/planes.csv';
CREATE VIEW known AS SELECT f.*, seats FROM flights AS f JOIN planes AS p USING (tailnum);
CREATE TABLE daily (
  origin VARCHAR NOT NULL, late BIGINT,
  CONSTRAINT some CHECK (late > 0), CHECK (share BETWEEN 0 AND 1), FOREIGN KEY (origin) REFERENCES planes (tailnum)
) AS
WITH counted AS (
  SELECT origin, day, count(*) FILTER (WHERE dep_delay > 60) AS late, count(*) AS n FROM known GROUP BY ALL
)
SELECT origin, day, late, late / n AS share, current_date - day AS age, now() AS seen FROM counted;
CREATE MODEL m OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['late']) AS SELECT share, late FROM daily;
CREATE TABLE scored AS
SELECT origin, round(predicted_late) AS guess FROM ML.PREDICT(MODEL m, (SELECT * FROM daily WHERE share IS NOT NULL));
CREATE TABLE raw AS SELECT upper(t.a) AS a, ML.BUCKETIZE(b, [10]) AS b FROM read_csv('data/x.csv', header = true) AS t;
"""
CLEANED = """
CREATE TABLE cleaned (id INTEGER PRIMARY KEY, price DOUBLE CHECK (price > 0)) AS
SELECT id, CLEAN.NUMBER(price) AS price, CLEAN.CATEGORY(city, ['Oslo', 'Rome'], distance => 1) AS city,
  CLEAN.FILL(seats, 'mean') OVER (PARTITION BY CLEAN.FOLD(kind)) AS seats
FROM CLEAN.LATEST((SELECT * FROM 'data/raw.csv' WHERE id > 0), 'id', 'at');
"""
GIVEN = """GIVEN
  flights (origin, day, dep_delay, tailnum) AS (VALUES
    ('JFK', '2013-01-01', 61, 'N1'), ('JFK', '2013-01-01', 60, 'N1'), ('LGA', '2013-01-02', NULL, 'N1'),
    ('LGA', '2013-01-02', 99, 'unknown')),
  planes (tailnum) AS (VALUES ('N1'))
"""
ONE_KNOWN = "GIVEN known (origin, dep_delay) AS (VALUES ('JFK', 61))"

RunTest = Callable[..., TestResult]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("sql", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tidemill.toml").touch()
    (tmp_path / "sql" / "all.sql").write_text(STATEMENTS)
    return tmp_path


@pytest.fixture
def run(root: Path) -> RunTest:
    """Write one test and carry it out."""

    def of(text: str, *, form: str = "sql") -> TestResult:
        (root / "tests" / f"one.{form}").write_text(text)
        with tidemill.open(root) as project:
            (result,) = project.test()
        return result

    return of


def test_given_rows_take_the_declared_types_and_a_view_is_read_in_place(run: RunTest) -> None:
    result = run(
        f"CREATE TEST t FOR daily AT '2013-01-03' {GIVEN} EXPECT (origin, late, share, age) AS "
        "(VALUES ('LGA', 0, 0, 1), ('JFK', 1, 0.5, 2)) EXPECT counted (n, origin) AS (VALUES (2, 'JFK'), (1, 'LGA'))"
    )

    assert result.error is None
    assert result.status == "passed"
    assert [one.matching for one in result.differences] == [2, 2]


def test_what_is_not_given_is_null_and_a_bare_name_has_no_rows(run: RunTest) -> None:
    assert run("CREATE TEST t FOR daily GIVEN flights, planes EXPECT NOTHING").status == "passed"
    assert run(f"CREATE TEST t FOR daily {ONE_KNOWN} EXPECT (day, late) AS (VALUES (NULL, 1))").status == "passed"


def test_the_time_stands_still_where_it_is_said(run: RunTest) -> None:
    moment = "TIMESTAMPTZ '2026-01-31 12:00:00+00'"
    result = run(
        f"CREATE TEST t FOR daily AT '2026-01-31 12:00:00' {ONE_KNOWN} EXPECT (seen) AS (SELECT {moment} AS seen)"
    )

    assert result.status == "passed", result


def test_differences_pair_rows_that_are_alike(run: RunTest) -> None:
    result = run(
        "CREATE TEST t FOR daily GIVEN known (origin, dep_delay) AS (VALUES ('JFK', 61), ('EWR', 3), ('JFK', 2))"
        "EXPECT (origin, late, share) AS (VALUES ('JFK', 2, 0.5), ('LGA', 7, 0.1))"
    )

    (one,) = result.differences
    assert result.status == "failed"
    assert one.changed == ((("JFK", 2, one.changed[0][0][2]), ("JFK", 1, 0.5)),)
    assert [row[0] for row in one.missing] == ["LGA"]
    assert one.unexpected == (("EWR", 0, 0.0),)


def test_a_row_too_many_is_a_difference(run: RunTest) -> None:
    result = run(
        "CREATE TEST t FOR known GIVEN flights (tailnum) AS (VALUES ('N1'), ('N1')), "
        "planes (tailnum) AS (VALUES ('N1')) "
        "EXPECT (tailnum) AS (VALUES ('N1'))"
    )

    assert result.differences[0].unexpected == (("N1",),)


@pytest.mark.parametrize(
    ("expected", "problems"),
    [
        ("FAILING some", ("some should fail, and holds",)),
        ("FAILING NOT NULL (origin), CHECK (share BETWEEN 0 AND 1)",
         ("CHECK (share BETWEEN 0 AND 1) should fail, and holds",)),
        ("FAILING NOT NULL (origin)", ()),
    ],
)  # fmt: skip
def test_checks_can_be_expected_to_fail(run: RunTest, expected: str, problems: tuple[str, ...]) -> None:
    result = run(f"CREATE TEST t FOR daily GIVEN known (dep_delay) AS (VALUES (61)) EXPECT {expected}")

    assert result.error is None
    assert result.problems == problems


def test_no_check_may_fail_where_none_is_expected_to(run: RunTest) -> None:
    given = "GIVEN known (origin) AS (VALUES ('JFK')), planes (tailnum) AS (VALUES ('LGA'))"

    result = run(f"CREATE TEST t FOR daily {given} EXPECT FAILING NONE")

    assert result.problems == (
        "CHECK (late > 0) fails for 1 of 1 rows",
        "(origin) REFERENCES planes fails for 1 of 1 rows",
    )


def test_predictions_files_and_queries_of_models_are_testable(run: RunTest) -> None:
    assert run(
        "CREATE TEST t FOR scored GIVEN ML.PREDICT(MODEL m) (origin, predicted_late) AS (VALUES ('JFK', 1.4)) "
        "EXPECT (origin, guess) AS (VALUES ('JFK', 1))"
    ).status == "passed"  # fmt: skip
    assert run(
        "CREATE TEST t FOR raw GIVEN 'data/x.csv' (a, b) AS (VALUES ('x', 12)) "
        "EXPECT AS (SELECT 'X' AS a, 'bin_2' AS b)"
    ).status == "passed"  # fmt: skip
    assert run(
        "CREATE TEST t FOR m GIVEN daily (late, share) AS (VALUES (1, 0.5)) EXPECT (late) AS (VALUES (1))"
    ).status == "passed"  # fmt: skip


def test_toml_says_the_same(run: RunTest) -> None:
    result = run(
        """
[late_flights]
of = "daily"
now = 2013-01-03T00:00:00Z
expect = [{origin = "JFK", late = 1, share = 0.333333, age = 2}]
expect_cte.counted = [{n = 3}]
expect_failing = ["NOT NULL (origin)"]

[late_flights.given]
known = [
  {origin = "JFK", day = 2013-01-01, dep_delay = 61.5},
  {origin = "JFK", day = 2013-01-01},
  {origin = "JFK", day = 2013-01-01, dep_delay = 1},
]
""",
        form="toml",
    )

    assert result.error is None
    assert result.problems == ("NOT NULL (origin) should fail, and holds",)
    assert all(one.none for one in result.differences)
    assert result.test.source.line == 2


def test_toml_gives_predictions_and_queries(run: RunTest) -> None:
    result = run(
        '[p]\nof = "scored"\ngiven."ML.PREDICT(MODEL m)" = [{origin = "JFK", predicted_late = 1.4}]\n'
        "expect = \"SELECT 'JFK' AS origin, 1 AS guess\"\n",
        form="toml",
    )

    assert result.status == "passed"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("FOR dayly EXPECT NOTHING", "dayly is made by no statement", "did you mean daily?"),
        ("FOR daily GIVEN flights EXPECT NOTHING", "daily reads planes, and the test gives no rows for it", "GIVEN pl"),
        ("FOR scored GIVEN daily EXPECT NOTHING", "scored reads ML.PREDICT(MODEL m), and the test", "GIVEN ML.PREDICT"),
        ("FOR raw EXPECT NOTHING", "raw reads 'data/x.csv', and the test gives no rows for it", "GIVEN 'data/x.csv'"),
        ("FOR daily GIVEN known (orign) AS (VALUES ('a')) EXPECT NOTHING", "known has no column", "did you mean o"),
        (f"FOR daily {ONE_KNOWN} EXPECT (lat) AS (VALUES (1))", "daily has no column lat", "did you mean late?"),
        (f"FOR daily {ONE_KNOWN} EXPECT countd (n) AS (VALUES (1))", "daily has no WITH clause", "did you mean c"),
        (f"FOR daily {ONE_KNOWN} EXPECT FAILING small", "daily has no check small", ""),
        (f"FOR daily {ONE_KNOWN}, flights EXPECT NOTHING", "daily does not read flights", "it reads known"),
        (f"FOR daily {ONE_KNOWN}, 'x.csv' (a) EXPECT NOTHING", "daily does not read 'x.csv'", "it reads known"),
        (f"FOR daily {ONE_KNOWN}, known EXPECT NOTHING", "rows for known are given twice", ""),
        ("FOR daily GIVEN known AS (FROM planes) EXPECT NOTHING", "the rows of known are read from the table", "write"),
        ("FOR daily GIVEN known (origin, a, b) AS (VALUES (1)) EXPECT NOTHING", "the rows of known have 1 columns", ""),
        (f"FOR daily {ONE_KNOWN} EXPECT (late) AS (VALUES ('many'))",
         "Could not convert string 'many'", ""),
    ],
)  # fmt: skip
def test_a_test_that_cannot_be_carried_out_says_why(run: RunTest, text: str, message: str, hint: str) -> None:
    result = run(f"CREATE TEST t {text}")

    assert result.status == "error"
    assert result.error is not None
    assert message in result.error.message
    assert result.error.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1", "expected CREATE TEST"),
        ("CREATE TEST t EXPECT NOTHING", "expected FOR"),
        ("CREATE TEST t FOR daily GIVEN known", "the test expects nothing"),
        ("CREATE TEST t FOR daily AT 'soon' EXPECT NOTHING", "expected a time behind AT"),
        ("CREATE TEST t FOR daily EXPECT (late)", "expected AS and the rows"),
        (
            "CREATE TEST t FOR daily GIVEN ML.PREDICT(MODEL m, TABLE t) EXPECT NOTHING",
            "stands here with its model",
        ),
    ],
)
def test_a_text_that_is_no_test_is_refused_at_its_place(root: Path, text: str, message: str) -> None:
    (root / "tests" / "bad.sql").write_text(f"\n{text};")

    with tidemill.open(root) as project, pytest.raises(ParseError) as caught:
        project.test()

    assert message in caught.value.message
    assert caught.value.where is not None
    assert (caught.value.where.file, caught.value.where.line) == ("tests/bad.sql", 2)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[t]\nof = 'daily'\nexpects = []", "there is no key expects", "did you mean expect?"),
        ("[t]\nexpect = []", "it does not say what it tests", "of ="),
        ("[t]\nof = 'daily'", "it expects nothing", "expect ="),
        ("[t]\nof = 'daily'\nnow = 'soon'\nexpect = []", "now is not a time", "now ="),
        ("[t]\nof = 'daily'\nexpect = 3", "rows are a list of tables", "["),
        ("t = 1", "it is not a table", "write [name]"),
        ("[t", "tests/bad.toml is not TOML", ""),
    ],
)
def test_toml_that_is_no_test_is_refused(root: Path, text: str, message: str, hint: str) -> None:
    (root / "tests" / "bad.toml").write_text(text)

    with tidemill.open(root) as project, pytest.raises(ParseError) as caught:
        project.test()

    assert message in caught.value.message
    assert caught.value.hint.startswith(hint)


def test_the_command_chooses_shows_and_leaves_with_a_status(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "tests" / "one.sql").write_text(
        f"CREATE TEST right FOR daily {ONE_KNOWN} EXPECT (late) AS (VALUES (1));"
        f"CREATE TEST wrong FOR daily {ONE_KNOWN} EXPECT (origin, late) AS (VALUES ('JFK', 2));"
    )
    monkeypatch.chdir(root)

    assert run_command(["test", "right", "--junit", "out.xml"]) == 0
    assert capsys.readouterr().out == "passed  right  (daily)\n1 test: 1 passed\n"
    assert run_command(["test"]) == 1
    assert (
        capsys.readouterr().out
        == """\
passed  right  (daily)
failed  wrong  (daily)  tests/one.sql:1
  daily: 1 differs; 0 as expected  (expected -> found)
     origin  late
  ~  JFK     2 -> 1
2 tests: 1 passed, 1 failed
"""
    )
    assert run_command(["test", "wrong", "--json", "--junit", "out.xml"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["differences"][0]["changed"] == [
        {"expected": {"origin": "JFK", "late": 2}, "found": {"origin": "JFK", "late": 1}}
    ]
    suite = ET.parse(root / "out.xml").getroot()  # noqa: S314 - we wrote it
    assert (suite.get("tests"), suite.get("failures"), len(suite.findall(".//failure"))) == ("1", "1", 1)
    assert run_command(["test", "wrnog"]) == 5
    assert "did you mean wrong?" in capsys.readouterr().err
    assert not (root / ".tidemill" / "lake").exists()


def test_a_table_read_at_a_version_is_given_like_any_other(root: Path, run: RunTest) -> None:
    (root / "sql" / "all.sql").write_text(
        "CREATE TABLE t AS SELECT id FROM orders AT (VERSION => 3) AS o WHERE o.id > 1"
    )

    result = run("CREATE TEST v FOR t GIVEN orders (id) AS (VALUES (1), (2)) EXPECT (id) AS (VALUES (2))")

    assert (result.error, result.status) == (None, "passed")


def test_rows_can_stand_in_files(root: Path, run: RunTest) -> None:
    (root / "tests" / "known.csv").write_bytes("origin;dep_delay\nJFK;61\nZürich;3\n".encode("latin-1"))

    result = run(
        "CREATE TEST t FOR daily GIVEN known AS (FROM 'tests/known.csv') "
        "EXPECT (origin, late) AS (VALUES ('JFK', 1), ('Zürich', 0))"
    )

    assert (result.error, result.status) == (None, "passed")


def test_a_project_without_tests_says_where_they_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tidemill.toml").touch()
    monkeypatch.chdir(tmp_path)

    assert run_command(["test"]) == 0
    assert capsys.readouterr().out.startswith("no tests: write some")


def test_bigquery_sql_is_tested_in_its_own_dialect(root: Path) -> None:
    (root / "tidemill.toml").write_text('dialect = "bigquery"\n')
    (root / "sql" / "all.sql").write_text(
        "CREATE TABLE t AS SELECT SAFE_DIVIDE(a, b) AS c, CURRENT_DATE() AS d FROM `p.sales.orders` WHERE b < 9;"
    )
    (root / "tests" / "one.sql").write_text(
        "CREATE TEST c FOR t AT '2026-01-31' GIVEN sales.orders AS (SELECT 1 AS a, 2 AS b UNION ALL SELECT 1, 0) "
        "EXPECT AS (SELECT 0.5 AS c, DATE '2026-01-31' AS d UNION ALL SELECT NULL, DATE '2026-01-31')"
    )

    with tidemill.open(root) as project:
        (result,) = project.test()

    assert (result.error, result.status) == (None, "passed")


def test_an_incremental_table_is_tested_as_a_build_of_all_rows_makes_it(root: Path, run: RunTest) -> None:
    options = "incremental_by = 'at', unique_key = ['id'], deleted_when = 'gone'"
    (root / "sql" / "orders.sql").write_text(
        f"CREATE TABLE orders (id BIGINT, at DATE, gone BOOLEAN) OPTIONS ({options}) AS SELECT * FROM flights_in;"
        "CREATE TABLE flights_in AS SELECT * FROM 'data/in.csv';"
    )
    result = run(
        "CREATE TEST t FOR orders GIVEN flights_in (id, at, gone) AS (VALUES (1, '2026-01-01', false), "
        "(1, '2026-01-02', false), (2, '2026-01-01', false), (2, '2026-01-03', true)) "
        "EXPECT (id, at) AS (VALUES (1, '2026-01-02'))"
    )
    assert (result.error, result.status) == (None, "passed")


def test_cleaning_functions_work_on_given_rows(run: RunTest, root: Path) -> None:
    (root / "sql" / "cleaned.sql").write_text(CLEANED)
    given = """GIVEN 'data/raw.csv' (id, price, city, kind, seats, at) AS (VALUES
      (1, '$ 1,200', 'Osla', 'Bus', 10, 1), (1, '$ 1,300', 'oslo ', 'BUS', NULL, 2), (2, '7', 'Romw', ' bus', 30, 1),
      (3, 'n/a', 'Paris', 'van', NULL, 1), (0, '1', 'Rome', 'van', 9, 9))"""
    expect = (
        "EXPECT (id, price, city, seats) AS (VALUES (1, 1300, 'Oslo', 30), (2, 7, 'Rome', 30), (3, NULL, NULL, NULL))"
    )
    assert run(f"CREATE TEST t FOR cleaned {given} {expect}").status == "passed"
    failed = run(f"CREATE TEST t FOR cleaned {given} {expect.replace('Oslo', 'Rome')}")
    assert failed.status == "failed"
