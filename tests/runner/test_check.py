"""Contracts of a project: at a run and on what is there, against time and against the versions before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidemill.core.clock import Clock
from tidemill.core.durations import read_duration
from tidemill.core.errors import BindError, ContractError, NotFoundError, TidemillError
from tidemill.project import Project, open_project
from tidemill.runner.report import RunReport

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "tidemill.toml").write_text("")
    (tmp_path / "sql").mkdir()
    with open_project(tmp_path, clock=Clock(now=lambda: NOON)) as project:
        yield project


def say(project: Project, text: str) -> None:
    (project.root / "sql" / "t.sql").write_text(text)


def run(project: Project, text: str) -> RunReport:
    say(project, text)
    return project.run()


def only_error(report: RunReport) -> TidemillError:
    (error,) = [step.error for step in report.steps if step.error]
    return error


def warnings(report: RunReport) -> list[str]:
    return [warning for step in report.steps for warning in step.warnings]


def table(rows: str, options: str, columns: str = "") -> str:
    return f"CREATE TABLE t {columns} OPTIONS ({options}) AS {rows};"


def test_a_check_of_what_is_there_is_recorded_and_counts_its_rows(project: Project) -> None:
    say(
        project,
        "CREATE TABLE t (id PRIMARY KEY NOT ENFORCED, CHECK (x > 1) NOT ENFORCED) AS"
        " SELECT unnest([1, 1, 2]) AS id, unnest([1, 2, 3]) AS x;\n"
        "CREATE TABLE free AS SELECT 1 AS a;\n"
        "ASSERT (SELECT count(*) FROM t) = 3 AS 'three rows';\n"
        "ASSERT (SELECT min(x) FROM t) = 1 AS 'it begins at one';\n",
    )
    project.run()

    report = project.check()

    assert report.held
    assert [(t.name, len(t.results)) for t in report.tables] == [("t", 2), ("t", 1), ("t", 1)]
    assert [failure.sentence for failure in report.tables[0].failures] == [
        "PRIMARY KEY (id) fails for 2 of 3 rows, such as id = 1",
        "CHECK (x > 1) fails for 1 of 3 rows, such as id = 1 (the first has x = 1)",
    ]
    rows = project.sql(
        "SELECT table_name, version, kind, status, rows_failing, sample_keys FROM tidemill.checks"
        " WHERE origin = 'check' ORDER BY step, number"
    ).fetchall()
    assert rows[0] == ("t", None, "assert", "passed", 0, "[]")
    assert len(rows) == 4
    assert rows[2][2:] == ("primary_key", "warned", 2, '[{"id":1},{"id":1}]')
    assert rows[2][1] == project.history("t")[0].version


def test_a_check_finds_an_enforced_constraint_that_stands_in_the_file_now(project: Project) -> None:
    run(project, "CREATE TABLE t AS SELECT 1 AS a;")
    say(project, "CREATE TABLE t (CHECK (a > 1)) AS SELECT 1 AS a;")

    report = project.check(["T"])

    assert not report.held
    assert report.tables[0].failures[0].where is not None
    assert report.as_json()["tables"][0]["checks"][0]["status"] == "failed"


def test_a_check_reads_a_table_whose_files_hold_rows_that_are_gone(project: Project) -> None:
    text = (
        "CREATE TABLE t (id PRIMARY KEY, CHECK (v < 100)) OPTIONS (incremental_by = 'v', unique_key = ['id']) AS"
        " SELECT i AS id, CASE WHEN i < 3 THEN {0} ELSE 1 END + i AS v FROM range(10) AS r (i);"
    )
    run(project, text.format(1))
    run(project, text.format(20))

    (report,) = project.check().tables

    assert report.held
    assert report.rows == 10
    assert {result.rows_seen for result in report.results} == {10}


def test_a_table_that_a_check_reads_is_built_first(project: Project) -> None:
    report = run(
        project,
        "CREATE TABLE t (CHECK (a IN (SELECT b FROM u))) AS SELECT 2 AS a;\nCREATE TABLE u AS SELECT 2 AS b;",
    )

    assert [step.asset for step in report.steps] == ["u", "t"]
    assert report.status == "ok"
    assert project.check().held


def test_a_check_needs_a_table_that_is_built(project: Project) -> None:
    say(project, "CREATE TABLE orders AS SELECT 1 AS a;")

    with pytest.raises(NotFoundError, match="not built yet"):
        project.check(["orders"])
    with pytest.raises(NotFoundError) as raised:
        project.check(["order"])
    assert raised.value.hint == "did you mean orders?"
    assert project.check().unbuilt == ("orders",)


def test_a_table_whose_check_cannot_be_made_is_told_and_the_rest_goes_on(project: Project) -> None:
    run(project, "CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE u AS SELECT 1 AS a;")
    say(project, "CREATE TABLE t (CHECK (b > 1)) AS SELECT 1 AS a; CREATE TABLE u (CHECK (a = 1)) AS SELECT 1 AS a;")

    report = project.check()

    assert not report.held
    assert isinstance(report.tables[0].error, TidemillError)
    assert report.tables[1].held


def test_old_rows_are_not_published_and_the_clock_of_the_run_decides(project: Project) -> None:
    options = "freshness_column = 'at', max_age = '36 hours'"
    fresh = run(project, table("SELECT TIMESTAMP '2026-11-24 01:00' AS at", options))
    stale = run(project, table("SELECT TIMESTAMP '2026-11-23 23:59:59' AS at", options))
    none = run(project, table("SELECT NULL::TIMESTAMP AS at", options))

    assert [step.error for step in fresh.steps] == [None]
    assert isinstance(only_error(stale), ContractError)
    assert "age is 36 hours" in only_error(stale).message
    assert "newest is NULL" in only_error(none).message


def test_a_table_that_lost_most_of_its_rows_is_not_published(project: Project) -> None:
    options = "min_row_count_ratio = 0.5, max_row_count_ratio = 2, row_count_history = 3"
    for rows in (100, 60, 50):
        assert run(project, table(f"SELECT i FROM range({rows}) AS r (i)", options)).status == "ok"
    fewer = run(project, table("SELECT i FROM range(29) AS r (i)", options))
    more = run(project, table("SELECT i FROM range(121) AS r (i)", options))

    assert "ROW_COUNT (at least 0.5 times the rows before) does not hold: rows is 29" in only_error(fewer).message
    assert "ROW_COUNT (at most 2 times the rows before) does not hold" in only_error(more).message


def test_a_version_whose_rows_are_gone_is_not_compared_with(project: Project) -> None:
    options = "max_drift = 0.1, min_row_count_ratio = 0.5"
    for shift in (0, 1):
        run(project, table(f"SELECT i + {shift} AS i FROM range(100) AS r (i)", options))
    old = project.warehouse.files("t", project.history("t")[1].version)[0]
    (project.root / ".tidemill" / "lake" / old.path).unlink()

    (report,) = project.check().tables

    assert report.held
    assert [result.kind for result in report.results] == ["row_count"]


def test_a_column_that_moved_is_told_and_chance_is_not(project: Project) -> None:
    options = "max_drift = 0.1, not_enforced = ['drift']"
    rows = "SELECT (hash(i + {0}) % 1000)::DOUBLE {1} AS x, 'w' || (hash(i + {0}) % 3) AS w FROM range({2}) AS r (i)"
    run(project, table(rows.format(0, "", 5000), options))

    same = run(project, table(rows.format(5000, "", 5000), options))
    small = run(project, table(rows.format(0, "", 40), options))
    run(project, table(rows.format(0, "", 5000), options))
    moved = run(project, table(rows.format(0, "+ 300", 5000), options))

    assert warnings(same) == warnings(small) == []
    (warning,) = warnings(moved)
    assert warning.startswith("DRIFT (x by PSI at most 0.1) does not hold: psi is ")


def test_outliers_rare_classes_and_other_columns_are_found(project: Project) -> None:
    options = "max_outlier_share = 0.01, class_column = 'c', min_class_share = 0.2, exact_columns = TRUE"
    rows = (
        "SELECT i AS id, CASE WHEN i < {0} THEN 9999.0 ELSE i % 10 END AS x, i < {1} AS c{2} FROM range(100) AS r (i)"
    )
    columns = "(id PRIMARY KEY, x, c)"
    good = run(project, table(rows.format(1, 20, ""), options, columns))
    bad = run(project, table(rows.format(2, 19, ", 1 AS extra"), options, columns))

    assert good.status == "ok"
    shown = only_error(bad).render()
    assert "OUTLIERS (x at most 0.01 of the rows) fails for 2 of 100 rows, such as id = 0, 1" in shown
    assert "each class at least 0.2 of the rows) does not hold: classes is 2, rarest is true, share is 0.19" in shown
    assert "COLUMNS (exactly those declared) does not hold: not declared is extra" in shown
    assert "'columns', 'outliers', 'class_share' to the option NOT_ENFORCED" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("max_age = '1 day'", "MAX_AGE says nothing without FRESHNESS_COLUMN"),
        ("freshness_column = 'a', max_age = 'soon'", "MAX_AGE takes a number and a unit"),
        ("min_row_count_ratio = 3, max_row_count_ratio = 2", "MIN_ROW_COUNT_RATIO 3 is above"),
        ("row_count_history = 3", "ROW_COUNT_HISTORY says nothing"),
        ("not_enforced = ['speed']", "NOT_ENFORCED lists speed, which is no rule"),
        ("max_drift = 0.1, drift_measure = 'PSY'", "DRIFT_MEASURE takes one of"),
        ("max_outlier_share = 0.1, outlier_columns = ['b']", "t has no column b"),
        ("freshness_column = 'a', max_age = '1 day'", "FRESHNESS_COLUMN a is of type INTEGER"),
    ],
)
def test_a_wrong_option_is_refused_with_its_reason(project: Project, options: str, message: str) -> None:
    assert message in only_error(run(project, table("SELECT 1 AS a", options))).message


def test_a_column_that_is_gone_upstream_is_told_with_what_is_new(project: Project) -> None:
    contract = "CREATE TABLE t (CHECK (amount > 0)) AS "
    run(project, contract + "SELECT 1 AS id, 2.5 AS amount")

    renamed = only_error(run(project, contract + "SELECT 1 AS id, 2.5 AS total"))
    reordered = run(project, contract + "SELECT 2.5 AS amount, 1 AS id")
    retyped = only_error(run(project, contract + "SELECT 'many' AS amount, 1 AS id"))

    assert "amount is gone, total is new" in renamed.message
    assert reordered.status == "ok"
    assert "amount was decimal128(2, 1), is string" in retyped.message
    assert project.sql("SELECT amount FROM t").fetchall()[0][0] > 2


def test_a_column_the_list_names_must_be_there(project: Project) -> None:
    contract = "CREATE TABLE t (amount DOUBLE) AS "
    run(project, contract + "SELECT 2.5 AS amount")

    error = only_error(run(project, contract + "SELECT 2.5 AS total"))

    assert isinstance(error, BindError)
    assert error.facts["columns_changed"] == ["amount is gone", "total is new"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("36 hours", 129_600), ("1 day 12 hours", 129_600), ("90 min", None), ("", None), ("5", None)]
)
def test_spans_of_time_are_read_from_words(text: str, seconds: int | None) -> None:
    span = read_duration(text)

    assert (span.total_seconds() if span else None) == seconds
