"""INSERT INTO ... ML.PREDICT: columns are checked, rows are added each time, and the log has each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemill.cli.main import run_command
from tidemill.core.errors import BindError, ExistsError, NotFoundError, SpaceError, TidemillError, UnsupportedError
from tidemill.project import Project, open_project
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import InsertInto, Other

TABLES = """
CREATE TABLE visits AS SELECT i AS id, i % 11 AS pages, i % 11 > 4 AS bought FROM range(600) t(i);
CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought']) AS
SELECT pages, bought FROM visits;
"""
NEW = "FROM ML.PREDICT(MODEL buyers, (SELECT * FROM visits WHERE id BETWEEN 10 AND 12))"
RUN = "import sys, tidemill; tidemill.open(sys.argv[1]).sql(sys.argv[2])"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tidemill.toml").write_text('name = "shop"\n')
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "all.sql").write_text(TABLES)
    with open_project(tmp_path) as project:
        assert project.run().status == "ok"
        project.sql("CREATE TABLE scored AS SELECT id, pages, TRUE AS predicted_bought FROM visits WHERE id < 2")
    return tmp_path


@pytest.fixture
def project(root: Path) -> Iterator[Project]:
    with open_project(root) as opened:
        yield opened


def test_each_insert_adds_its_rows_and_a_line_of_the_log(project: Project) -> None:
    for _ in range(2):
        result = project.sql(f"INSERT INTO scored SELECT predicted_bought, pages, id {NEW}")
        assert result.fetchall()[0][3] == 3

    assert [row[0] for row in project.sql("SELECT id FROM scored ORDER BY id").fetchall()] == [
        *(0, 1),
        *(10, 10, 11, 11, 12, 12),
    ]
    jobs = project.sql("SELECT kind, status, model, version, output, rows FROM tidemill.scoring_jobs").fetchall()
    assert jobs == [("insert", "done", "buyers", 1, "scored", 3)] * 2
    assert project.sql("SELECT sum(rows) FROM tidemill.scoring_chunks").fetchall() == [(6,)]
    assert [version.rows for version in project.history("scored")] == [8, 5, 2]
    assert project.verify() == []


def test_an_insert_of_no_rows_leaves_the_table_as_it_is(project: Project) -> None:
    before = project.history("scored")

    result = project.sql(f"INSERT INTO scored SELECT id, pages, predicted_bought {NEW} WHERE id > 900")

    assert result.fetchall()[0][3] == 0
    assert project.history("scored") == before
    assert project.sql("SELECT status, rows FROM tidemill.scoring_jobs").fetchall() == [("done", 0)]
    assert project.verify() == []


def test_columns_that_are_listed_stand_in_their_places_and_the_others_are_null(project: Project) -> None:
    project.sql(f"INSERT INTO scored (Pages, ID) SELECT pages + 1, id {NEW}")

    assert project.sql("SELECT * FROM scored WHERE id > 9 ORDER BY id").fetchall() == [
        (10, 11, None), (11, 1, None), (12, 2, None),
    ]  # fmt: skip


def test_smaller_types_become_the_tables(project: Project) -> None:
    project.sql(f"INSERT INTO scored (id, pages) SELECT id::SMALLINT, NULL {NEW}")

    assert project.sql("SELECT count(*), count(pages) FROM scored WHERE id > 9").fetchall() == [(3, 0)]


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (
            f"INSERT INTO scored SELECT id, pages, predicted_bought AS predicted_bougt {NEW}",
            BindError,
            "predicted_boug",
        ),
        (f"INSERT INTO scored SELECT id, pages {NEW}", BindError, "no column for predicted_bought"),
        (f"INSERT INTO scored (id) SELECT id, pages {NEW}", BindError, "lists 1 columns and the query has 2"),
        (f"INSERT INTO scored (id, id) SELECT id, pages {NEW}", BindError, "twice"),
        (f"INSERT INTO scored (id) SELECT id::VARCHAR {NEW}", BindError, "is BIGINT; the query has VARCHAR"),
        (f"INSERT INTO scored (pages) SELECT predicted_bought_probs[1].prob {NEW}", BindError, "DOUBLE"),
        (f"INSERT INTO scorde SELECT * {NEW}", NotFoundError, "there is no table scorde"),
        (f"INSERT INTO visits SELECT * {NEW}", ExistsError, "made by sql/all.sql"),
        ("INSERT INTO scored SELECT 1, 2, TRUE", UnsupportedError, "INSERT is not carried out"),
        ("INSERT INTO scored VALUES (1, 2, TRUE)", UnsupportedError, "INSERT is not carried out"),
        (f"INSERT OVERWRITE scored SELECT * {NEW}", UnsupportedError, "INSERT is not carried out"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_added(
    project: Project, text: str, kind: type[TidemillError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        project.sql(text)

    assert project.sql("SELECT count(*) FROM scored").fetchall() == [(2,)]
    assert project.sql("SELECT count(*) FROM tidemill.scoring_jobs").fetchall() == [(0,)]


@pytest.mark.parametrize(("point", "rows"), [("publish.before_commit", 0), ("insert.after_append", 3)])
def test_the_log_of_an_insert_that_was_killed_says_whether_its_rows_are_there(
    root: Path, point: str, rows: int
) -> None:
    text = f"INSERT INTO scored (id) SELECT id {NEW}"
    killed = subprocess.run(
        [sys.executable, "-c", RUN, str(root), text], env={**os.environ, "TIDEMILL_FAULT": f"{point}:kill"}, check=False
    )
    assert killed.returncode == -9

    with open_project(root) as project:
        assert project.sql("SELECT count(*) FROM scored").fetchall() == [(2 + rows,)]
        project.sql(text)

        assert project.sql("SELECT count(*) FROM scored").fetchall() == [(5 + rows,)]
        first = "done" if rows else "abandoned"
        assert project.sql("SELECT status, rows FROM tidemill.scoring_jobs ORDER BY started_at").fetchall() == [
            (first, rows or None),
            ("done", 3),
        ]


def test_a_full_disk_adds_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_FAULT", "stage.before_sync:enospc")

    with pytest.raises(SpaceError):
        project.sql(f"INSERT INTO scored (id) SELECT id {NEW}")

    assert project.sql("SELECT status FROM tidemill.scoring_jobs").fetchall() == [("abandoned",)]
    assert project.sql("SELECT count(*) FROM scored").fetchall() == [(2,)]


def test_a_project_file_cannot_hold_an_insert_and_lint_says_why(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    (root / "sql" / "new.sql").write_text(f"INSERT INTO scored (id) SELECT id {NEW};\n")

    assert run_command(["lint"]) == 3
    assert "adds rows each time" in capsys.readouterr().out
    assert run_command(["run"]) == 3
    assert "each make one thing" in capsys.readouterr().out
    with open_project(root) as project:
        assert project.sql("SELECT count(*) FROM scored").fetchall() == [(2,)]


def test_an_insert_is_read_in_every_dialect() -> None:
    text = (
        "INSERT {0}`p.d.scored` (id, `x y`) WITH n AS (SELECT 1 AS id) SELECT * FROM ML.PREDICT(MODEL `p.d.m`, TABLE n)"
    )
    for into in ("", "INTO ", "INTO TABLE "):
        (statement,) = parse_text(text.format(into), file="a.sql", dialect="bigquery")
        assert isinstance(statement, InsertInto)
        assert (statement.name, statement.into) == ("d.scored", ("id", "x y"))
    (other,) = parse_text("INSERT INTO t (SELECT 1)", file="a.sql", dialect="duckdb")
    assert isinstance(other, Other)
