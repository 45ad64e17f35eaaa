"""Files in statements: bad rows kept apart, formats, and files that are written while they are read."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from tidemill.core.errors import OptionError, SourceError, TidemillError
from tidemill.project import Project, open_project
from tidemill.runner.scratch import SCRATCH, Scratch, left_copies, sweep_copies

Write = Callable[[str, str], Path]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tidemill.toml").write_text('name = "shop"\n')
    (tmp_path / "sql").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def project(root: Path) -> Iterator[Project]:
    with open_project(root) as opened:
        yield opened


def rejects(project: Project) -> list[tuple[Any, ...]]:
    return project.sql('SELECT "table", file, line, "column", raw FROM tidemill.rejects').fetchall()


def test_bad_rows_are_kept_apart_and_the_run_says_how_many(project: Project, root: Path) -> None:
    (root / "x.csv").write_text("id,v\n1,2\n2\n3,x\n")
    (root / "sql" / "x.sql").write_text(
        "CREATE TABLE x (id INTEGER, v INTEGER) OPTIONS (max_bad_rows = 2) AS SELECT * FROM 'x.csv';"
    )
    report = project.run()
    assert (report.steps[0].rows, report.steps[0].warnings) == (
        1,
        ("2 bad rows are not loaded: SELECT * FROM tidemill.rejects",),
    )
    assert rejects(project) == [("x", "x.csv", 3, "", "2"), ("x", "x.csv", 4, "v", "3,x")]


def test_too_many_bad_rows_leave_the_old_version_and_can_be_looked_at(project: Project, root: Path) -> None:
    (root / "x.csv").write_text("id,v\n1,2\n")
    (root / "sql" / "x.sql").write_text("CREATE TABLE x AS SELECT * FROM 'x.csv';")
    assert project.run().status == "ok"
    (root / "x.csv").write_text("id,v\n1,2\n2\n3,4,5\n")
    report = project.run()
    assert isinstance(report.steps[0].error, SourceError)
    assert project.sql("SELECT count(*) FROM x").fetchall() == [(1,)]
    assert [row[2] for row in rejects(project)] == [3, 4]


def test_each_load_takes_the_place_of_what_the_one_before_did_not_load(project: Project, root: Path) -> None:
    (root / "sql" / "x.sql").write_text("CREATE TABLE x OPTIONS (max_bad_rows = 1) AS SELECT * FROM 'x.csv';")
    for text in ("id,v\n1,2\n2\n", "id,v\n1,2\n3\n4\n", "id,v\n1,2\n3,4\n5\n"):
        (root / "x.csv").write_text(text)
        project.run()
    assert [row[4] for row in rejects(project)] == ["5"]
    kept = project.sql("SELECT raw, newest, run_id FROM tidemill.all_rejects").fetchall()
    assert [row[:2] for row in kept] == [("2", False), ("3", False), ("4", False), ("5", True)]
    assert len({row[2] for row in kept}) == 3

    (root / "x.csv").write_text("id,v\n1,2\n")
    project.run()
    assert rejects(project) == []
    (root / "x.csv").write_text("id,v\n1\n2\n")
    project.run()
    (root / "sql" / "x.sql").unlink()
    project.run()
    assert rejects(project) == []


def test_copies_of_files_are_made_only_where_one_is_needed_and_go_with_their_statement(
    project: Project, root: Path
) -> None:
    (root / "x.csv").write_text("id,v\n1,2\n2,3\n")
    project.sql("SELECT * FROM 'x.csv'").fetchall()
    assert not (root / SCRATCH).exists()
    (root / "y.csv").write_text("id,v\n1,2\n2\n")
    project.sql("CREATE TABLE y OPTIONS (max_bad_rows = 1) AS SELECT * FROM 'y.csv'")
    assert list((root / SCRATCH).iterdir()) == []


def test_copies_that_a_killed_process_left_go_after_the_grace_period_and_those_in_use_stay(
    project: Project, root: Path
) -> None:
    used = Scratch(root)
    (used.folder("0") / "used.csv").write_text("1")
    left = root / SCRATCH / "0123456789abcdef"
    left.mkdir()
    (left / "left.csv").write_text("1")
    assert sweep_copies(root, older_than_s=3600) == []

    assert left_copies(root, older_than_s=0) == {".tidemill/scratch/0123456789abcdef/left.csv": 1}
    assert sweep_copies(root, older_than_s=0) == [".tidemill/scratch/0123456789abcdef/left.csv"]
    assert sorted(path.suffix for path in (root / SCRATCH).iterdir()) == ["", ".lock"]


def test_load_data_takes_the_options_of_bigquery(project: Project, root: Path) -> None:
    (root / "x.csv").write_bytes("n|v\n1|é\n2|-\n3\n".encode("latin-1"))
    project.sql(
        "LOAD DATA INTO x (n INTEGER) FROM FILES (format = 'CSV', uris = ['x.csv'], field_delimiter = '|',"
        " encoding = 'ISO-8859-1', null_marker = '-', skip_leading_rows = 1, max_bad_records = 1)"
    )
    assert project.sql("SELECT n, v FROM x").fetchall() == [(1, "é"), (2, None)]
    assert [row[2] for row in rejects(project)] == [4]
    with pytest.raises(OptionError, match="no option max_bad_record "):
        project.sql("LOAD DATA INTO y FROM FILES (format = 'CSV', uris = ['x.csv'], max_bad_record = 1)")


def test_ignored_errors_of_the_reader_are_kept_all_the_same(project: Project, root: Path) -> None:
    (root / "x.csv").write_text("id,v\n1,2\n2\n")
    project.sql("CREATE TABLE x AS SELECT * FROM read_csv('x.csv', ignore_errors = true)")
    assert [row[2] for row in rejects(project)] == [3]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT x.v FROM 'data/x.csv'",
        "SELECT a.v FROM 'data/x.csv' AS a JOIN read_csv('data/x.csv', header = true) b USING (id)",
        "WITH c AS (SELECT * FROM 'data/*.csv') SELECT v FROM c",
        "SELECT v FROM (FROM 'data/x.csv')",
    ],
)
def test_a_file_may_stand_wherever_a_table_may(project: Project, root: Path, query: str) -> None:
    (root / "data").mkdir()
    (root / "data" / "x.csv").write_bytes("id;v\n1;é\n".encode("latin-1"))
    assert project.sql(query).fetchall() == [("é",)]


def test_a_model_and_its_replay_see_the_same_columns(project: Project, root: Path) -> None:
    rows = "".join(f"{n};{n % 7};{n % 2}\n" for n in range(400))
    (root / "x.csv").write_bytes(("id;größe;label\n" + rows).encode("latin-1"))
    project.sql(
        "CREATE MODEL m OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['label'])"
        " AS SELECT größe, label FROM 'x.csv'"
    )
    assert len(project.sql("SELECT * FROM ML.PREDICT(MODEL m, (SELECT * FROM 'x.csv'))").fetchall()) == 400


def test_lines_that_are_no_json_are_kept_apart_and_late_keys_are_columns(project: Project, root: Path) -> None:
    early = "".join(f'{{"a": {n}}}\n' for n in range(25_000))
    (root / "x.ndjson").write_text(early + '{"a": 1, "late": 9007199254740993}\n{oops\n')
    project.sql("CREATE TABLE x OPTIONS (max_bad_rows = 1) AS SELECT * FROM 'x.ndjson'")
    assert project.sql("SELECT max(late), count(*) FROM x").fetchall() == [(9007199254740993, 25_001)]
    assert [row[2:] for row in rejects(project)] == [(25_002, "", "{oops")]


def test_parquet_files_with_other_columns_are_refused(project: Project, root: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1], "b": [2]}), root / "1.parquet")
    pq.write_table(pa.table({"a": [1], "b": [2], "c": [3]}), root / "2.parquet")
    with pytest.raises(SourceError, match=r"2.parquet has c besides, compared with 1.parquet"):
        project.sql("SELECT * FROM '*.parquet'")
    assert project.sql("SELECT c FROM read_parquet('*.parquet', union_by_name = true)").fetchall() == [(None,), (3,)]


def write_book(path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sales = book.active
    sales.title = "Sales"
    for row in (
        ["id", "day", "code", "amount"],
        [1, datetime.date(2020, 1, 2), "007", 1.5],
        [2, datetime.date(2020, 1, 3), "008", "n/a"],
        [],
        [3, datetime.date(2020, 1, 4), "x", None],
    ):
        sales.append(row)
    titled = book.create_sheet("Titled")
    titled["A1"] = "Report of 2020"
    titled.merge_cells("A1:C1")
    titled.append(["a", "b", "c"])
    titled.append([1, 2, 3])
    book.save(path)


def test_an_excel_sheet_is_read_whole_with_its_dates(project: Project, root: Path) -> None:
    write_book(root / "x.xlsx")
    assert project.sql("SELECT * FROM 'x.xlsx'").fetchall() == [
        (1, datetime.date(2020, 1, 2), "007", "1.5"),
        (2, datetime.date(2020, 1, 3), "008", "n/a"),
        (3, datetime.date(2020, 1, 4), "x", None),
    ]


def test_a_title_over_merged_cells_is_told_and_can_be_passed_over(project: Project, root: Path) -> None:
    write_book(root / "x.xlsx")
    with pytest.raises(SourceError) as caught:
        project.sql("SELECT * FROM read_xlsx('x.xlsx', sheet = 'Titled')")
    assert "range = 'A2:C3'" in caught.value.hint
    query = "SELECT * FROM read_xlsx('x.xlsx', sheet = 'Titled', range = 'A2:C3')"
    assert project.sql(query).fetchall() == [(1, 2, 3)]
    with pytest.raises(SourceError, match="has no sheet Salse") as caught:
        project.sql("SELECT * FROM read_xlsx('x.xlsx', sheet = 'Salse')")
    assert caught.value.hint == "did you mean Sales?"
    (root / "cut.xlsx").write_bytes((root / "x.xlsx").read_bytes()[:2000])
    with pytest.raises(SourceError, match="no Excel workbook"):
        project.sql("SELECT * FROM 'cut.xlsx'")


@pytest.mark.parametrize("what", ["changed", "disappeared"])
def test_a_file_that_is_written_while_it_is_read_loads_nothing(
    project: Project, root: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    from tidemill.runner import files

    path = root / "x.csv"
    path.write_text("id,v\n1,2\n")
    attempt = files.FileReads.attempt

    def meddle(self: files.FileReads, make: Callable[[], Any]) -> Any:
        made = attempt(self, make)
        if what == "changed":
            path.write_text("id,v\n1,2\n3,4\n")
        else:
            path.unlink()
        return made

    monkeypatch.setattr(files.FileReads, "attempt", meddle)
    with pytest.raises(TidemillError, match=f"x.csv {what} while it was read"):
        project.sql("CREATE TABLE x AS SELECT * FROM 'x.csv'")
    assert "x" not in [row[0] for row in project.sql("SELECT name FROM tidemill.tables").fetchall()]


def test_formulas_of_a_file_are_texts(project: Project, root: Path) -> None:
    (root / "x.csv").write_text("id,v\n1,=cmd()\n")
    assert project.sql("SELECT v FROM 'x.csv'").fetchall() == [("=cmd()",)]


@pytest.mark.parametrize("name", ["f [1].csv", "f*.csv", "f [1].ndjson", "f [1].parquet"])
def test_a_file_whose_name_looks_like_a_pattern_is_that_file(project: Project, root: Path, name: str) -> None:
    for number, file in enumerate(("f 1.csv", "f [1].csv", "f*.csv")):
        (root / file).write_text(f"id,name\n1,{file}\n" + "2\n" * (number == 1))
    for file in ("f 1", "f [1]"):
        (root / f"{file}.ndjson").write_text(f'{{"name": "{file}.ndjson"}}\n')
        pyarrow.parquet.write_table(pa.table({"name": [f"{file}.parquet"]}), root / f"{file}.parquet")
    project.sql(f"CREATE TABLE x OPTIONS (max_bad_rows = 1) AS SELECT * FROM '{name}'")
    assert project.sql("SELECT name FROM x").fetchall() == [(name,)]
    assert [row[1:3] for row in rejects(project)] == ([(name, 3)] if name == "f [1].csv" else [])


def test_a_name_like_a_pattern_is_not_left_to_the_engine(project: Project, root: Path) -> None:
    (root / "f 1.ndjson").write_text('{"a": 1}\n')
    (root / "f [1].ndjson").write_text('{"a": 2}\n')
    with pytest.raises(SourceError, match="would take its name for a pattern"):
        project.sql("SELECT * FROM read_json('f [1].ndjson', sample_size = 5)")


def test_a_line_of_json_that_is_no_object_is_a_bad_row(project: Project, root: Path) -> None:
    (root / "x.ndjson").write_text('{"a": 1}\n[1, 2]\n{"a": 3}\n')
    with pytest.raises(SourceError, match="line 2 of x.ndjson: it is JSON, but no object"):
        project.sql("CREATE TABLE x AS SELECT * FROM 'x.ndjson'")
    project.sql("CREATE TABLE x OPTIONS (max_bad_rows = 1) AS SELECT * FROM 'x.ndjson'")
    assert project.sql("SELECT a FROM x ORDER BY a").fetchall() == [(1,), (3,)]
    assert [row[2:] for row in rejects(project) if row[0] == "x"][-1] == (2, "", "[1, 2]")


def test_long_whole_numbers_of_json_are_not_rounded(project: Project, root: Path) -> None:
    long, part = 18446744073709551617, 9007199254740993
    (root / "x.ndjson").write_text(
        f'{{"id": 9007199254740993, "p": 0.5, "d": "2024-01-02", "s": {{"v": 1.5}}, "f": 0.5}}\n'
        f'{{"id": {long}, "p": {part}, "s": {{"v": {long}}}, "f": 2}}\n'
    )
    project.sql("CREATE TABLE x AS SELECT * FROM 'x.ndjson'")
    assert project.sql("SELECT * FROM x ORDER BY id").fetchall() == [
        (Decimal(9007199254740993), Decimal("0.5"), datetime.date(2024, 1, 2), '{"v":1.5}', 0.5),
        (Decimal(long), Decimal(part), None, f'{{"v":{long}}}', 2.0),
    ]
