"""Batches: each row once, in order, as ML.PREDICT answers it; killed jobs go on; the log says who scored what."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.cli.main import run_command
from tidemill.core.errors import (
    BindError,
    BusyError,
    ExistsError,
    NotFoundError,
    SettingsError,
    SourceError,
    SpaceError,
    StateError,
)
from tidemill.project import Project, open_project
from tidemill.runner.batch.request import BATCH_ROWS, BatchReport, BatchRequest

ROWS = 3 * BATCH_ROWS + 1234
# Every eleventh row stands twice, one right after the other, and rows do not come in the order of any column.
VISITS = f"""
CREATE TABLE train AS SELECT i % 11 AS pages, ['NL', 'DE', 'FR'][i % 3 + 1] AS country, i % 11 > 4 AS bought
FROM range(600) t(i);
CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought']) AS
SELECT * FROM train;
CREATE TABLE visits AS SELECT (i // 2 * 7919) % 1000003 AS id, (i * 7) % 11 AS pages,
['NL', 'DE', 'FR'][i % 3 + 1] AS "Länd ""x"" y", country FROM (
  SELECT *, ['NL', 'DE', 'FR'][i % 3 + 1] AS country FROM range({ROWS}) t(i));
CREATE VIEW recent AS SELECT id, pages, country FROM visits WHERE pages > 2;
"""
PREDICT = """
import sys, json
from tidemill.cli.main import run_command
sys.exit(run_command(json.loads(sys.argv[1])))
"""
OUTPUTS = ("scored", "out.parquet", "out.csv", "out.ndjson")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is built; tests work on copies."""
    root = tmp_path_factory.mktemp("built")
    (root / "tidemill.toml").write_text('name = "shop"\n')
    (root / "sql").mkdir()
    (root / "sql" / "all.sql").write_text(VISITS)
    with open_project(root) as project:
        assert project.run().status == "ok"
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    """A copy of the built project."""
    shutil.copytree(built, tmp_path / "shop")
    return tmp_path / "shop"


@pytest.fixture(autouse=True)
def in_project(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests stand in the project's folder."""
    monkeypatch.chdir(root)


@pytest.fixture
def project(root: Path) -> Iterator[Project]:
    """The project, opened."""
    with open_project(root) as opened:
        yield opened


def request(root: Path, output: str = "scored", **given: Any) -> BatchRequest:
    facts: dict[str, Any] = {"input": "visits", "chunk_rows": BATCH_ROWS, "here": root, "who": "ada"} | given
    if "query" in given:
        facts["input"] = ""
    return BatchRequest(model=facts.pop("model", "buyers"), output=output, **facts)


def predict(project: Project, output: str = "scored", **given: Any) -> BatchReport:
    return project.predict(request(project.root, output, **given))


def rows_of(project: Project, output: str) -> list[tuple[Any, ...]]:
    """The rows of an output in their order: an id, and what was predicted of it."""
    source = f"'{output}'" if "." in output else output
    return project.sql(f"SELECT id, pages, predicted_bought FROM {source}").fetchall()


def expected(project: Project, source: str = "TABLE visits") -> list[tuple[Any, ...]]:
    return project.sql(f"SELECT id, pages, predicted_bought FROM ML.PREDICT(MODEL buyers, {source})").fetchall()


def command_killed_at(root: Path, fault: str, output: str, *more: str) -> None:
    arguments = ["predict", "buyers", "-o", output, "--chunk-rows", str(BATCH_ROWS), *(more or ("-i", "visits"))]
    process = subprocess.run(
        [sys.executable, "-c", PREDICT, json.dumps(arguments)],
        env={**os.environ, "TIDEMILL_FAULT": fault, "TIDEMILL_USER": "ada"},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == -9, process.stderr


@pytest.mark.parametrize("output", OUTPUTS)
def test_each_row_is_answered_once_in_the_order_of_the_input(project: Project, output: str, root: Path) -> None:
    report = predict(project, output)

    assert (report.rows, report.chunks, report.chunks_before) == (ROWS, 4, 0)
    assert rows_of(project, output) == expected(project)


def test_a_table_has_the_columns_and_values_of_ml_predict(project: Project) -> None:
    predict(project)

    whole = project.sql("SELECT * FROM ML.PREDICT(MODEL buyers, TABLE visits)").to_arrow()
    scored = project.sql("SELECT * FROM scored").to_arrow()
    assert scored.schema.names == whole.schema.names
    assert scored.equals(whole.cast(scored.schema))


def test_a_parquet_file_joined_from_chunks_reads_as_one_written_at_once(project: Project, root: Path) -> None:
    predict(project, "out.parquet")

    file = pq.ParquetFile(root / "out.parquet")
    whole = project.sql("SELECT * FROM ML.PREDICT(MODEL buyers, TABLE visits)").to_arrow()
    assert file.metadata.num_row_groups == 4
    assert file.metadata.num_rows == ROWS
    assert file.read().equals(whole)
    assert pq.read_table(root / "out.parquet", filters=[("id", "==", 7919)]).num_rows == 2  # statistics still fit
    assert [path.name for path in root.iterdir() if path.name.startswith(".out")] == []


def test_lines_of_json_and_csv_hold_every_value(project: Project, root: Path) -> None:
    query = "SELECT 1.5 AS pages, 'NL' AS country, 'nan'::DOUBLE AS odd, [1e400::DOUBLE, 2] AS many, 'ä\"\n,' AS text"
    query += ", '\\xFF'::BLOB AS bytes, NULL::VARCHAR AS nothing, '' AS empty, DATE '2020-02-03' AS day"

    for output in ("out.ndjson", "out.csv"):
        predict(project, output, query=query, columns=("odd", "many", "text", "bytes", "nothing", "empty", "day"))

    line = json.loads((root / "out.ndjson").read_text())
    assert line == {
        "odd": None, "many": [None, 2.0], "text": 'ä"\n,', "bytes": "/w==", "nothing": None, "empty": "",
        "day": "2020-02-03",
    }  # fmt: skip
    header, *rest = (root / "out.csv").read_text().split("\n", 1)
    assert header == '"odd","many","text","bytes","nothing","empty","day"'
    assert rest[0].startswith("nan,")
    assert rest[0].endswith(',"/w==",,"","2020-02-03"\n')


@pytest.mark.parametrize("output", ["scored", "out.parquet", "out.csv"])
@pytest.mark.parametrize(
    "point",
    ["batch.before_chunk:kill:2", "batch.after_chunk:kill:3", "batch.before_finish:kill", "batch.before_record:kill"],
)
def test_a_killed_job_goes_on_and_loses_and_doubles_no_row(root: Path, output: str, point: str) -> None:
    command_killed_at(root, point, output)
    with open_project(root) as project:
        seen = output in project.warehouse.tables() or (root / output).exists()
        report = predict(project, output)

        assert seen == (point == "batch.before_record:kill")  # nothing half visible
        chunks = {"batch.before_chunk:kill:2": 1, "batch.after_chunk:kill:3": 3}.get(point, 4)
        assert report.chunks_before == chunks
        assert rows_of(project, output) == expected(project)
        assert project.sql("SELECT status, version, rows, who FROM tidemill.scoring_jobs").fetchall() == [
            ("done", 1, ROWS, "ada")
        ]
        ranges = project.sql("SELECT first_row, rows FROM tidemill.scoring_chunks ORDER BY chunk").fetchall()
        assert ranges == [(n * BATCH_ROWS, BATCH_ROWS if n < 3 else 1234) for n in range(4)]
        assert project.verify() == []
        assert output != "scored" or len(project.history("scored")) == 1


@pytest.mark.parametrize("point", ["publish.after_move", "publish.before_commit", "publish.after_commit"])
def test_a_job_killed_while_it_publishes_is_published_once(root: Path, point: str) -> None:
    command_killed_at(root, f"{point}:kill", "scored")

    with open_project(root) as project:
        predict(project)

        assert len(project.history("scored")) == 1
        assert rows_of(project, "scored") == expected(project)
        assert project.verify() == []


def test_a_file_job_killed_around_the_rename_leaves_the_old_file_or_the_new(root: Path) -> None:
    (root / "out.parquet").write_bytes(b"old")
    command_killed_at(root, "batch.before_rename:kill", "out.parquet")
    assert (root / "out.parquet").read_bytes() == b"old"

    with open_project(root) as project:
        assert predict(project, "out.parquet").chunks_before == 4
    assert pq.read_metadata(root / "out.parquet").num_rows == ROWS


def test_rows_of_a_join_are_copied_once_so_that_a_killed_job_goes_on_in_their_order(root: Path) -> None:
    query = "SELECT v.*, random() AS draw FROM visits v JOIN (SELECT DISTINCT pages FROM visits) p USING (pages)"
    command_killed_at(root, "batch.after_chunk:kill:2", "scored", "-q", query)

    with open_project(root) as project:
        report = predict(project, query=query)

        assert report.chunks_before == 2
        ids = project.sql("SELECT id FROM scored ORDER BY id").fetchall()
        assert ids == project.sql("SELECT id FROM visits ORDER BY id").fetchall()
        # Two rows share a draw only if a row was read twice.
        assert project.sql("SELECT count(DISTINCT draw) FROM scored").fetchall() == [(ROWS,)]
        assert list((root / ".tidemill/lake/staging").rglob("*.parquet")) == []


def test_a_view_and_files_by_pattern_are_inputs(project: Project, root: Path) -> None:
    (root / "data").mkdir()
    for number in range(2):
        table = pa.table({"id": [number, 9], "pages": [1, 8], "country": ["NL", None]})
        pq.write_table(table, root / "data" / f"part 'ü' {number}.parquet")

    assert predict(project, input="recent").rows == len(expected(project, "TABLE recent"))
    assert predict(project, "out.csv", input="data/*.parquet").rows == 4
    assert [row[0] for row in rows_of(project, "out.csv")] == [0, 9, 1, 9]
    (version,) = project.sql("SELECT input_version FROM tidemill.scoring_jobs WHERE output = 'out.csv'").fetchall()
    read = json.loads(version[0])["files"]["data/*.parquet"]
    assert set(read) == {"data/part 'ü' 0.parquet", "data/part 'ü' 1.parquet"}


def test_the_same_command_again_does_nothing_while_the_output_is_as_it_was_left(project: Project, root: Path) -> None:
    for output in ("scored", "out.parquet"):
        first = predict(project, output)
        again = predict(project, output)

        assert again.already
        assert again.job_id == first.job_id
    (root / "out.parquet").write_bytes(b"cut")
    project.sql("CREATE OR REPLACE TABLE scored AS SELECT 1 AS x")
    for output in ("scored", "out.parquet"):
        report = predict(project, output)

        assert not report.already
        assert "no longer what job" in report.notes[0]
        assert len(rows_of(project, output)) == ROWS
    assert not predict(project, "out.parquet", again=True).already


def test_an_input_that_changed_between_attempts_makes_a_new_job_and_says_so(root: Path) -> None:
    (root / "in.csv").write_text("id,pages,country\n" + "1,2,NL\n" * (BATCH_ROWS + 5))
    command_killed_at(root, "batch.after_chunk:kill", "out.csv", "-i", "in.csv")
    (root / "in.csv").write_text("id,pages,country\n" + "1,2,NL\n" * 7)
    with open_project(root) as project:
        report = predict(project, "out.csv", input="in.csv")

        assert report.rows == 7
        assert "its input changed since" in report.notes[0]
        assert f"{BATCH_ROWS:,} rows scored" in report.notes[0]
        statuses = project.sql("SELECT status FROM tidemill.scoring_jobs ORDER BY started_at").fetchall()
        assert statuses == [("abandoned",), ("done",)]
        assert [path.name for path in root.iterdir() if path.name.startswith(".out")] == []


def test_a_file_that_changes_while_it_is_scored_stops_the_job(project: Project, root: Path) -> None:
    (root / "in.csv").write_text("id,pages,country\n1,2,NL\n")

    def write(_rows: int, _chunk: int) -> None:
        (root / "in.csv").write_text("id,pages,country\n1,2,NL\n1,2,NL\n")

    with pytest.raises(SourceError, match="changed while it was scored"):
        project.predict(request(root, "out.csv", input="in.csv"), listen=write)
    assert not (root / "out.csv").exists()


def test_a_newer_version_of_the_model_makes_a_new_job_and_the_log_has_both(root: Path) -> None:
    command_killed_at(root, "batch.after_chunk:kill", "scored")

    with open_project(root) as project:
        project.run(["buyers"], full_refresh=True)
        report = predict(project)

        assert report.version == 2
        assert "scored by buyers version 1" in report.notes[0]
        assert project.sql("SELECT version, status FROM tidemill.scoring_jobs ORDER BY started_at").fetchall() == [
            (1, "abandoned"),
            (2, "done"),
        ]


def test_a_model_that_was_dropped_between_attempts_is_told(root: Path) -> None:
    command_killed_at(root, "batch.after_chunk:kill", "scored")
    sql = (root / "sql" / "all.sql").read_text()
    start, end = sql.index("CREATE OR REPLACE MODEL"), sql.index("CREATE TABLE visits")
    (root / "sql" / "all.sql").write_text(sql[:start] + sql[end:])

    with open_project(root) as project:
        project.run()
        with pytest.raises(NotFoundError, match="no model"):
            predict(project)


@pytest.mark.parametrize("point", ["stage.before_sync:enospc:2", "batch.before_sync:enospc:2"])
def test_a_full_disk_keeps_the_finished_chunks(project: Project, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    output = "scored" if point.startswith("stage") else "out.parquet"
    monkeypatch.setenv("TIDEMILL_FAULT", point)

    with pytest.raises(SpaceError):
        predict(project, output)

    assert project.sql("SELECT status FROM tidemill.scoring_jobs").fetchall() == [("failed",)]
    monkeypatch.delenv("TIDEMILL_FAULT")
    assert predict(project, output).chunks_before == 1
    assert rows_of(project, output) == expected(project)


def test_a_part_that_was_damaged_meanwhile_is_scored_again(root: Path) -> None:
    command_killed_at(root, "batch.after_chunk:kill:3", "out.csv")
    (folder,) = [path for path in root.iterdir() if path.name.startswith(".out")]
    part = folder / "part-000001.csv"
    part.write_bytes(part.read_bytes()[:-9])
    with open_project(root) as project:
        report = predict(project, "out.csv")

        assert report.chunks_before == 1
        assert "missing or damaged" in report.notes[0]
        assert rows_of(project, "out.csv") == expected(project)


def test_no_rows_give_an_empty_output_with_its_columns(project: Project, root: Path) -> None:
    query = "SELECT * FROM visits WHERE pages > 99"

    for output in ("scored", "out.parquet", "out.csv", "out.ndjson"):
        assert predict(project, output, query=query).rows == 0
    assert project.sql("SELECT * FROM scored").columns == pq.read_schema(root / "out.parquet").names
    assert (root / "out.csv").read_text().startswith('"predicted_bought"')
    assert (root / "out.ndjson").read_text() == ""


def test_what_is_wrong_is_told_before_any_row_is_scored(project: Project, root: Path) -> None:
    cases: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (BindError, "no column pages", {"query": "SELECT id, country FROM visits"}),
        (BindError, "no column predicted_bougt", {"columns": ("predicted_bougt",)}),
        (NotFoundError, "buyer", {"model": "buyer"}),
        (NotFoundError, "version", {"version": 7}),
        (NotFoundError, "alias", {"model": "buyers@prod"}),
        (NotFoundError, "deployment", {"deployment": True}),
        (NotFoundError, "visit", {"input": "visit"}),
        (SourceError, "there is no file", {"input": "nothing.csv"}),
        (SourceError, "there is no folder", {"output": "nowhere/out.csv"}),
        (SettingsError, "ending", {"output": "./out.xlsx"}),
        (SettingsError, "also read", {"output": "visits"}),
        (ExistsError, "made by sql/all.sql", {"output": "train"}),
        (ExistsError, "made by sql/all.sql", {"output": "buyers"}),
        (BindError, "not a table's name", {"output": "a.b.c"}),
        (BindError, "not a table's name", {"output": "tidemill.jobs"}),
        (SettingsError, "one query", {"query": "SELECT 1; SELECT 2"}),
        (SettingsError, "multiple", {"chunk_rows": 1000}),
        (StateError, "threshold", {"settings": (("threshold", 3),)}),
    ]
    for kind, text, given in cases:
        output = given.pop("output", "scored")
        with pytest.raises((kind, BindError) if text != "threshold" else Exception, match=text):
            predict(project, output, **given)
    assert project.sql("SELECT count(*) FROM tidemill.scoring_jobs").fetchall() == [(0,)]


def test_a_deployment_scores_with_its_champion(project: Project) -> None:
    project.deploy("buyers", override="a test needs no gates", why="test")
    project.run(["buyers"], full_refresh=True)

    assert predict(project).version == 2
    assert predict(project, deployment=True).version == 1


def test_two_processes_do_not_fill_one_output(root: Path) -> None:
    arguments = ["predict", "buyers", "-o", "scored", "-i", "visits", "--chunk-rows", str(BATCH_ROWS)]
    first = subprocess.Popen(
        [sys.executable, "-c", PREDICT, json.dumps(arguments)],
        env={**os.environ, "TIDEMILL_FAULT": "batch.after_chunk:pause"},
        cwd=root,
    )
    try:
        with open_project(root) as project:
            while not project.sql("SELECT count(*) FROM tidemill.scoring_chunks").fetchall()[0][0]:
                assert first.poll() is None
            with pytest.raises(BusyError, match=f"process {first.pid}"):
                predict(project)
            assert predict(project, "other").rows == ROWS
    finally:
        first.kill()
        first.wait()
    with open_project(root) as project:
        assert predict(project).chunks_before == 1


def test_the_rest_of_a_long_stream_is_scored_by_the_engine_of_its_beginning(root: Path) -> None:
    """Trees have two engines, chosen by the number of rows; a job that is taken up must not change over."""
    model = "CREATE OR REPLACE MODEL trees OPTIONS (model_type = 'BOOSTED_TREE_CLASSIFIER', max_iterations = 3)"
    with open_project(root) as project:
        project.sql(f"{model} AS SELECT pages, country, bought AS label FROM train")
        project.sql("CREATE TABLE many AS SELECT i AS id, i % 11 AS pages, 'NL' AS country FROM range(262144) t(i)")
    arguments = ["predict", "trees", "-i", "many", "-o", "scored", "--chunk-rows", str(BATCH_ROWS)]
    subprocess.run(
        [sys.executable, "-c", PREDICT, json.dumps(arguments)],
        env={**os.environ, "TIDEMILL_FAULT": "batch.after_chunk:kill:3"},
        cwd=root,
        check=False,
    )
    with open_project(root) as project:
        assert predict(project, model="trees", input="many").chunks_before == 3
        scored = project.sql("SELECT * FROM scored").to_arrow()
        whole = project.sql("SELECT * FROM ML.PREDICT(MODEL trees, TABLE many)").to_arrow()
        assert scored.equals(whole.cast(scored.schema))


def test_the_command_says_what_it_did(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["predict", "buyers", "-i", "visits", "-o", "out.parquet", "--columns", "id,predicted_bought"]

    assert run_command(arguments) == 0
    assert f"scored {ROWS:,} rows of visits with buyers version 1" in capsys.readouterr().out
    assert run_command([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["already"] is True
    assert pq.read_schema(root / "out.parquet").names == ["id", "predicted_bought"]
    assert run_command(["predict", "buyers", "-o", "out.parquet"]) == 2
