"""Runs: what is built, what is kept when something fails, and what is not done twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.runner.conftest import MODEL, TABLES, write_visits

from tidemill.core.errors import (
    BindError,
    BusyError,
    ContractError,
    NotFoundError,
    ParseError,
    SourceError,
    TidemillError,
)
from tidemill.project import Project, open_project
from tidemill.runner.events import StepFinished
from tidemill.runner.report import RunReport
from tidemill.warehouse.control import leases
from tidemill.warehouse.control.holders import this_process


def statuses(report: RunReport) -> dict[str, str]:
    return {step.asset: step.status for step in report.steps}


def count(project: Project, table: str) -> int:
    return int(project.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def only_error(report: RunReport) -> TidemillError:
    (error,) = [step.error for step in report.steps if step.error]
    return error


def test_a_run_builds_the_tables_and_trains_the_model(project: Project) -> None:
    report = project.run()

    assert statuses(report) == {"visits": "done", "features": "done", "buyers": "done"}
    assert report.status == "ok"
    assert count(project, "features") == 600
    assert project.sql("SELECT roc_auc FROM ML.EVALUATE(MODEL buyers)").fetchall()[0][0] > 0.9


def test_a_second_run_does_nothing(project: Project) -> None:
    project.run()

    assert project.run().status == "nothing"


def test_a_changed_file_runs_everything_that_hangs_on_it(project: Project, root: Path) -> None:
    project.run()
    write_visits(root, rows=700)

    report = project.run()

    assert [step.reason for step in report.steps] == ["visits.csv changed", "visits changed", "features changed"]
    assert count(project, "features") == 700


def test_a_comment_rebuilds_nothing(project: Project, root: Path) -> None:
    project.run()
    (root / "sql" / "tables.sql").write_text("-- visits of the shop\n" + TABLES.replace("SELECT *", "select  *"))

    assert not project.plan().changed


def test_rows_that_break_a_constraint_are_never_published(project: Project, root: Path) -> None:
    project.run()
    (root / "visits.csv").write_text("id,pages,country\n1,-3,NL\n1,2,DE\n")

    report = project.run()

    assert statuses(report) == {"visits": "failed", "features": "skipped", "buyers": "skipped"}
    assert isinstance(only_error(report), ContractError)
    assert "the old version stays" in only_error(report).message
    assert count(project, "visits") == 600
    assert report.exit_status == 4
    failed = project.sql("SELECT count(*) FROM tidemill.checks WHERE status = 'failed'").fetchall()
    assert failed == [(2,)]


def test_the_rest_of_a_run_goes_on_when_a_step_fails(project: Project, root: Path) -> None:
    (root / "sql" / "other.sql").write_text("CREATE TABLE numbers AS SELECT 1 AS n;")
    (root / "visits.csv").unlink()

    report = project.run()

    assert statuses(report) == {"numbers": "done", "visits": "failed", "features": "skipped", "buyers": "skipped"}
    assert isinstance(only_error(report), SourceError)


def test_a_failed_step_is_tried_again_by_the_next_run(project: Project, root: Path) -> None:
    (root / "visits.csv").unlink()
    project.run()
    write_visits(root)

    assert statuses(project.run()) == {"visits": "done", "features": "done", "buyers": "done"}


def test_a_statement_that_is_gone_drops_its_table(project: Project, root: Path) -> None:
    project.run()
    (root / "sql" / "model.sql").unlink()

    report = project.run()

    assert statuses(report) == {"buyers": "done"}
    with pytest.raises(TidemillError, match="buyers"):
        project.sql("SELECT * FROM ML.EVALUATE(MODEL buyers)")


def test_an_old_version_of_a_table_can_be_read(project: Project, root: Path) -> None:
    project.run()
    write_visits(root, rows=10)
    project.run(["visits"])

    newest, oldest = project.history("visits")[0], project.history("visits")[-1]

    assert (newest.rows, oldest.rows) == (10, 600)
    assert project.sql(f"SELECT count(*) FROM visits AT (VERSION => {oldest.version})").fetchall() == [(600,)]


def test_a_file_that_is_not_utf8_names_file_and_line(project: Project, root: Path) -> None:
    (root / "sql" / "bad.sql").write_bytes(b"SELECT 1;\n-- caf\xe9\n")

    with pytest.raises(ParseError) as raised:
        project.plan()

    assert str(raised.value.where) == "sql/bad.sql:2:1"


def test_a_second_run_says_who_is_running(project: Project, root: Path) -> None:
    holder = this_process()
    with (
        leases.held(project.db, "project", holder, run_id="r1"),
        open_project(root) as other,
        pytest.raises(BusyError) as raised,
    ):
        other.run()

    assert str(holder.pid) in raised.value.message


def test_an_assertion_that_fails_fails_the_run(project: Project, root: Path) -> None:
    (root / "sql" / "assert.sql").write_text("ASSERT (SELECT count(*) > 1000 FROM visits) AS 'too few visits';")

    report = project.run()

    assert only_error(report).message == "too few visits: it was 600 > 1000"
    assert statuses(report)["buyers"] == "done"


@pytest.mark.parametrize(
    ("asserted", "said"),
    [
        ("(SELECT count(*) FROM visits) = (SELECT count(DISTINCT id) FROM visits) + 1", ": it was 600 = 601"),
        ("(SELECT max(id) FROM visits) < 0", ""),  # not of values, which may be shown nowhere
        ("1 = 2", ": it was 1 = 2"),
        ("NOT true", ""),
    ],
)
def test_an_assertion_over_counts_says_what_they_were(project: Project, root: Path, asserted: str, said: str) -> None:
    (root / "sql" / "assert.sql").write_text(f"ASSERT {asserted} AS 'no';")

    assert only_error(project.run(["+visits", "*assert*"])).message == f"no{said}"


def test_a_view_is_read_in_place_even_with_a_model_in_it(project: Project, root: Path) -> None:
    (root / "sql" / "view.sql").write_text(
        "CREATE VIEW scored AS SELECT id, predicted_bought FROM ML.PREDICT(MODEL buyers, TABLE features);\n"
        "CREATE TABLE sold AS SELECT count(*) AS n FROM scored WHERE predicted_bought;"
    )

    report = project.run()

    assert statuses(report)["sold"] == "done"
    assert project.sql("SELECT count(*) FROM scored").fetchall() == [(600,)]


def test_training_twice_on_one_snapshot_gives_one_digest(project: Project) -> None:
    project.run()
    project.run(["buyers"], full_refresh=True)

    digests = project.sql("SELECT DISTINCT digest FROM tidemill.model_versions").fetchall()

    assert len(digests) == 1
    assert project.sql("SELECT max(version) FROM tidemill.model_versions").fetchall() == [(2,)]


def test_everything_a_run_did_is_a_row(project: Project) -> None:
    report = project.run()

    steps = project.sql("SELECT asset, status FROM tidemill.steps ORDER BY asset").fetchall()
    (run,) = project.sql("SELECT run_id, status FROM tidemill.runs").fetchall()

    assert steps == [("buyers", "done"), ("features", "done"), ("visits", "done")]
    assert run == (report.run_id, "ok")
    assert project.sql("SELECT count(*) FROM tidemill.metrics WHERE model = 'buyers'").fetchall() == [(6,)]


def test_typed_statements_are_carried_out_at_once(project: Project) -> None:
    project.run()

    made = project.sql("CREATE TABLE adults AS SELECT * FROM visits WHERE pages > 8").fetchall()
    options = "OPTIONS (model_type = 'LINEAR_REG', labels = ['pages'])"
    project.sql(f"CREATE MODEL quick {options} AS SELECT pages, id FROM visits")

    assert made[0][:2] == ("adults", "table")
    assert count(project, "ML.PREDICT(MODEL quick, TABLE adults)") == made[0][3]
    assert not project.plan().changed
    project.sql("DROP TABLE adults; DROP MODEL quick")
    with pytest.raises(BindError):
        project.sql("SELECT * FROM adults")


def test_a_typed_statement_cannot_take_the_name_of_a_file_made_one(project: Project) -> None:
    project.run()

    with pytest.raises(TidemillError, match=r"visits is made by sql/tables.sql:2"):
        project.sql("CREATE OR REPLACE TABLE visits AS SELECT 1 AS id")


def test_a_model_predicts_on_rows_from_python(project: Project) -> None:
    project.run()

    rows = project.model("buyers").predict([{"pages": 9, "country": "FR"}, {"pages": 1, "country": "DE"}])

    assert rows.to_arrow().column("predicted_bought").to_pylist() == [True, False]
    assert rows.columns[:2] == ["predicted_bought", "predicted_bought_probs"]


def test_a_column_of_nothing_but_none_has_the_type_it_was_trained_on(project: Project) -> None:
    project.run()
    rows = project.model("buyers").predict([{"pages": 9, "country": None}]).fetchall()
    assert len(rows) == 1


def test_the_label_may_not_be_missing(project: Project, root: Path) -> None:
    (root / "sql" / "model.sql").write_text(MODEL.replace("['bought']", "['baught']"))

    error = only_error(project.run())

    assert isinstance(error, BindError)
    assert error.hint == "did you mean bought?"


def test_a_ragged_file_is_refused_with_its_line_and_nothing_is_lost(project: Project, root: Path) -> None:
    project.run()
    (root / "visits.csv").write_text("id,pages,country\n1,2,NL\n3,4\n5,6,DE,x\n")

    error = only_error(project.run())

    assert isinstance(error, SourceError)
    assert error.message == (
        "2 bad rows, where at most 0 may be: line 3 of visits.csv: it has 2 fields, the header has 3;"
        " line 4 of visits.csv: it has 4 fields, the header has 3"
    )
    assert count(project, "visits") == 600


def test_an_unknown_column_is_shown_under_its_name(project: Project, root: Path) -> None:
    (root / "sql" / "more.sql").write_text("CREATE TABLE more AS\nSELECT id,\n  pagess FROM visits;\n")

    report = project.run()

    error = next(step.error for step in report.steps if step.asset == "more")
    assert error is not None
    assert str(error.where) == "sql/more.sql:3:3"
    assert error.hint == "did you mean pages?"
    assert "^^^^^^" in error.render()


def test_a_model_is_not_trained_on_damaged_rows(root: Path) -> None:
    with open_project(root) as project:
        project.run(["features"])
    for path in (root / ".tidemill" / "lake" / "data").rglob("*.parquet"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    with open_project(root) as project:
        error = only_error(project.run())

    assert error.code == "TM-CORRUPT"
    assert "features is damaged" in error.message


def test_a_project_can_keep_its_control_database_in_postgresql(root: Path, postgresql: str) -> None:
    (root / "tidemill.toml").write_text(f'control_url = "{postgresql}"\n')

    with open_project(root) as project:
        assert project.run().status == "ok"
        assert project.run().status == "nothing"
        assert count(project, "tidemill.model_versions") == 1
    assert not (root / ".tidemill" / "control.sqlite").exists()


def test_a_failing_check_is_shown_where_it_stands(project: Project, root: Path) -> None:
    (root / "visits.csv").write_text("id,pages,country\n1,-3,NL\n")

    error = only_error(project.run())

    assert str(error.where) == "sql/tables.sql:2:54"
    assert "CHECK (pages >= 0)" in (error.where.text if error.where else "")


def test_loading_into_a_table_twice_adds_no_row_twice(project: Project, root: Path) -> None:
    (root / "sql" / "load.sql").write_text(
        "LOAD DATA INTO orders FROM FILES (format = 'CSV', uris = ['orders/*.csv']);"
    )
    (root / "orders").mkdir()
    (root / "orders" / "1.csv").write_text("id,n\n1,5\n2,6\n")
    project.run(["orders"])
    (root / "orders" / "2.csv").write_text("id,n\n3,7\n")
    project.run(["orders"])

    assert count(project, "orders") == 3


def test_a_warm_start_goes_on_from_the_version_before(project: Project, root: Path) -> None:
    statement = MODEL.replace("'LOGISTIC_REG'", "'LOGISTIC_REG', warm_start = TRUE, max_iterations = 3")
    (root / "sql" / "model.sql").write_text(statement)
    first = project.run()
    assert "no earlier version" in next(step for step in first.steps if step.asset == "buyers").warnings[-1]
    write_visits(root, rows=900)
    project.run()

    rows = project.sql(
        "SELECT training_run, iteration, loss, duration_ms FROM ML.TRAINING_INFO(MODEL buyers)"
    ).fetchall()

    assert [row[:2] for row in rows] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert rows[3][2] < rows[0][2]
    assert [row[3] is None for row in rows] == [True] * 3 + [False] * 3


def test_a_statement_that_is_not_carried_out_fails_the_run_by_name(project: Project, root: Path) -> None:
    (root / "sql" / "start.sql").write_text("CREATE TABLE t AS SELECT 1 AS a;\nINSERT INTO t SELECT 2;\n")

    report = project.run()

    assert statuses(report)["t"] == "done"
    assert only_error(report).code == "TM-UNSUPPORTED"
    assert str(only_error(report).where) == "sql/start.sql:2:1"


def test_a_copied_project_has_nothing_to_do(
    project: Project, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project.run()
    project.close()
    copy = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(root, copy)

    with open_project(copy) as moved:
        assert [step.reason for step in moved.plan().work] == []
        assert count(moved, "features") == 600


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_table_whose_file_is_gone_or_cut_is_built_again(project: Project, root: Path, damage: str) -> None:
    project.run()
    project.close()
    for path in (root / ".tidemill" / "lake" / "data").rglob("features/*.parquet"):
        path.unlink() if damage == "gone" else path.write_bytes(path.read_bytes()[:100])

    with open_project(root) as again:
        report = again.run(["features"])

        assert [(step.asset, step.reason) for step in report.steps] == [("features", "its files are gone or damaged")]
        assert count(again, "features") == 600


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("SELECT * FROM visits\nJOIN features USING (cuontry)", "sql/more.sql:3:22"),
        ("SELECT country,\n  pages FROM visits GROUP BY country", "sql/more.sql:3:3"),
    ],
)
def test_a_name_that_the_engine_only_mentions_is_pointed_at(
    project: Project, root: Path, query: str, place: str
) -> None:
    (root / "sql" / "more.sql").write_text(f"CREATE TABLE more AS\n{query};\n")

    error = next(step.error for step in project.run(["more"]).steps if step.asset == "more")

    assert error is not None
    assert str(error.where) == place


def test_functions_read_the_version_of_a_model_that_the_call_names(project: Project, root: Path) -> None:
    project.run()
    write_visits(root, rows=400)
    project.run()
    info = "SELECT iteration, loss FROM ML.TRAINING_INFO(MODEL buyers{}) ORDER BY iteration"

    first, second, newest = (
        project.sql(info.format(at)).fetchall() for at in (" AT (VERSION => 1)", " AT (VERSION => 2)", "")
    )

    assert second == newest
    assert first != newest


def test_a_version_that_does_not_exist_is_named_at_its_place(project: Project) -> None:
    project.run()

    with pytest.raises(NotFoundError, match="model buyers has no version 7") as caught:
        project.sql("SELECT * FROM ML.EVALUATE(MODEL buyers AT (VERSION => 7))")

    assert caught.value.hint == "versions: 1"
    assert caught.value.where is not None
    assert (caught.value.where.column, caught.value.where.length) == (33, len("buyers AT (VERSION => 7)"))


def test_a_model_that_does_not_exist_is_named_at_its_place(project: Project) -> None:
    project.run()

    with pytest.raises(NotFoundError, match="there is no model buyres") as caught:
        project.sql("SELECT *\nFROM ML.PREDICT(MODEL buyres, TABLE features)")

    assert "buyers" in caught.value.hint
    assert caught.value.where is not None
    assert (caught.value.where.line, caught.value.where.column, caught.value.where.length) == (2, 23, 6)


def test_one_file_that_two_tables_name_in_two_ways_is_hashed_once(project: Project, root: Path) -> None:
    (root / "sql" / "twice.sql").write_text(
        "CREATE TABLE one AS SELECT * FROM 'a?.csv'; CREATE TABLE two AS SELECT * FROM 'a1.csv';"
    )
    (root / "a1.csv").write_text("v\n1\n")  # written just now: its digest is not trusted, and taken again by each plan

    report = project.run(["one", "two"])

    assert [(step.asset, step.status) for step in report.steps] == [("one", "done"), ("two", "done")]


def test_a_run_whose_listener_has_left_is_written_down_as_cancelled(project: Project) -> None:
    def leave(event: object) -> None:
        if isinstance(event, StepFinished):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        project.run(on_event=leave)

    assert project.sql("SELECT status FROM tidemill.runs").fetchall() == [("cancelled",)]
    assert project.run().status == "ok"
