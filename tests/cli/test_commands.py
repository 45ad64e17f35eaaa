from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import RunCommand


def test_a_plan_says_what_and_why_and_where(command: RunCommand, project: Path) -> None:
    ran = command("plan")
    lines = ran.out.split("\n")
    assert lines[0] == "2 steps to do, 0 unchanged"
    assert lines[1].split() == ["build", "orders", "new", "sql/orders.sql:1"]
    assert lines[2].split() == ["train", "price_model", "new", "sql/price.sql:1"]


def test_a_plan_as_json_is_a_list_of_steps(command: RunCommand, project: Path) -> None:
    steps = command("plan", "--json").json()
    assert [(step["asset"], step["action"]) for step in steps] == [("orders", "build"), ("price_model", "train")]


def test_a_run_tells_its_steps_and_a_second_has_nothing_to_do(command: RunCommand, project: Path) -> None:
    first = command("run")
    assert first.status == 0
    assert "building orders (new)" in first.err
    assert first.out.split("\n")[0].startswith("built    orders")
    assert "60 rows, version 1" in first.out
    assert "2 done" in first.out
    second = command("run")
    assert second.out.startswith("nothing to do")


def test_a_failed_run_leaves_with_the_status_of_the_failure(command: RunCommand, project: Path) -> None:
    (project / "sql" / "orders.sql").write_text(
        "CREATE TABLE orders (id BIGINT, CHECK (items > 1)) AS SELECT * FROM 'orders.csv';\n"
    )
    ran = command("run")
    assert ran.status == 4
    assert "failed" in ran.out
    assert "skipped" in ran.out
    assert "error[TM-DATA-CONTRACT]" in ran.out


def test_a_run_as_json_is_one_report(command: RunCommand, project: Path) -> None:
    report = command("run", "--json").json()
    assert report["status"] == "ok"
    assert [step["status"] for step in report["steps"]] == ["done", "done"]


def test_a_run_can_log_json_lines(command: RunCommand, project: Path) -> None:
    ran = command("run", "--log", "json")
    events = [json.loads(line) for line in ran.err.splitlines()]
    assert events[0]["event"] == "run_started"
    assert events[-1]["event"] == "run_finished"
    assert {event["asset"] for event in events if event["event"] == "step_finished"} == {"orders", "price_model"}
    assert all(event["time"].endswith("+00:00") for event in events)
    assert ran.out == ""


def test_rows_are_printed_as_a_table(command: RunCommand, built: Path) -> None:
    ran = command("sql", "-e", "SELECT id, items FROM orders ORDER BY id LIMIT 2")
    assert ran.out == "id  items\n--  -----\n 0      0\n 1      1\n"


def test_a_long_table_is_cut_and_says_so(command: RunCommand, built: Path) -> None:
    ran = command("query", "FROM orders", "--limit", "5")
    assert ran.out.splitlines()[-1].startswith("... more than 5 rows")
    assert len(command("query", "FROM orders", "--limit", "0").out.splitlines()) == 62


MIXED = (
    "SELECT 1.5 AS number, NULL AS nothing, TRUE AS yes, DATE '2024-02-29' AS day, 'a,\"b' AS text,"
    " [1, 2] AS list, {'k': 'v'} AS struct, 12.50::DECIMAL(9, 2) AS money"
)


def test_rows_as_json_are_a_list_of_objects(command: RunCommand, built: Path) -> None:
    assert command("sql", "--format", "json", "-e", MIXED).json() == [
        {
            "number": 1.5,
            "nothing": None,
            "yes": True,
            "day": "2024-02-29",
            "text": 'a,"b',
            "list": [1, 2],
            "struct": {"k": "v"},
            "money": 12.5,
        }
    ]


def test_the_name_of_the_output_says_the_format(command: RunCommand, built: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    assert command("sql", "-e", "SELECT 1 AS one", "-o", path).status == 0
    assert path.read_text() == "one\n1\n"


def test_an_ending_that_says_no_format_is_refused(command: RunCommand, built: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    ran = command("sql", "-e", "SELECT 1 AS one", "-o", path)
    assert (ran.status, path.exists()) == (2, False)
    assert ".csv, .json, .parquet, .txt" in ran.err
    assert command("sql", "-e", "SELECT 1 AS one", "-o", path, "-f", "csv").status == 0
    assert path.read_text() == "one\n1\n"


def test_each_statement_answers_in_order(command: RunCommand, project: Path, tmp_path: Path) -> None:
    text = "SELECT 1 AS one; CREATE TABLE t AS SELECT 5 AS five; ASSERT (SELECT five = 5 FROM t); FROM t"
    first, made, held, last = command("sql", "-e", text).out.split("\n\n")
    assert first == "one\n---\n  1"
    assert made.splitlines()[2].split()[:2] == ["t", "table"]
    assert held.splitlines()[2].strip() == "true"
    assert last == "five\n----\n   5\n"
    command("sql", "-e", "SELECT 1 AS one; SELECT 2 AS two", "-o", tmp_path / "both.txt")
    assert (tmp_path / "both.txt").read_text() == "one\n---\n  1\n\ntwo\n---\n  2\n"


def test_what_was_answered_before_a_wrong_statement_is_shown(command: RunCommand, built: Path) -> None:
    ran = command("sql", "-e", "SELECT 1 AS one; SELECT nothing FROM orders")
    assert (ran.status, ran.out) == (3, "one\n---\n  1\n")


def test_a_file_for_programs_holds_the_last_rows_asked_for(command: RunCommand, project: Path) -> None:
    ran = command("sql", "-f", "csv", "-e", "SELECT 1 AS one; CREATE TABLE t AS SELECT 5 AS five; SELECT 2 AS two")
    assert (ran.out, "note: 1 result left out" in ran.err) == ("two\n2\n", True)
    ran = command("sql", "-f", "csv", "-e", "FROM t; CREATE OR REPLACE TABLE t AS SELECT 6 AS five")
    assert (ran.out, ran.err) == ("five\n5\n", "")
    ran = command("sql", "-f", "csv", "-e", "CREATE OR REPLACE TABLE t AS SELECT 6 AS five")
    assert ran.out.startswith("name,kind,version,rows\nt,table,")


def test_wide_rows_stand_upright_on_demand(command: RunCommand, built: Path) -> None:
    assert command("query", "SELECT 1 AS one, 2 AS three", "--format", "vertical").out == "one:   1\nthree: 2\n"


@pytest.mark.parametrize(
    ("typed", "shown"), [(".tables\n", "orders(id, items, price)"), ("help;", "  .tables"), (".help", "  .tables")]
)
def test_dot_commands_are_answered_from_a_pipe(
    command: RunCommand, built: Path, monkeypatch: pytest.MonkeyPatch, typed: str, shown: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    ran = command("sql")
    assert (ran.status, shown in ran.out) == (0, True)


def test_dot_commands_among_statements_are_said_to_stand_alone(command: RunCommand, built: Path) -> None:
    ran = command("sql", "-e", "SELECT 1;\n.tables\n")
    assert (ran.status, "dot commands such as .tables stand alone here" in ran.err) == (3, True)


def test_an_unknown_dot_command_from_a_pipe_fails(
    command: RunCommand, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(".tabels"))
    ran = command("sql")
    assert (ran.status, "did you mean .tables?" in ran.err) == (2, True)


def test_no_rows_as_json_are_an_empty_list(command: RunCommand, built: Path) -> None:
    assert command("sql", "-f", "json", "-e", "SELECT id FROM orders WHERE false").json() == []


def test_rows_as_csv_read_back_as_they_were(command: RunCommand, built: Path) -> None:
    ran = command("sql", "--format", "csv", "-e", MIXED)
    (row,) = csv.DictReader(io.StringIO(ran.out))
    assert row == {
        "number": "1.5",
        "nothing": "",
        "yes": "true",
        "day": "2024-02-29",
        "text": 'a,"b',
        "list": "[1, 2]",
        "struct": '{"k": "v"}',
        "money": "12.5",
    }


def test_rows_are_written_to_parquet_with_their_types(command: RunCommand, built: Path, tmp_path: Path) -> None:
    target = tmp_path / "rows.parquet"
    assert command("sql", "-f", "parquet", "-o", target, "-e", "FROM orders").status == 0
    table = pq.read_table(target)
    assert (table.num_rows, table.column_names) == (60, ["id", "items", "price"])
    assert list(tmp_path.glob("*.partial")) == []


def test_a_file_that_cannot_be_written_is_said(command: RunCommand, built: Path, tmp_path: Path) -> None:
    ran = command("query", "FROM orders", "-f", "csv", "-o", tmp_path / "no" / "rows.csv")
    assert ran.status == 4
    assert "cannot write" in ran.err


def test_statements_come_from_a_file_or_from_standard_input(
    command: RunCommand, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "q.sql").write_text("SELECT 1 AS one; SELECT 2 AS two;")
    assert command("sql", tmp_path / "q.sql", "-f", "csv").out == "two\n2\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 3 AS three"))
    assert command("sql", "-f", "csv").out == "three\n3\n"


def test_paths_in_statements_begin_in_the_project_wherever_one_stands(
    command: RunCommand, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "orders.csv").write_text("id,items,price\n1,1,1\n")
    monkeypatch.chdir(elsewhere)
    assert command("run", "-C", project).status == 0
    ran = command("query", "SELECT count(*) AS n FROM orders", "-C", project, "-f", "csv", "-o", "n.csv")
    assert (ran.status, (elsewhere / "n.csv").read_text()) == (0, "n\n60\n")
    assert Path.cwd() == elsewhere


def test_a_file_and_a_text_at_once_are_refused(command: RunCommand, built: Path) -> None:
    assert command("sql", "q.sql", "-e", "SELECT 1").status == 2


def test_a_wrong_query_shows_its_place_with_carets(command: RunCommand, built: Path) -> None:
    ran = command("query", "SELECT * FROM ML.PREDIC(MODEL price_model, TABLE orders)")
    assert ran.status == 3
    assert "did you mean ML.PREDICT?" in ran.err
    assert "^^^^" in ran.err
    assert ran.out == ""


def test_bigquery_statements_run_in_their_dialect(command: RunCommand, built: Path) -> None:
    ran = command(
        "query", "--dialect", "bigquery", "-f", "csv", "SELECT SAFE_DIVIDE(1, 0) AS x, `id` FROM `orders` LIMIT 1"
    )
    assert (ran.status, ran.out) == (0, "x,id\n,0\n")


def test_the_history_lists_each_version(command: RunCommand, project: Path) -> None:
    command("run")
    with (project / "orders.csv").open("a") as file:
        file.write("60,1,4\n")
    command("run")
    versions = command("history", "orders", "--json").json()
    assert [version["rows"] for version in versions] == [61, 60]
    assert versions[0]["version"] > versions[1]["version"]
    assert len(command("history", "orders").out.splitlines()) == 4


def test_an_unknown_table_has_no_history(command: RunCommand, built: Path) -> None:
    ran = command("history", "ordres")
    assert ran.status == 5
    assert "orders" in ran.err


def test_the_history_of_a_model_points_to_its_versions(command: RunCommand, built: Path) -> None:
    ran = command("history", "Price_Model")
    assert ran.status == 5
    assert "tidemill models price_model --all" in ran.err
    listed = command("models", "price_model", "--all").out.splitlines()
    assert listed[0].split()[-4:] == ["took", "run", "digest", "metrics"]
    assert len(listed) == 3
    assert "did you mean price_model?" in command("models", "price_modle").err


def test_models_are_listed_with_their_metrics(command: RunCommand, built: Path) -> None:
    (model,) = command("models", "--json").json()
    assert (model["name"], model["version"]) == ("price_model", 1)
    assert model["metrics"]["r2_score"] > 0.9
    assert "price_model" in command("models").out


def test_every_version_of_a_model_is_listed_on_demand(command: RunCommand, built: Path) -> None:
    (version,) = command("models", "--all", "--json").json()
    assert isinstance(version["options"], dict)


def test_a_project_without_models_says_so(command: RunCommand, project: Path) -> None:
    assert command("models").out.startswith("no models")
    assert command("models", "--json").json() == []


def test_files_that_are_as_written_verify(command: RunCommand, built: Path) -> None:
    assert command("verify").out == "every file is as it was written\n"
    assert command("verify", "--json").json() == []


def test_a_changed_data_file_is_found(command: RunCommand, project: Path) -> None:
    command("run", "orders")
    (file,) = (project / ".tidemill" / "lake" / "data").rglob("*.parquet")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    ran = command("verify")
    assert ran.status == 5
    assert "orders" in ran.out


def test_lint_gives_each_statement_a_status(command: RunCommand, tmp_path: Path) -> None:
    file = tmp_path / "old.sql"
    file.write_text(
        "CREATE OR REPLACE MODEL `p.d.m` OPTIONS (model_type='logistic_reg', input_label_cols=['y'],"
        " model_registry='vertex_ai') AS SELECT * FROM `p.d.t`;\n"
        "CREATE MODEL d.f OPTIONS (model_type='ARIMA_PLUS') AS SELECT 1 AS a;\n"
        "SELECT * FROM ML.PREDICT(MODEL d.m, TABLE d.t);\n"
        "SELECT * FORM t;\n"
    )
    ran = command("lint", "--dialect", "bigquery", "--json", file)
    assert ran.status == 3
    rows = ran.json()
    assert [row["status"] for row in rows] == ["partial", "rejected", "supported", "error"]
    assert [set(row) for row in rows] == [{"file", "line", "statement", "status", "reason"}] * 4
    assert [row["line"] for row in rows] == [1, 2, 3, 4]
    assert [bool(row["reason"]) for row in rows] == [True, True, False, True]


def test_lint_reads_the_project_when_no_file_is_given(command: RunCommand, project: Path) -> None:
    ran = command("lint")
    assert ran.status == 0
    assert ran.out.splitlines()[-1] == "2 supported"
    assert ran.out.startswith("sql/orders.sql:1: supported")


def test_lint_needs_no_project_for_a_file(command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.sql").write_text("SELECT 1")
    assert command("lint", "q.sql").status == 0
    assert command("lint").status == 2
    assert command("lint", "missing.sql").status == 5


def test_lint_refuses_text_that_is_not_utf8(command: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_bytes(b"SELECT '\xff'")
    ran = command("lint", tmp_path / "q.sql")
    assert ran.status == 4
    assert "not UTF-8" in ran.err


def test_the_doctor_finds_a_healthy_project_healthy(command: RunCommand, built: Path) -> None:
    findings = command("doctor", "--json").json()
    checks = {finding["check"]: finding["status"] for finding in findings}
    assert {"python", "packages", "engine", "disk", "project", "control database", "statements", "lake"} <= set(checks)
    assert "bad" not in checks.values()


def test_the_doctor_names_what_is_wrong(command: RunCommand, project: Path) -> None:
    (project / "sql" / "orders.sql").write_text("CREATE TABLE orders AS SELECT FROM;")
    ran = command("doctor")
    assert ran.status == 1
    assert "bad      statements:" in ran.out


def test_the_doctor_looks_at_a_machine_without_a_project(command: RunCommand, tmp_path: Path) -> None:
    ran = command("doctor", "-C", tmp_path)
    assert ran.status == 0
    assert "warning  project" in ran.out
